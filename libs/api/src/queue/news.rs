//! Workers' news about legs.

use mailfleet_model::fleet::{
    Dispatch, LegEnd, LegSummary, Outcome, Payload, ReturnReason, Returned, WorkerMessage,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use prost::Message;

use super::leg::printable;
use super::{Read, Unreadable, VERSION, decode, key, leg_id, name, to_leg_id};
use crate::generated::queue::v1 as wire;
use crate::{code, enums, fault, when};

/// News, to bytes.
#[must_use]
pub fn news_to_bytes(message: &WorkerMessage) -> Vec<u8> {
    let outcome = match &message.outcome {
        Outcome::Ended(end) => wire::news::Outcome::Ended(ended(end)),
        Outcome::Returned(back) => wire::news::Outcome::Returned(returned(back)),
        Outcome::MayStart { redelivered } => {
            wire::news::Outcome::MayStart(wire::MayStart { redelivered: *redelivered })
        }
    };
    let news = wire::News {
        version: VERSION,
        worker: message.worker.to_string(),
        leg: Some(leg_id(message.leg)),
        dispatch: message.dispatch.0,
        outcome: Some(outcome),
    };
    news.encode_to_vec()
}

/// News, from bytes and the header that came with them.
pub fn news_from_bytes(
    bytes: &[u8],
    traceparent: Option<&[u8]>,
) -> Result<Read<WorkerMessage>, Unreadable> {
    let news: wire::News = decode(bytes)?;
    if news.version > VERSION {
        return Ok(Read::UnknownKind);
    }
    let outcome = match news.outcome {
        Some(wire::news::Outcome::Ended(end)) => Some(Outcome::Ended(to_ended(end))),
        Some(wire::news::Outcome::Returned(back)) => to_returned(back)?.map(Outcome::Returned),
        Some(wire::news::Outcome::MayStart(wire::MayStart { redelivered })) => {
            Some(Outcome::MayStart { redelivered })
        }
        None => None,
    };
    let Some(outcome) = outcome else { return Ok(Read::UnknownKind) };
    Ok(Read::Known(WorkerMessage {
        worker: name(&news.worker, "the worker's name")?,
        leg: to_leg_id(news.leg)?,
        dispatch: Dispatch(news.dispatch),
        outcome,
        traceparent: traceparent.and_then(printable),
    }))
}

fn ended(end: &LegEnd) -> wire::Ended {
    let LegSummary { code, retry, login, submission } = end.summary;
    wire::Ended {
        code: code.map_or(0, enums::number),
        retry: retry.map(|retry| {
            let (class, delay, max_delay) = fault::retry_to_wire(retry);
            wire::Retry {
                class: class.into(),
                delay: delay.map(when::duration),
                max_delay: max_delay.map(when::duration),
            }
        }),
        login: enums::number(login),
        submission: enums::number(submission),
        report: end.report.0.clone(),
    }
}

/// Lists that a newer worker has made longer are read as what is safe to act upon: a login
/// that may have been refused, and a mail that may have been sent.
fn to_ended(end: wire::Ended) -> LegEnd {
    let retry =
        |retry: wire::Retry| fault::retry_from_wire(retry.class, retry.delay, retry.max_delay);
    let summary = LegSummary {
        code: code::from_wire_if_set(end.code),
        retry: end.retry.map(retry),
        login: enums::known(end.login).unwrap_or(LoginOutcome::Undecided),
        submission: enums::known(end.submission).unwrap_or(Submission::Unknown),
    };
    LegEnd { summary, report: Payload(end.report) }
}

fn returned(back: &Returned) -> wire::Returned {
    use wire::returned::Reason;
    let mut regroup_key = String::new();
    let reason = match &back.reason {
        ReturnReason::Redelivered => Reason::Redelivered,
        ReturnReason::Breaker => Reason::Breaker,
        ReturnReason::Paused => Reason::Paused,
        ReturnReason::Rate => Reason::Rate,
        ReturnReason::Busy => Reason::Busy,
        ReturnReason::Refused => Reason::Refused,
        ReturnReason::Unanswered => Reason::Unanswered,
        ReturnReason::UnknownKind => Reason::UnknownKind,
        ReturnReason::Draining => Reason::Draining,
        ReturnReason::Regroup(key) => {
            regroup_key = key.to_string();
            Reason::Regroup
        }
    };
    wire::Returned { reason: reason.into(), after: Some(when::duration(back.after)), regroup_key }
}

/// `None` for a reason that this build does not know.
fn to_returned(back: wire::Returned) -> Result<Option<Returned>, Unreadable> {
    use wire::returned::Reason;
    let reason = match Reason::try_from(back.reason) {
        Ok(Reason::Redelivered) => ReturnReason::Redelivered,
        Ok(Reason::Breaker) => ReturnReason::Breaker,
        Ok(Reason::Paused) => ReturnReason::Paused,
        Ok(Reason::Rate) => ReturnReason::Rate,
        Ok(Reason::Busy) => ReturnReason::Busy,
        Ok(Reason::Refused) => ReturnReason::Refused,
        Ok(Reason::Unanswered) => ReturnReason::Unanswered,
        Ok(Reason::UnknownKind) => ReturnReason::UnknownKind,
        Ok(Reason::Draining) => ReturnReason::Draining,
        Ok(Reason::Regroup) => ReturnReason::Regroup(key(back.regroup_key)?),
        Ok(Reason::Unspecified) | Err(_) => return Ok(None),
    };
    let after = back.after.and_then(when::to_duration);
    let after = after.ok_or(Unreadable { what: "the pause of a return" })?;
    Ok(Some(Returned { reason, after }))
}
