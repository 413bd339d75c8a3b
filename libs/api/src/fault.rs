//! Faults on the wire.
//!
//! A fault of a newer gateway is never dropped: what this build does not know becomes the
//! value that promises least.

use std::time::Duration;

use mailfleet_model::fault::Retry;
use mailfleet_model::{Actor, Confidence, Fault, Leg, Phase, Severity};

use crate::enums;
use crate::v1::fault::Retry as WireRetry;
use crate::{code, evidence, v1, when};

/// To the wire. The remedy is left unset: texts are not this crate's.
pub(crate) fn to_wire(fault: &Fault) -> v1::Fault {
    let (retry, delay, longest) = retry_to_wire(fault.retry);
    v1::Fault {
        code: enums::number(fault.code),
        leg: enums::number(fault.leg),
        phase: enums::number(fault.phase),
        severity: enums::number(fault.severity),
        confidence: enums::number(fault.confidence),
        actor: enums::number(fault.actor),
        retry: retry.into(),
        retry_delay: delay.map(when::duration),
        max_retry_delay: longest.map(when::duration),
        alternatives: fault.alternatives.iter().map(|code| enums::number(*code)).collect(),
        evidence: Some(evidence::to_wire(&fault.evidence)),
        remedy: None,
    }
}

/// From the wire.
pub(crate) fn from_wire(fault: v1::Fault) -> Fault {
    Fault {
        code: code::from_wire(fault.code),
        leg: enums::known(fault.leg).unwrap_or(Leg::System),
        phase: enums::known(fault.phase).unwrap_or(Phase::Input),
        severity: enums::known(fault.severity).unwrap_or(Severity::Blocking),
        confidence: enums::known(fault.confidence).unwrap_or(Confidence::Ambiguous),
        actor: enums::known(fault.actor).unwrap_or(Actor::Us),
        retry: retry_from_wire(fault.retry, fault.retry_delay, fault.max_retry_delay),
        alternatives: fault.alternatives.into_iter().map(code::from_wire).collect(),
        evidence: fault.evidence.map(evidence::from_wire).unwrap_or_default(),
    }
}

/// Class, shortest and longest pause of a retry.
pub(crate) fn retry_to_wire(retry: Retry) -> (WireRetry, Option<Duration>, Option<Duration>) {
    match retry {
        Retry::Never => (WireRetry::Never, None, None),
        Retry::AfterFix => (WireRetry::AfterFix, None, None),
        Retry::Backoff { min, max } => (WireRetry::Backoff, Some(min), Some(max)),
        Retry::ServerHint(wait) => (WireRetry::ServerHint, Some(wait), None),
    }
}

/// A retry from its class and pauses; a class that this build does not know is the one
/// that promises least.
pub(crate) fn retry_from_wire(
    class: i32,
    delay: Option<prost_types::Duration>,
    longest: Option<prost_types::Duration>,
) -> Retry {
    let delay = delay.and_then(when::to_duration).unwrap_or_default();
    match WireRetry::try_from(class) {
        Ok(WireRetry::Never) => Retry::Never,
        Ok(WireRetry::AfterFix | WireRetry::Unspecified) | Err(_) => Retry::AfterFix,
        Ok(WireRetry::Backoff) => {
            let longest = longest.and_then(when::to_duration).unwrap_or_default();
            Retry::Backoff { min: delay, max: longest.max(delay) }
        }
        Ok(WireRetry::ServerHint) => Retry::ServerHint(delay),
    }
}
