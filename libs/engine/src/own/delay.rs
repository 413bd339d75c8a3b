//! How long a mail server's own limits hold legs back, and which of them.
//!
//! A group has a watch for each class that goes on whatever its worker does, so that a leg's wait
//! for the mail server is told from its wait for us.

use std::collections::VecDeque;
use std::time::Duration;

use mailfleet_model::fleet::{Delay, Hold};

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

    pub(super) fn plus(self, more: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_add(more.sessions),
            rate: self.rate.saturating_add(more.rate),
            breaker: self.breaker.saturating_add(more.breaker),
            paused: self.paused.saturating_add(more.paused),
        }
    }

    /// A share of these times, from 0 to 1.
    fn times(self, share: f64) -> Self {
        Self {
            sessions: self.sessions.mul_f64(share),
            rate: self.rate.mul_f64(share),
            breaker: self.breaker.mul_f64(share),
            paused: self.paused.mul_f64(share),
        }
    }

    /// What took at least half of a wait; `None`: the wait was mostly ours.
    pub(super) fn cause(self, waited: Duration) -> Option<Delay> {
        let by = [
            (self.sessions, Hold::Sessions),
            (self.rate, Hold::Rate),
            (self.breaker, Hold::Breaker),
            (self.paused, Hold::Paused),
        ];
        let took: Duration = by.iter().map(|(time, _)| *time).sum();
        let (most, by) = by.into_iter().max_by_key(|(time, _)| *time)?;
        (!most.is_zero() && waited <= took.saturating_mul(2)).then_some(Delay { by, took })
    }
}

/// Shortest time between two marks.
const STEP: Duration = Duration::from_millis(250);
/// What is older than this is not looked for.
const KEEP: Duration = Duration::from_secs(5 * 60);

/// Adds up how long something holds legs back.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    past: Delays,
    since: Option<(Hold, Monotonic)>,
    /// What had come to these times before, the oldest first: the longer ago, the fewer of them.
    /// Empty while nothing ever held a leg back.
    marks: VecDeque<(Monotonic, Delays)>,
}

impl Watch {
    /// From now on this holds legs back, or nothing does.
    pub(super) fn turn(&mut self, hold: Option<Hold>, now: Monotonic) {
        self.past = self.read(now);
        self.since = hold.map(|hold| (hold, now));
        let is_of_use = hold.is_some() || self.past != Delays::default();
        if is_of_use && self.marks.back().is_none_or(|(last, _)| STEP <= now.since(*last)) {
            self.marks.push_back((now, self.past));
            self.thin(now);
        }
    }

    pub(super) fn read(&self, now: Monotonic) -> Delays {
        let mut all = self.past;
        if let Some((hold, since)) = self.since {
            all.add(hold, now.since(since));
        }
        all
    }

    /// What came to these times in the last `span`. Between two marks it is spread evenly; they
    /// are no further apart than the later one is old.
    pub(super) fn last(&self, span: Duration, now: Monotonic) -> Delays {
        let (then, all) = (Monotonic(now.0.saturating_sub(span)), self.read(now));
        let place = self.marks.partition_point(|(at, _)| *at <= then);
        let later = self.marks.get(place).copied().unwrap_or((now, all));
        let Some(earlier) = place.checked_sub(1).and_then(|place| self.marks.get(place)) else {
            // Before the first one nothing was held back, or nobody knows any more.
            return all.since(self.marks.front().map_or(all, |(_, first)| *first));
        };
        let between = later.0.since(earlier.0);
        let share = if between.is_zero() {
            0.0
        } else {
            later.0.since(then).as_secs_f64() / between.as_secs_f64()
        };
        all.since(later.1).plus(later.1.since(earlier.1).times(share))
    }

    /// Leaves out marks whose neighbours are close enough for how long ago they are.
    fn thin(&mut self, now: Monotonic) {
        while self.marks.get(1).is_some_and(|(second, _)| KEEP <= now.since(*second)) {
            self.marks.pop_front();
        }
        let mut place = 1;
        while let (Some((before, _)), Some((after, _))) =
            (self.marks.get(place - 1), self.marks.get(place + 1))
        {
            if after.since(*before) <= now.since(*after) {
                self.marks.remove(place);
            } else {
                place += 1;
            }
        }
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
        let cause = |seconds| held.cause(Duration::from_secs(seconds)).map(|delay| delay.by);
        assert_eq!((cause(4), cause(8), cause(9)), (Some(Hold::Rate), Some(Hold::Rate), None));
        assert_eq!(Delays::default().cause(Duration::ZERO), None, "it did not wait at all");
    }

    #[test]
    fn a_watch_remembers_what_it_saw_a_while_ago_the_longer_the_less_precisely() {
        let mut watch = Watch::default();
        // One session after the other for ten minutes, a pause of the same length between them.
        for second in (0..600).step_by(2) {
            watch.turn(Some(Hold::Sessions), at(second));
            watch.turn(None, at(second + 1));
        }
        let now = at(600);
        let held = |seconds| watch.last(Duration::from_secs(seconds), now).sessions.as_secs_f64();
        for seconds in [2, 4, 10, 30, 60, 120, 240] {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let expect = seconds as f64 / 2.0;
            assert!((held(seconds) - expect).abs() <= 1.0, "{seconds}: {}", held(seconds));
        }
        assert!(
            (130.0..300.0).contains(&held(10_000)),
            "{}: not longer than it keeps",
            held(10_000)
        );
        assert!(watch.marks.len() < 24, "{} marks", watch.marks.len());
    }

    #[test]
    fn a_watch_that_goes_on_counts_up_to_now_and_one_that_is_over_does_not() {
        let mut watch = Watch::default();
        let last = |watch: &Watch, span, now| watch.last(Duration::from_secs(span), at(now)).rate;
        assert_eq!(last(&watch, 10, 100), Duration::ZERO, "nothing ever was");
        watch.turn(Some(Hold::Rate), at(100));
        assert_eq!(last(&watch, 10, 130), Duration::from_secs(10));
        assert_eq!(last(&watch, 90, 130), Duration::from_secs(30));
        watch.turn(None, at(130));
        assert_eq!(last(&watch, 10, 135), Duration::from_secs(5));
        assert_eq!(last(&watch, 10, 150), Duration::ZERO);
        assert_eq!(last(&watch, 0, 130), Duration::ZERO);
    }
}
