//! The caller's deadline, and what it leaves for the work.
//!
//! The transport cuts off a late first answer but not a late stream, so the header is read
//! here. Format: gRPC over HTTP/2, "Requests", `Timeout`.

use std::time::Duration;

use mailfleet_model::Validation;
use mailfleet_model::validation::ARRIVAL_TIMEOUT_RANGE;

/// Part of the caller's time that is kept for logging out and for the report's way back.
const RESERVE: u32 = 5;
/// The most that is kept. Logging out is bounded to a second.
const MAX_RESERVE: Duration = Duration::from_millis(1_500);

/// Reads the header `grpc-timeout`; `None` for what is not of its form.
pub(crate) fn parse(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Shortens a validation so that its report reaches the caller in time: the budget first,
/// then what is left of the time for looking for the test mail.
pub(crate) fn shorten(validation: &mut Validation, callers: Duration) {
    let usable = callers.saturating_sub(reserve(callers));
    validation.budget = validation.budget.min(usable);
    let rest = usable.saturating_sub(validation.budget).max(*ARRIVAL_TIMEOUT_RANGE.start());
    validation.arrival_timeout = validation.arrival_timeout.min(rest);
}

/// By when the report must stand, so that it reaches the caller in time: later than the legs
/// end, sooner than the call does.
pub(crate) fn report_within(callers: Duration) -> Duration {
    callers.saturating_sub(reserve(callers) / 2)
}

fn reserve(callers: Duration) -> Duration {
    (callers / RESERVE).min(MAX_RESERVE)
}

#[cfg(test)]
mod tests {
    use mailfleet_model::TestMail;
    use mailfleet_model::tls::TlsPolicy;

    use super::*;

    #[track_caller]
    fn check(header: &str, expect: Option<Duration>) {
        assert_eq!(parse(header), expect, "{header:?}");
    }

    #[test]
    fn every_unit_is_understood() {
        check("2H", Some(Duration::from_secs(7_200)));
        check("3M", Some(Duration::from_secs(180)));
        check("99999999S", Some(Duration::from_secs(99_999_999)));
        check("1500m", Some(Duration::from_millis(1_500)));
        check("7u", Some(Duration::from_micros(7)));
        check("0n", Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_is_no_deadline() {
        for header in ["", "S", "10", "123456789S", "-1S", "+1S", "1 S", "1s", "5秒"] {
            check(header, None);
        }
    }

    /// Budget and time to look, of a validation that asked for 60 s and 120 s.
    #[track_caller]
    fn check_shortened(callers_ms: u64, budget_ms: u64, look_ms: u64) {
        let mut validation = Validation {
            mailbox: "user@example.test".parse().expect("an address"),
            incoming: Vec::new(),
            outgoing: None,
            test_mail: TestMail::Envelope,
            tls: TlsPolicy::default(),
            budget: Duration::from_secs(60),
            arrival_timeout: Duration::from_secs(120),
        };
        shorten(&mut validation, Duration::from_millis(callers_ms));
        let shortened = (validation.budget, validation.arrival_timeout);
        assert_eq!(
            shortened,
            (Duration::from_millis(budget_ms), Duration::from_millis(look_ms)),
            "{callers_ms} ms"
        );
    }

    #[test]
    fn the_callers_deadline_leaves_time_for_the_answer() {
        check_shortened(600_000, 60_000, 120_000);
        check_shortened(100_000, 60_000, 38_500);
        check_shortened(31_500, 30_000, 1_000);
        check_shortened(5_000, 4_000, 1_000);
        check_shortened(0, 0, 1_000);
    }

    #[test]
    fn the_report_stands_after_the_legs_and_before_the_callers_deadline() {
        let within = |ms| report_within(Duration::from_millis(ms)).as_millis();
        assert_eq!([within(31_500), within(3_000), within(0)], [30_750, 2_700, 0]);
    }
}
