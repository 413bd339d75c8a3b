//! Durations as people write them: `30s`, `2m`, `1m 30s`, and never a bare number.
//!
//! Shared by the configuration and the command line, so that both take the same.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A number alone could be seconds or milliseconds.
    #[error("has no unit; write for example 30s, 2m or 500ms")]
    NoUnit,
    /// Anything else.
    #[error("is not a duration; write for example 30s, 2m or 500ms")]
    Malformed,
}

/// Reads a duration with its unit.
///
/// # Errors
/// If the unit is missing, or the text is no duration.
pub(crate) fn parse(text: &str) -> Result<Duration, Error> {
    let text = text.trim();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(Error::NoUnit);
    }
    humantime::parse_duration(text).map_err(|_| Error::Malformed)
}

/// Writes a duration so that [`parse`] reads it again: `30s`, `1500ms`.
pub(crate) fn write(span: Duration) -> String {
    if span.subsec_nanos() == 0 {
        format!("{}s", span.as_secs())
    } else {
        format!("{}ms", span.as_millis())
    }
}

/// Writes a measured time in few characters: `12 ms`, `1.2 s`, `35 s`, `3 min`.
pub(crate) fn brief(span: Duration) -> String {
    let ms = span.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..9_950 => {
            let tenths = (ms + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        9_950..120_000 => format!("{} s", (ms + 500) / 1_000),
        _ => format!("{} min", (ms + 30_000) / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_unit_is_refused() {
        assert_eq!(parse("30"), Err(Error::NoUnit));
        assert_eq!(parse("0"), Err(Error::NoUnit));
        assert_eq!(parse("soon"), Err(Error::Malformed));
        assert_eq!(parse(""), Err(Error::Malformed));
        assert_eq!(parse("-5s"), Err(Error::Malformed));
    }

    #[test]
    fn written_durations_are_read_again() {
        for text in ["30s", "1500ms", "0s", "600s"] {
            assert_eq!(parse(text).map(write).as_deref(), Ok(text));
        }
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn measured_times_are_short() {
        let of = |ms| brief(Duration::from_millis(ms));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(999), "999 ms");
        assert_eq!(of(1_240), "1.2 s");
        assert_eq!(of(9_949), "9.9 s");
        assert_eq!(of(9_960), "10 s");
        assert_eq!(of(119_999), "120 s");
        assert_eq!(of(150_000), "3 min");
    }
}
