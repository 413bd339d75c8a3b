//! Payloads: what stands in the store's rows and travels over the broker, both ways.
//!
//! Apart from the public messages because both ends are ours: a worker of another version
//! must read them, and nobody else does. What cannot be read is an error here and never a
//! guess, since a leg that was misunderstood would log in somewhere. Credentials are
//! sealed bytes in here and are neither opened nor looked into.

mod job;
mod leg;
mod plan;
mod result;

use mailfleet_model::Report;
use mailfleet_model::fleet::Payload;
use prost::Message;

use crate::v1;

pub use job::{outline, outline_payload};
pub use leg::{LegOrder, Pair};
pub use result::{held_by, leg_result, leg_result_payload, note_delay};

/// Why a payload makes no sense to this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payload's field {field} is missing or unreadable")]
pub struct Error {
    /// The field, in the names of the proto file; `payload` if nothing can be read at all.
    pub field: &'static str,
}

/// Makes the error for one field.
fn unreadable(field: &'static str) -> Error {
    Error { field }
}

/// Reads a message out of a payload.
fn decode<M: Message + Default>(payload: &Payload) -> Result<M, Error> {
    M::decode(payload.0.as_slice()).map_err(|_| unreadable("payload"))
}

/// The final report as the job's row keeps it.
#[must_use]
pub fn report_payload(report: &Report) -> Payload {
    Payload(v1::Report::from(report).encode_to_vec())
}

/// The final report out of a job's row.
///
/// # Errors
/// If the bytes are no report.
pub fn report(payload: &Payload) -> Result<v1::Report, Error> {
    decode(payload)
}

#[cfg(test)]
mod tests;
