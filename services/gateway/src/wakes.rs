//! Groups that wait for a dispatch: those with a leg that somebody waits for first, and otherwise
//! in the order in which they were woken.
//!
//! A group that is woken while it is dispatched gets its turn afterwards, never beside it.
//! The lists are bounded; a group that finds no room is found by the sweep a second later.

use std::collections::{HashMap, HashSet, VecDeque};
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
    known: HashMap<GroupId, Look>,
}

/// Whether it is looked for a waiting leg before a group is dispatched, which costs far more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// A place has become free, and mostly nobody waits for it.
    First,
    /// A leg waits.
    Needless,
}

impl List {
    fn add(&mut self, group: GroupId, look: Look) {
        if let Some(known) = self.known.get_mut(&group) {
            *known = look.max(*known);
        } else if self.waiting.len() < MOST {
            self.known.insert(group.clone(), look);
            self.waiting.push_back(group);
        }
    }

    /// The first one that is not being dispatched.
    fn take(&mut self, running: &HashSet<GroupId>) -> Option<(GroupId, Look)> {
        let place = self.waiting.iter().position(|group| !running.contains(group))?;
        let group = self.waiting.remove(place)?;
        let look = self.known.remove(&group)?;
        Some((group, look))
    }
}

/// A group's turn; over when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    wakes: Arc<Wakes>,
    pub(crate) group: GroupId,
    pub(crate) look: Look,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.wakes.state().running.remove(&self.group);
        self.wakes.woken.notify_one();
    }
}

impl Wakes {
    /// Wakes groups in which a leg waits.
    pub(crate) fn wake(&self, groups: impl IntoIterator<Item = GroupId>) {
        self.add(false, Look::Needless, groups);
    }

    /// Wakes groups in which a leg of a job of this class waits.
    pub(crate) fn wake_for(&self, class: JobClass, groups: impl IntoIterator<Item = GroupId>) {
        self.add(!class.is_bulk(), Look::Needless, groups);
    }

    /// Wakes groups in which a place may have become free because of a job of this class.
    pub(crate) fn wake_to_look(&self, class: JobClass, groups: impl IntoIterator<Item = GroupId>) {
        self.add(!class.is_bulk(), Look::First, groups);
    }

    fn add(&self, is_urgent: bool, look: Look, groups: impl IntoIterator<Item = GroupId>) {
        let mut groups = groups.into_iter().peekable();
        if groups.peek().is_none() {
            return;
        }
        let mut state = self.state();
        let State { urgent, other, .. } = &mut *state;
        let list = if is_urgent { urgent } else { other };
        groups.for_each(|group| list.add(group, look));
        drop(state);
        self.woken.notify_one();
    }

    /// The next group whose turn it is. Cancel-safe. For one caller at a time.
    pub(crate) async fn next(self: &Arc<Self>) -> Turn {
        loop {
            if let Some((group, look)) = self.take() {
                return Turn { wakes: Arc::clone(self), group, look };
            }
            self.woken.notified().await;
        }
    }

    fn take(&self) -> Option<(GroupId, Look)> {
        let mut state = self.state();
        let State { urgent, other, running, in_a_row } = &mut *state;
        let first = if *in_a_row < IN_A_ROW { urgent.take(running) } else { None };
        *in_a_row = if first.is_some() { *in_a_row + 1 } else { 0 };
        let next = first.or_else(|| other.take(running)).or_else(|| urgent.take(running))?;
        running.insert(next.0.clone());
        Some(next)
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
    async fn a_group_in_which_a_leg_waits_needs_no_look_whatever_else_woke_it() {
        let wakes = Arc::new(Wakes::default());
        wakes.wake_to_look(JobClass::Interactive, [group("a"), group("b"), group("c")]);
        wakes.wake_for(JobClass::Interactive, [group("b")]);
        wakes.wake_to_look(JobClass::Interactive, [group("b")]);
        let looks = [wakes.next().await.look, wakes.next().await.look, wakes.next().await.look];
        assert_eq!(looks, [Look::First, Look::Needless, Look::First]);
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
