//! Reports on the wire, both ways.
//!
//! The way back exists so that a report of a remote gateway is shown by the same code as one
//! made here. It is forgiving: what a newer gateway says and this build does not know is
//! shown as the value that promises least, or left out.

use mailfleet_model::{Report, SentCopy, Verdict};

use crate::{enums, fault, leg, suggestion, v1, when};

/// Why a message is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the report's field {field} is missing or unreadable")]
pub struct Error {
    /// The field, in the names of the proto file.
    pub field: &'static str,
}

impl From<&Report> for v1::Report {
    /// Remedies are left unset: whoever knows the reader's language fills them in.
    fn from(report: &Report) -> Self {
        Self {
            verdict: enums::number(report.verdict),
            mailbox: report.mailbox.to_string(),
            faults: report.faults.iter().map(fault::to_wire).collect(),
            legs: report.legs.iter().map(leg::to_wire).collect(),
            suggested_settings: report.suggestions.iter().map(suggestion::to_wire).collect(),
            sent_copy: enums::number(report.sent_copy),
            arrival: report.arrival.as_ref().map(leg::arrival_to_wire),
            egress_addresses: report.egress_addresses.iter().map(ToString::to_string).collect(),
            start_time: Some(when::timestamp(report.started)),
            elapsed: Some(when::duration(report.elapsed)),
            job_id: report.job_id.to_string(),
            trace_id: report.trace_id.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Report> for Report {
    type Error = Error;

    fn try_from(report: v1::Report) -> Result<Self, Error> {
        let unreadable = |field| move || Error { field };
        let started = report.start_time.and_then(when::to_system_time);
        let elapsed = report.elapsed.and_then(when::to_duration);
        let addresses = report.egress_addresses.iter();
        Ok(Self {
            job_id: report.job_id.parse().ok().ok_or_else(unreadable("job_id"))?,
            mailbox: report.mailbox.parse().ok().ok_or_else(unreadable("mailbox"))?,
            verdict: enums::known(report.verdict).unwrap_or(Verdict::Inconclusive),
            faults: report.faults.into_iter().map(fault::from_wire).collect(),
            legs: report.legs.into_iter().filter_map(leg::from_wire).collect(),
            suggestions: report
                .suggested_settings
                .into_iter()
                .filter_map(suggestion::from_wire)
                .collect(),
            sent_copy: enums::known(report.sent_copy).unwrap_or(SentCopy::Unknown),
            arrival: report.arrival.map(leg::arrival_from_wire),
            egress_addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
            started: started.ok_or_else(unreadable("start_time"))?,
            elapsed: elapsed.ok_or_else(unreadable("elapsed"))?,
            trace_id: report.trace_id.parse().ok(),
        })
    }
}

#[cfg(test)]
mod tests;
