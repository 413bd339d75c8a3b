//! Identifiers, each in a type of its own.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Identifies a job; time-ordered (UUIDv7) when made by the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub Uuid);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// W3C trace id: 16 bytes, shown as 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<JobId> for TraceId {
    /// The id for a job that nobody traces: its own, so that the report and the logs of
    /// the job can still be brought together.
    fn from(job: JobId) -> Self {
        Self(job.0.into_bytes())
    }
}

/// A text is not a trace id: 32 hex digits, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 32 hexadecimal digits with one that is not zero")]
pub struct InvalidTraceId;

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    fn from_str(text: &str) -> Result<Self, InvalidTraceId> {
        // The integer parser would take a sign.
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).map_err(|_| InvalidTraceId)?;
        (is_hex && number != 0).then(|| Self(number.to_be_bytes())).ok_or(InvalidTraceId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_read_back_what_they_show() {
        let id = TraceId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_not_a_trace_id_is_refused() {
        for text in ["", "ab", &"0".repeat(32), &"g".repeat(32), &format!("+{}", "a".repeat(31))] {
            assert_eq!(text.parse::<TraceId>(), Err(InvalidTraceId), "{text:?}");
        }
    }
}
