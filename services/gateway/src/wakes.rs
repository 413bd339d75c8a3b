//! Groups that wait for a dispatch: each once, in the order in which they were woken.
//!
//! A group that is woken while it is dispatched gets its turn afterwards, never beside it.
//! The list is bounded; a group that finds no room is found by the sweep a second later.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailfleet_model::fleet::GroupId;
use tokio::sync::Notify;

/// Most groups that wait.
const MOST: usize = 10_000;

/// The groups that wait, and those that are being dispatched.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<GroupId>,
    known: HashSet<GroupId>,
    running: HashSet<GroupId>,
}

/// A group's turn; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    wakes: Arc<Wakes>,
    pub(crate) group: GroupId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.wakes.state().running.remove(&self.group);
        self.wakes.woken.notify_one();
    }
}

impl Wakes {
    pub(crate) fn wake(&self, groups: impl IntoIterator<Item = GroupId>) {
        let mut state = self.state();
        for group in groups {
            if state.waiting.len() < MOST && state.known.insert(group.clone()) {
                state.waiting.push_back(group);
            }
        }
        drop(state);
        self.woken.notify_one();
    }

    /// The next group whose turn it is. Cancel-safe. For one caller at a time.
    pub(crate) async fn next(self: &Arc<Self>) -> Turn {
        loop {
            if let Some(group) = self.take() {
                return Turn { wakes: Arc::clone(self), group };
            }
            self.woken.notified().await;
        }
    }

    fn take(&self) -> Option<GroupId> {
        let mut state = self.state();
        let State { waiting, known, running } = &mut *state;
        let place = waiting.iter().position(|group| !running.contains(group))?;
        let group = waiting.remove(place)?;
        known.remove(&group);
        running.insert(group.clone());
        Some(group)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use mailfleet_model::fleet::GroupKey;

    use super::*;

    fn group(name: &str) -> GroupId {
        let key = GroupKey::new(format!("imap:{name}")).expect("a key");
        GroupId { zone: "default".parse().expect("a name"), key }
    }

    #[tokio::test]
    async fn a_group_is_dispatched_once_however_often_it_was_woken_and_never_beside_itself() {
        let wakes = Arc::new(Wakes::default());
        wakes.wake([group("a"), group("b"), group("a")]);
        let a = wakes.next().await;
        assert_eq!(a.group, group("a"));
        wakes.wake([group("a")]);
        assert_eq!(wakes.next().await.group, group("b"));
        assert!(wakes.next().now_or_never().is_none(), "a is being dispatched");
        drop(a);
        assert_eq!(wakes.next().await.group, group("a"));
        assert!(wakes.next().now_or_never().is_none(), "nobody waits");
    }
}
