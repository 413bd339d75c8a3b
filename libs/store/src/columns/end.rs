//! How a leg ended: six columns, all empty before the first end.

use std::time::Duration;

use mailfleet_model::Retry;
use mailfleet_model::fleet::{LegEnd, LegSummary, Payload};
use mailfleet_model::leg::{LoginOutcome, Submission};

use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// The values of `end_code`, `end_retry`, `end_retry_min`, `end_retry_max`, `end_login`,
/// `end_submission` and `end_report`.
pub(crate) fn values(end: Option<&LegEnd>) -> [Value<'_>; 7] {
    let Some(LegEnd { summary, report }) = end else { return [Value::Null; 7] };
    let (retry, min, max) = match summary.retry {
        None => (Value::Null, None, None),
        Some(Retry::Never) => (Value::Text("NEVER"), None, None),
        Some(Retry::AfterFix) => (Value::Text("AFTER_FIX"), None, None),
        Some(Retry::Backoff { min, max }) => (Value::Text("BACKOFF"), Some(min), Some(max)),
        Some(Retry::ServerHint(pause)) => (Value::Text("SERVER_HINT"), Some(pause), None),
    };
    [
        Value::maybe(summary.code, |code| Value::Text(code.into())),
        retry,
        Value::maybe(min, Value::span),
        Value::maybe(max, Value::span),
        Value::Text(login(summary.login)),
        Value::Text(submission(summary.submission)),
        Value::Bytes(&report.0),
    ]
}

/// Reads the same columns in the same order.
pub(crate) fn read(row: &mut Row) -> Result<Option<LegEnd>, Trouble> {
    let code = row.maybe_name("end_code")?;
    let retry = retry(
        row.maybe_text("end_retry")?,
        row.maybe_span("end_retry_min")?,
        row.maybe_span("end_retry_max")?,
    )?;
    let login = row.maybe_text("end_login")?;
    let submission = row.maybe_text("end_submission")?;
    let report = row.maybe_bytes("end_report")?;
    match (login, submission, report) {
        (None, None, None) => Ok(None),
        (Some(login), Some(submission), Some(report)) => {
            let (login, submission) = (read_login(&login)?, read_submission(&submission)?);
            let summary = LegSummary { code, retry, login, submission };
            Ok(Some(LegEnd { summary, report: Payload(report) }))
        }
        _ => Err(Trouble::corrupt("a leg holds half an end")),
    }
}

fn retry(
    name: Option<String>,
    min: Option<Duration>,
    max: Option<Duration>,
) -> Result<Option<Retry>, Trouble> {
    Ok(Some(match (name.as_deref(), min, max) {
        (None, None, None) => return Ok(None),
        (Some("NEVER"), None, None) => Retry::Never,
        (Some("AFTER_FIX"), None, None) => Retry::AfterFix,
        (Some("BACKOFF"), Some(min), Some(max)) => Retry::Backoff { min, max },
        (Some("SERVER_HINT"), Some(pause), None) => Retry::ServerHint(pause),
        _ => return Err(Trouble::corrupt("end_retry holds no class that is known")),
    }))
}

/// What came of a login, as the columns have it.
pub(crate) fn login(login: LoginOutcome) -> &'static str {
    match login {
        LoginOutcome::NotTried => "NOT_TRIED",
        LoginOutcome::Accepted => "ACCEPTED",
        LoginOutcome::RefusedDefinitively => "REFUSED_DEFINITIVELY",
        LoginOutcome::RefusedAmbiguously => "REFUSED_AMBIGUOUSLY",
        LoginOutcome::Undecided => "UNDECIDED",
    }
}

fn read_login(text: &str) -> Result<LoginOutcome, Trouble> {
    use LoginOutcome as L;
    let all =
        [L::NotTried, L::Accepted, L::RefusedDefinitively, L::RefusedAmbiguously, L::Undecided];
    let found = all.into_iter().find(|outcome| login(*outcome) == text);
    found.ok_or_else(|| Trouble::corrupt("end_login holds an unknown name"))
}

fn submission(submission: Submission) -> &'static str {
    match submission {
        Submission::NotSent => "NOT_SENT",
        Submission::Accepted => "ACCEPTED",
        Submission::Refused => "REFUSED",
        Submission::Unknown => "UNKNOWN",
    }
}

fn read_submission(text: &str) -> Result<Submission, Trouble> {
    use Submission as S;
    let all = [S::NotSent, S::Accepted, S::Refused, S::Unknown];
    let found = all.into_iter().find(|outcome| submission(*outcome) == text);
    found.ok_or_else(|| Trouble::corrupt("end_submission holds an unknown name"))
}
