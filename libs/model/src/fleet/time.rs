//! Times in the store's records.
//!
//! Every one is read from the store's own clock (the database server's, where there is
//! one), so gateways whose clocks differ agree about what is overdue. Workers compare
//! no such times: what travels to or from them is a duration.

use std::time::{Duration, SystemTime};

/// Microseconds since 1970-01-01 UTC: the precision that both databases keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus a duration; stops at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This time minus a duration; stops at 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long ago `earlier` was; zero if the clock was set back meanwhile.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        // Half a million years fit: the sum cannot leave the range of the platform.
        Self::UNIX_EPOCH.checked_add(Duration::from_micros(time.0)).unwrap_or(Self::UNIX_EPOCH)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let then = Timestamp(5_000_000);
        assert_eq!(Timestamp(1).since(then), Duration::ZERO);
        assert_eq!(then.plus(Duration::from_secs(1)).since(then), Duration::from_secs(1));
        assert_eq!(then.minus(Duration::from_secs(60)), Timestamp(0));
    }

    #[test]
    fn system_times_round_trip_to_the_microsecond() {
        let time = Timestamp(1_763_784_000_123_456);
        assert_eq!(Timestamp::from(SystemTime::from(time)), time);
    }
}
