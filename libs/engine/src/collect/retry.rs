//! Whether a leg is tried again, and when.

use std::time::Duration;

use mailfleet_model::fleet::{Attempt, JobView, LegRecord, LegSummary};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, Retry};

use crate::rules::CollectRules;

/// Another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// How long to wait.
    pub(super) after: Duration,
    /// Failures so far, this one included if it counts.
    pub(super) attempt: Attempt,
}

/// Whether another try could end better, by the nature of the report alone. It cannot if
/// nothing temporary is in the way, a password was refused for good, or a test mail may be
/// on its way.
pub(super) fn may_help(summary: &LegSummary) -> bool {
    summary.code.is_some()
        && summary.retry.is_some_and(Retry::is_temporary)
        && summary.login != LoginOutcome::RefusedDefinitively
        && !matches!(summary.submission, Submission::Accepted | Submission::Unknown)
}

/// The next try; `None` if the report stands: another one cannot help, the tries are used
/// up, or the deadline would pass first.
pub(super) fn next(
    summary: &LegSummary,
    leg: &LegRecord,
    view: &JobView,
    rules: &CollectRules,
) -> Option<Next> {
    let (code, retry) = (summary.code?, summary.retry?);
    if !may_help(summary) {
        return None;
    }
    let attempt = if is_push_back(code) { leg.attempt } else { leg.attempt.next() };
    if rules.attempts <= attempt.0 {
        return None;
    }
    let after = match retry {
        Retry::Never | Retry::AfterFix => return None,
        Retry::ServerHint(pause) => pause,
        Retry::Backoff { min, max } => back_off(min, max, leg),
    };
    // A try that begins too late is worth less than the report that is there.
    let ends = view.now.plus(after).plus(rules.kept);
    (ends < view.job.deadline).then_some(Next { after, attempt })
}

/// Whether the server asks us to come later: no failure of the mailbox, so no try is
/// burnt; the deadline ends it.
fn is_push_back(code: FaultCode) -> bool {
    matches!(
        code,
        FaultCode::TooManyConnections
            | FaultCode::ServerThrottled
            | FaultCode::Greylisted
            | FaultCode::LoginRateLimited
            | FaultCode::LoginDelay
            | FaultCode::CapacityLimit
    )
}

/// Doubles with every failure, up to `max`, and spreads by up to a quarter so that legs
/// that failed together do not come back together. The spread follows from the leg, so
/// that a repeated decision is the same.
fn back_off(min: Duration, max: Duration, leg: &LegRecord) -> Duration {
    let doubled = min.saturating_mul(1_u32 << leg.attempt.0.min(16)).min(max);
    let [.., a, b] = leg.id.job.0.as_u128().wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let spread = u32::from(u16::from_be_bytes([a, b])) ^ leg.dispatch.0.wrapping_mul(0x2545);
    doubled + doubled / 4 * (spread % 1_000) / 1_000
}
