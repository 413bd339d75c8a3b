//! Spans and moments of time in words.

use std::time::{Duration, SystemTime};

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcDateTime};

use crate::language::Language;

const SECOND_MS: u128 = 1_000;
const MINUTE_MS: u128 = 60 * SECOND_MS;
const HOUR_MS: u128 = 60 * MINUTE_MS;

/// A span as people say it: milliseconds below a second, seconds with one decimal below ten
/// seconds, then whole seconds, and from two minutes on whole minutes, from two hours on hours.
pub(crate) fn span(span: Duration, language: Language) -> String {
    let ms = span.as_millis();
    let (number, english, japanese) = if ms < SECOND_MS {
        (ms.to_string(), "millisecond", "ミリ秒")
    } else if ms < 10 * SECOND_MS {
        let tenths = (ms + 50) / 100;
        let text = if tenths.is_multiple_of(10) {
            (tenths / 10).to_string()
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        (text, "second", "秒")
    } else if ms < 2 * MINUTE_MS {
        (rounded(ms, SECOND_MS), "second", "秒")
    } else if ms < 2 * HOUR_MS {
        (rounded(ms, MINUTE_MS), "minute", "分")
    } else {
        (rounded(ms, HOUR_MS), "hour", "時間")
    };
    match language {
        Language::English if number == "1" => format!("{number} {english}"),
        Language::English => format!("{number} {english}s"),
        Language::Japanese => format!("{number}{japanese}"),
    }
}

fn rounded(ms: u128, unit: u128) -> String {
    ((ms + unit / 2) / unit).to_string()
}

/// A moment in UTC, to the second, the same in both languages. A moment beyond the calendar
/// (year 9999) is told as such: certificates may say anything.
pub(crate) fn moment(moment: SystemTime) -> String {
    let out_of_range = || "beyond the year 9999".to_owned();
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = match since {
        Ok(after) => i64::try_from(after.as_secs()).ok(),
        Err(before) => i64::try_from(before.duration().as_secs()).ok().map(|s| -s),
    };
    let utc = seconds.and_then(|s| UtcDateTime::from_unix_timestamp(s).ok());
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    utc.and_then(|utc| utc.format(format).ok()).unwrap_or_else(out_of_range)
}

/// The moment that an RFC 3339 text names, if it is one.
pub(crate) fn parse_moment(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ms: u64, english: &str, japanese: &str) {
        let value = Duration::from_millis(ms);
        assert_eq!(span(value, Language::English), english);
        assert_eq!(span(value, Language::Japanese), japanese);
    }

    #[test]
    fn spans_read_as_people_say_them() {
        check(0, "0 milliseconds", "0ミリ秒");
        check(1, "1 millisecond", "1ミリ秒");
        check(1_000, "1 second", "1秒");
        check(1_240, "1.2 seconds", "1.2秒");
        check(9_999, "10 seconds", "10秒");
        check(35_000, "35 seconds", "35秒");
        check(119_000, "119 seconds", "119秒");
        check(900_000, "15 minutes", "15分");
        check(86_400_000, "24 hours", "24時間");
    }

    #[test]
    fn moments_are_utc_and_never_fail() {
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(moment(later), "2023-11-14 22:13:20 UTC");
        assert_eq!(
            moment(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            "1969-12-31 23:59:59 UTC"
        );
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(moment(far), "beyond the year 9999");
        assert_eq!(parse_moment("2023-11-14T22:13:20Z"), Some(later));
        assert_eq!(parse_moment("yesterday"), None);
    }
}
