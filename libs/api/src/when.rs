//! Times on the wire: microseconds, and only moments that protobuf can write down.
//!
//! A certificate may claim any year; `google.protobuf.Timestamp` ends with 9999, so such
//! moments are shown as the nearest one that it has.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the ends of `google.protobuf.Timestamp`.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// The longest `google.protobuf.Duration`: about 10,000 years.
const MAX_DURATION_SECONDS: u64 = 315_576_000_000;

/// To the wire, cut to microseconds.
pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(duration.as_secs().min(MAX_DURATION_SECONDS))
        .expect("the longest duration fits");
    prost_types::Duration { seconds, nanos: micros_as_nanos(duration) }
}

/// From the wire; `None` for a negative or impossible duration.
pub(crate) fn to_duration(duration: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// To the wire, cut to microseconds and to the years that it has.
pub(crate) fn timestamp(moment: SystemTime) -> prost_types::Timestamp {
    let (seconds, nanos) = match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), micros_as_nanos(after)),
        Err(error) => {
            let before = error.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match micros_as_nanos(before) {
                0 => (-whole, 0),
                part => (-whole - 1, 1_000_000_000 - part),
            }
        }
    };
    if SECONDS.contains(&seconds) {
        prost_types::Timestamp { seconds, nanos }
    } else {
        let seconds = seconds.clamp(*SECONDS.start(), *SECONDS.end());
        prost_types::Timestamp { seconds, nanos: 0 }
    }
}

/// From the wire; `None` for what is outside the years 1 to 9999.
pub(crate) fn to_system_time(timestamp: prost_types::Timestamp) -> Option<SystemTime> {
    let nanos = u32::try_from(timestamp.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    if !SECONDS.contains(&timestamp.seconds) {
        return None;
    }
    let whole = Duration::from_secs(timestamp.seconds.unsigned_abs());
    let base = if timestamp.seconds < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    base?.checked_add(Duration::from_nanos(u64::from(nanos)))
}

fn micros_as_nanos(duration: Duration) -> i32 {
    i32::try_from(duration.subsec_micros() * 1_000).expect("less than a second in nanoseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_any_year_survive_or_are_clamped() {
        let ago = UNIX_EPOCH - Duration::new(10, 250_000_000);
        assert_eq!(to_system_time(timestamp(ago)), Some(ago));
        assert_eq!(timestamp(ago).seconds, -11);
        let far = UNIX_EPOCH + Duration::from_secs(400_000_000_000);
        assert_eq!(timestamp(far), prost_types::Timestamp { seconds: 253_402_300_799, nanos: 0 });
        let ancient = UNIX_EPOCH - Duration::from_secs(70_000_000_000);
        assert_eq!(timestamp(ancient).seconds, -62_135_596_800);
    }

    #[test]
    fn spans_are_cut_to_microseconds_and_never_negative() {
        assert_eq!(duration(Duration::from_nanos(1_999)).nanos, 1_000);
        assert_eq!(duration(Duration::MAX).seconds, 315_576_000_000);
        assert_eq!(to_duration(prost_types::Duration { seconds: -1, nanos: 0 }), None);
        assert_eq!(to_duration(prost_types::Duration { seconds: 1, nanos: -1 }), None);
        assert_eq!(
            to_duration(prost_types::Duration { seconds: 1, nanos: 5_000 }),
            Some(Duration::new(1, 5_000))
        );
    }
}
