//! What an owner remembers of legs that it has dealt with.
//!
//! A leg may be on the broker twice: the second copy of what is done is acked, not run.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mailfleet_model::fleet::{Dispatch, LegId};

use crate::time::Monotonic;

/// Most legs remembered; beyond it the oldest is forgotten early, and the store's answer
/// to a start is what is left.
const MOST: usize = 100_000;

/// Legs by their last release that was dealt with.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    legs: BTreeMap<LegId, Dispatch>,
    order: VecDeque<(Monotonic, LegId, Dispatch)>,
}

impl Memory {
    pub(super) fn note(&mut self, leg: LegId, dispatch: Dispatch, now: Monotonic) {
        let known = self.legs.entry(leg).or_insert(dispatch);
        *known = (*known).max(dispatch);
        self.order.push_back((now, leg, dispatch));
        if MOST < self.order.len() {
            self.forget_oldest();
        }
    }

    pub(super) fn knows(&self, leg: LegId, dispatch: Dispatch) -> bool {
        self.legs.get(&leg).is_some_and(|known| dispatch <= *known)
    }

    pub(super) fn tidy(&mut self, now: Monotonic, keep: Duration) {
        while self.order.front().is_some_and(|(noted, ..)| keep <= now.since(*noted)) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, leg, dispatch)) = self.order.pop_front() else { return };
        // A newer note of the same leg stands further back and keeps it.
        if self.legs.get(&leg) == Some(&dispatch) {
            self.legs.remove(&leg);
        }
    }
}
