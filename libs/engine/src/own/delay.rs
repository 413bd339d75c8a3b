//! How long a mail server's own limits hold legs back, and which of them.
//!
//! A group has a watch for each class that goes on whatever its worker does, so that a leg's wait
//! for the mail server is told from its wait for us.

use std::time::Duration;

use mailfleet_model::fleet::Hold;

use crate::time::Monotonic;

/// Times in which legs were held back, by what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delays {
    sessions: Duration,
    rate: Duration,
    breaker: Duration,
    paused: Duration,
}

impl Delays {
    pub(super) fn add(&mut self, hold: Hold, time: Duration) {
        let sum = match hold {
            Hold::Sessions => &mut self.sessions,
            Hold::Rate => &mut self.rate,
            Hold::Breaker => &mut self.breaker,
            Hold::Paused => &mut self.paused,
        };
        *sum = sum.saturating_add(time);
    }

    /// What has come to these times since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_sub(earlier.sessions),
            rate: self.rate.saturating_sub(earlier.rate),
            breaker: self.breaker.saturating_sub(earlier.breaker),
            paused: self.paused.saturating_sub(earlier.paused),
        }
    }

    /// What took at least half of a wait; `None`: the wait was mostly ours.
    pub(super) fn cause(self, waited: Duration) -> Option<Hold> {
        let by = [
            (self.sessions, Hold::Sessions),
            (self.rate, Hold::Rate),
            (self.breaker, Hold::Breaker),
            (self.paused, Hold::Paused),
        ];
        let all: Duration = by.iter().map(|(time, _)| *time).sum();
        let (most, hold) = by.into_iter().max_by_key(|(time, _)| *time)?;
        (!most.is_zero() && waited <= all.saturating_mul(2)).then_some(hold)
    }
}

/// Adds up how long something holds legs back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Watch {
    past: Delays,
    since: Option<(Hold, Monotonic)>,
}

impl Watch {
    /// From now on this holds legs back, or nothing does.
    pub(super) fn turn(&mut self, hold: Option<Hold>, now: Monotonic) {
        self.past = self.read(now);
        self.since = hold.map(|hold| (hold, now));
    }

    pub(super) fn read(&self, now: Monotonic) -> Delays {
        let mut all = self.past;
        if let Some((hold, since)) = self.since {
            all.add(hold, now.since(since));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn a_wait_is_the_servers_if_half_of_it_was_and_is_named_after_the_longest() {
        let mut watch = Watch::default();
        watch.turn(Some(Hold::Sessions), at(10));
        let before = watch.read(at(12));
        watch.turn(Some(Hold::Rate), at(13));
        watch.turn(None, at(16));
        let held = watch.read(at(100)).since(before);
        let cause = |seconds| held.cause(Duration::from_secs(seconds));
        assert_eq!((cause(4), cause(8), cause(9)), (Some(Hold::Rate), Some(Hold::Rate), None));
        assert_eq!(Delays::default().cause(Duration::ZERO), None, "it did not wait at all");
    }
}
