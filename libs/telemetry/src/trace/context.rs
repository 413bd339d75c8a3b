//! A place in a trace, as it travels: W3C `traceparent`, version 00.

use std::fmt;
use std::str::FromStr;

use mailfleet_model::TraceId;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

/// Characters of a `traceparent` of version 00 (W3C Trace Context, section 3.2).
const LENGTH: usize = 55;

/// The trace, the span that is the parent of what comes, and whether the trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    trace: opentelemetry::TraceId,
    span: SpanId,
    sampled: bool,
}

/// The text is no `traceparent` that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a traceparent")]
pub struct InvalidTraceparent;

impl Context {
    pub(super) fn new(trace: opentelemetry::TraceId, span: SpanId, sampled: bool) -> Self {
        Self { trace, span, sampled }
    }

    pub(super) fn of(context: &SpanContext) -> Self {
        Self::new(context.trace_id(), context.span_id(), context.is_sampled())
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(self) -> TraceId {
        TraceId(self.trace.to_bytes())
    }

    /// The span, as collectors write it.
    #[must_use]
    pub fn span_id(self) -> String {
        self.span.to_string()
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    pub(super) fn ids(self) -> (opentelemetry::TraceId, SpanId) {
        (self.trace, self.span)
    }

    /// As a parent that is elsewhere.
    pub(super) fn to_remote(self) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.sampled);
        SpanContext::new(self.trace, self.span, flags, true, TraceState::NONE)
    }
}

/// The `traceparent`.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for Context {
    type Err = InvalidTraceparent;

    /// Later versions are read as far as they are version 00, as the specification wants it.
    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        let read = || {
            let lower =
                |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            let mut parts = text.split('-');
            let (version, trace, span, flags) =
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let known = version.len() == 2 && version != "ff" && lower(version);
            let whole = version != "00" || text.len() == LENGTH;
            let long = (trace.len(), span.len(), flags.len()) == (32, 16, 2);
            if !known || !whole || !long || ![trace, span, flags].into_iter().all(lower) {
                return None;
            }
            let trace = opentelemetry::TraceId::from_hex(trace).ok()?;
            let span = SpanId::from_hex(span).ok()?;
            let valid = trace != opentelemetry::TraceId::INVALID && span != SpanId::INVALID;
            let flags = u8::from_str_radix(flags, 16).ok()?;
            valid.then(|| Self::new(trace, span, flags & 1 == 1))
        };
        read().ok_or(InvalidTraceparent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_reads_back_what_it_shows() {
        let context: Context = PARENT.parse().expect("it is valid");
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id(), "b7ad6b7169203331");
        assert!(context.is_sampled());
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let no_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let upper = "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01";
        let longer = format!("{PARENT}-extra");
        let last = PARENT.replacen("00", "ff", 1);
        for text in ["", "00-zz", zero, no_span, upper, &longer, &last, &PARENT[..54]] {
            assert_eq!(text.parse::<Context>(), Err(InvalidTraceparent), "{text:?}");
        }
        let later = longer.replacen("00", "01", 1);
        assert!(later.parse::<Context>().is_ok(), "a later version may have more");
    }
}
