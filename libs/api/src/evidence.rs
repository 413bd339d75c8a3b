//! Evidence on the wire. What this build cannot read is left out.

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::{Evidence, Fact};

use crate::enums;
use crate::when;
use crate::{leg, v1};

/// To the wire.
pub(crate) fn to_wire(evidence: &Evidence) -> v1::Evidence {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    v1::Evidence {
        server_text: text(&evidence.server_text),
        response_code: text(&evidence.response_code),
        smtp_code: evidence.smtp_code.map(u32::from),
        enhanced_code: text(&evidence.enhanced_code),
        command: text(&evidence.command),
        mechanism: text(&evidence.mechanism),
        tls_alert: evidence.tls_alert.map(u32::from),
        attempts: evidence.attempts.iter().map(attempt_to_wire).collect(),
        facts: evidence.facts.iter().map(fact_to_wire).collect(),
    }
}

/// From the wire.
pub(crate) fn from_wire(evidence: v1::Evidence) -> Evidence {
    Evidence {
        server_text: leg::some_text(evidence.server_text),
        response_code: leg::some_text(evidence.response_code),
        smtp_code: evidence.smtp_code.and_then(|code| u16::try_from(code).ok()),
        enhanced_code: leg::some_text(evidence.enhanced_code),
        command: leg::some_text(evidence.command),
        mechanism: leg::some_text(evidence.mechanism),
        tls_alert: evidence.tls_alert.and_then(|alert| u8::try_from(alert).ok()),
        attempts: evidence.attempts.into_iter().filter_map(attempt_from_wire).collect(),
        facts: evidence.facts.into_iter().filter_map(fact_from_wire).collect(),
    }
}

fn attempt_to_wire(attempt: &AddressAttempt) -> v1::AddressAttempt {
    v1::AddressAttempt {
        address: attempt.address.to_string(),
        outcome: attempt.outcome.clone(),
        elapsed: Some(when::duration(attempt.elapsed)),
    }
}

fn attempt_from_wire(attempt: v1::AddressAttempt) -> Option<AddressAttempt> {
    Some(AddressAttempt {
        address: attempt.address.parse().ok()?,
        outcome: attempt.outcome,
        elapsed: when::to_duration(attempt.elapsed?)?,
    })
}

fn fact_to_wire(fact: &Fact) -> v1::Fact {
    v1::Fact { kind: enums::number(fact.kind), value: fact.value.clone() }
}

fn fact_from_wire(fact: v1::Fact) -> Option<Fact> {
    Some(Fact { kind: enums::known(fact.kind)?, value: fact.value })
}
