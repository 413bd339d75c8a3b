//! What one leg found, whole: the report of a leg as workers send it and the store keeps it.

use std::time::Duration;

use mailfleet_model::LegReport;
use mailfleet_model::fleet::{Delay, Hold, Payload};
use prost::Message;

use super::{Error, decode, plan, unreadable};
use crate::generated::queue::v1 as wire;
use crate::{enums, fault, leg, suggestion, when};

/// The payload of a leg's result.
#[must_use]
pub fn leg_result_payload(report: &LegReport) -> Payload {
    let message = wire::LegResult {
        report: Some(leg::to_wire(report)),
        faults: report.faults.iter().map(fault::to_wire).collect(),
        suggestions: report.suggestions.iter().map(suggestion::to_wire).collect(),
        marks: Some(plan::marks_to_wire(&report.marks)),
        arrival: report.arrival.as_ref().map(leg::arrival_to_wire),
        held_by: 0,
        held_for: None,
    };
    Payload(message.encode_to_vec())
}

/// Adds what the leg mostly waited for before it started: its owner knows, and not who ran it.
pub fn note_delay(result: &mut Payload, delay: Delay) {
    let (held_by, held_for) = (enums::number(delay.by), Some(when::duration(delay.took)));
    // Messages are merged by writing one behind the other (protobuf, "Last One Wins").
    let note = wire::LegResult { held_by, held_for, ..wire::LegResult::default() };
    result.0.extend(note.encode_to_vec());
}

/// What the leg mostly waited for before it started, and for how long if its worker told that;
/// `None`: for nothing of the mail server's, or for what this build cannot name.
#[must_use]
pub fn held_by(result: &Payload) -> Option<(Hold, Option<Duration>)> {
    let result = decode::<wire::LegResult>(result).ok()?;
    Some((enums::known(result.held_by)?, result.held_for.and_then(when::to_duration)))
}

/// Reads the payload of a leg's result. Faults of a newer worker become `UNKNOWN`; nothing
/// is dropped but suggestions that this build cannot name.
///
/// # Errors
/// Names the field that this build cannot make sense of.
pub fn leg_result(payload: &Payload) -> Result<LegReport, Error> {
    let message: wire::LegResult = decode(payload)?;
    let report = message.report.and_then(leg::from_wire).ok_or(unreadable("report"))?;
    Ok(LegReport {
        faults: message.faults.into_iter().map(fault::from_wire).collect(),
        suggestions: message.suggestions.into_iter().filter_map(suggestion::from_wire).collect(),
        marks: plan::marks_from_wire(message.marks.unwrap_or_default())?,
        arrival: message.arrival.map(leg::arrival_from_wire),
        ..report
    })
}
