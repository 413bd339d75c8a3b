//! A picture of the whole fleet on the wire.

use std::time::{Duration, SystemTime};

use mailfleet_model::Violations;
use mailfleet_model::fleet::Recent;

use crate::enums::number;
use crate::{v1, when};

/// Shortest, usual and longest time to look back.
const WINDOW: (Duration, Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(15 * 60));

/// Reads how far to look back.
///
/// # Errors
/// One violation of the field `window`.
pub fn parse_window(asked: Option<prost_types::Duration>) -> Result<Duration, Violations> {
    let (shortest, usual, longest) = WINDOW;
    let Some(asked) = asked else { return Ok(usual) };
    let window = when::to_duration(asked).filter(|window| window.subsec_nanos() == 0);
    let window = window.filter(|window| (shortest..=longest).contains(window));
    let mut bad = Violations::default();
    bad.check("window", window.ok_or("is not from 1 s to 900 s, in whole seconds")).ok_or(bad)
}

/// What ended within a window, as a picture that holds nothing else yet.
#[must_use]
pub fn recent(recent: &Recent, window: Duration, now: SystemTime) -> v1::GetFleetSummaryResponse {
    use v1::get_fleet_summary_response::{Cause, Ended};
    let ended = recent.jobs.iter().map(|(state, verdict, jobs)| Ended {
        state: number(*state),
        verdict: verdict.map(number).unwrap_or_default(),
        jobs: *jobs,
    });
    let cause = |(code, legs): &(Option<_>, u64)| {
        code.map(|code| Cause { code: number(code), legs: *legs })
    };
    let jobs: u64 = recent.jobs.iter().map(|(_, _, jobs)| jobs).sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let ended_per_second = jobs as f64 / window.as_secs_f64();
    v1::GetFleetSummaryResponse {
        time: Some(when::timestamp(now)),
        window: Some(when::duration(window)),
        ended: ended.collect(),
        ended_per_second,
        causes: recent.codes.iter().filter_map(cause).collect(),
        open_jobs: recent.open,
        ..v1::GetFleetSummaryResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_seconds_up_to_a_quarter_of_an_hour() {
        let of = |seconds, nanos| parse_window(Some(prost_types::Duration { seconds, nanos })).ok();
        assert_eq!(parse_window(None).ok(), Some(Duration::from_secs(60)));
        assert_eq!(of(900, 0), Some(Duration::from_secs(900)));
        for (seconds, nanos) in [(0, 0), (901, 0), (-1, 0), (1, 500_000_000)] {
            assert_eq!(of(seconds, nanos), None, "{seconds}.{nanos}");
        }
    }
}
