//! Pace: how many legs of bulk work a worker runs at once.
//!
//! A leg that nobody waits for must not take the processor from one that somebody waits for. The
//! sign that there is too little of it is that the worker's own clock ticks late: then everything
//! in the process is late, some twenty times a leg. So bulk work gives way when ticks are late,
//! and takes more places as long as they are not, as bulk transfers do that measure the delay
//! they cause (LEDBAT, RFC 6817). Legs that only wait for a slow mail server make no tick late,
//! and get all places in time.
//!
//! Legs that somebody waits for are never held back here.

use std::time::Duration;

use crate::rules::PaceRules;

/// Places for bulk work.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    rules: PaceRules,
    most: u32,
    places: u32,
}

impl Pace {
    /// A worker that has just begun, which may run so many bulk legs at most.
    pub(super) fn new(rules: PaceRules, most: u32) -> Self {
        let places = rules.first.min(most);
        Self { rules, most, places }
    }

    /// A tick came so late, while so many bulk legs ran or were asked for.
    pub(super) fn ticked(&mut self, late: Duration, running: u32) {
        if self.rules.late < late {
            // From what really runs: places that nobody uses would hide the first steps.
            let used = self.places.min(running.max(self.rules.least));
            self.places = used.saturating_sub((used / 4).max(1)).max(self.rules.least);
        } else if self.places <= running {
            self.places = self.places.saturating_add((self.places / 8).max(1));
        }
        self.places = self.places.min(self.most);
    }

    /// Bulk legs that may run at once.
    pub(super) fn places(&self) -> u32 {
        self.places
    }

    /// Bulk legs that may still start.
    pub(super) fn room(&self, running: u32) -> u32 {
        self.places.saturating_sub(running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(PaceRules::default(), 1_600)
    }

    /// A worker with more to do than it has places, on a processor that bears so many legs.
    fn settle(pace: &mut Pace, bears: u32, ticks: u32) -> Vec<u32> {
        let on_time = |running| running <= bears;
        let late = |running| if on_time(running) { Duration::ZERO } else { LATE };
        let mut seen = Vec::new();
        for _ in 0..ticks {
            pace.ticked(late(pace.places), pace.places);
            seen.push(pace.places);
        }
        seen
    }

    const LATE: Duration = Duration::from_secs(1);

    #[test]
    fn bulk_work_takes_what_the_processor_bears_and_no_more() {
        for bears in [40, 200, 1_000] {
            let seen = settle(&mut pace(), bears, 120);
            let settled = seen.get(60..).expect("a while");
            let (least, most) = (settled.iter().min(), settled.iter().max());
            assert!(least.is_some_and(|least| bears * 6 / 10 <= *least), "{bears}: {settled:?}");
            assert!(most.is_some_and(|most| *most <= bears * 9 / 8 + 1), "{bears}: {settled:?}");
        }
    }

    #[test]
    fn slow_mail_servers_make_nothing_late_and_get_all_places() {
        assert_eq!(settle(&mut pace(), u32::MAX, 60).last(), Some(&1_600));
    }

    #[test]
    fn it_gives_way_at_once_and_never_wholly() {
        let mut pace = pace();
        settle(&mut pace, u32::MAX, 60);
        let seen = settle(&mut pace, 0, 40);
        assert_eq!((seen.first(), seen.last()), (Some(&1_200), Some(&PaceRules::default().least)));
    }

    #[test]
    fn places_that_nobody_uses_are_neither_saved_up_nor_in_the_way() {
        let mut pace = pace();
        let before = pace.places;
        for _ in 0..60 {
            pace.ticked(Duration::ZERO, 3);
        }
        assert_eq!(pace.places, before);
        settle(&mut pace, u32::MAX, 60);
        pace.ticked(LATE, 40);
        assert_eq!(pace.places, 30);
    }

    #[test]
    fn a_worker_with_few_slots_keeps_to_them() {
        let mut pace = Pace::new(PaceRules::default(), 2);
        assert_eq!((pace.room(0), pace.room(2), pace.room(9)), (2, 0, 0));
        settle(&mut pace, u32::MAX, 20);
        assert_eq!(pace.room(0), 2);
        settle(&mut pace, 0, 20);
        assert_eq!(pace.room(0), 2, "two are few");
    }
}
