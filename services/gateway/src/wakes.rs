//! Groups that wait for a dispatch: those with a leg that somebody waits for first, and otherwise
//! in the order in which they were woken.
//!
//! A group that is woken while it is dispatched gets its turn afterwards, never beside it.
//! The lists are bounded; a group that finds no room is found by the sweep a second later.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailfleet_model::fleet::{GroupId, JobClass};
use tokio::sync::Notify;

/// Most groups that wait in each list.
const MOST: usize = 10_000;
/// Urgent groups in a row before another one has a turn.
const IN_A_ROW: u32 = 8;

/// The groups that wait, and those that are being dispatched.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    urgent: List,
    other: List,
    running: HashSet<GroupId>,
    /// Urgent ones since another one had a turn.
    in_a_row: u32,
}

#[derive(Debug, Default)]
struct List {
    waiting: VecDeque<GroupId>,
    known: HashSet<GroupId>,
}

impl List {
    fn add(&mut self, group: GroupId) {
        if self.waiting.len() < MOST && self.known.insert(group.clone()) {
            self.waiting.push_back(group);
        }
    }

    /// The first one that is not being dispatched.
    fn take(&mut self, running: &HashSet<GroupId>) -> Option<GroupId> {
        let place = self.waiting.iter().position(|group| !running.contains(group))?;
        let group = self.waiting.remove(place)?;
        self.known.remove(&group);
        Some(group)
    }
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
        groups.into_iter().for_each(|group| state.other.add(group));
        drop(state);
        self.woken.notify_one();
    }

    /// Wakes groups because of a job of this class.
    pub(crate) fn wake_for(&self, class: JobClass, groups: impl IntoIterator<Item = GroupId>) {
        if class.is_bulk() {
            return self.wake(groups);
        }
        let mut state = self.state();
        groups.into_iter().for_each(|group| state.urgent.add(group));
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
        let State { urgent, other, running, in_a_row } = &mut *state;
        let first = if *in_a_row < IN_A_ROW { urgent.take(running) } else { None };
        *in_a_row = if first.is_some() { *in_a_row + 1 } else { 0 };
        let group = first.or_else(|| other.take(running)).or_else(|| urgent.take(running))?;
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

    #[tokio::test]
    async fn a_group_that_somebody_waits_for_goes_first_but_not_for_ever() {
        let wakes = Arc::new(Wakes::default());
        let urgent = |group| wakes.wake_for(JobClass::Interactive, [group]);
        wakes.wake([group("bulk"), group("both")]);
        urgent(group("both"));
        assert_eq!(wakes.next().await.group, group("both"));
        for turn in 0..u32::MAX {
            wakes.wake_for(JobClass::Revalidation, [group("bulk")]);
            urgent(group("urgent"));
            if wakes.next().await.group == group("bulk") {
                assert_eq!(turn, IN_A_ROW - 1, "one went before");
                return;
            }
        }
    }
}
