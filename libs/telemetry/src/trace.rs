//! Trace ids: taken over from the caller, or made here, and shown to whoever asks.

use mailfleet_model::TraceId;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The two headers of W3C Trace Context.
const HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// Makes the span a part of the caller's trace, if the caller sent a valid `traceparent`
/// (W3C Trace Context), and returns the id under which the work can be followed.
///
/// `header` gives the value of a header by its lower-case name. Must be called before the
/// span is entered. `None` if the caller sent none and no subscriber of [`crate::init`] is
/// there to make one.
pub fn continue_trace<'a>(
    span: &Span,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Option<TraceId> {
    let carrier = Carrier(HEADERS.map(header));
    let parent = TraceContextPropagator::new().extract(&carrier);
    let callers = id(parent.span().span_context());
    if callers.is_some() {
        // Fails only for a span that nobody records; the caller's id is then still right.
        let _ = span.set_parent(parent);
    }
    trace_id(span).or(callers)
}

/// The trace that a span belongs to; `None` if nobody records it.
#[must_use]
pub fn trace_id(span: &Span) -> Option<TraceId> {
    id(span.context().span().span_context())
}

/// The span as a W3C `traceparent`, for work that goes on elsewhere; `None` if nobody records
/// the span.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    let (trace, parent, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
    context.is_valid().then(|| format!("00-{trace}-{parent}-{:02x}", flags.to_u8()))
}

fn id(context: &opentelemetry::trace::SpanContext) -> Option<TraceId> {
    context.is_valid().then(|| TraceId(context.trace_id().to_bytes()))
}

struct Carrier<'a>([Option<&'a str>; 2]);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let index = HEADERS.iter().position(|name| *name == key)?;
        self.0.get(index).copied().flatten()
    }

    fn keys(&self) -> Vec<&str> {
        HEADERS.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn header(value: &'static str) -> impl Fn(&str) -> Option<&'static str> {
        move |name| (name == "traceparent").then_some(value)
    }

    fn traced<T>(test: impl FnOnce() -> T) -> T {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), test)
    }

    #[test]
    fn a_callers_trace_goes_on() {
        traced(|| {
            let span = tracing::info_span!("work");
            let id = continue_trace(&span, header(PARENT)).map(|id| id.to_string());
            assert_eq!(id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
            let inner = span.in_scope(|| tracing::info_span!("part"));
            assert_eq!(trace_id(&inner), trace_id(&span));
            let goes_on = traceparent(&inner).expect("it is recorded");
            assert!(goes_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{goes_on}");
            assert!(goes_on.ends_with("-01") && goes_on.len() == PARENT.len(), "{goes_on}");
            assert_ne!(goes_on, PARENT, "the span is the parent now");
        });
    }

    #[test]
    fn a_trace_begins_where_the_caller_sent_none_or_nonsense() {
        traced(|| {
            let mut seen = Vec::new();
            for value in ["", "00-zz", "00-00000000000000000000000000000000-0000000000000000-01"] {
                let span = tracing::info_span!("work");
                let id = continue_trace(&span, header(value));
                assert!(id.is_some() && !seen.contains(&id), "{value:?}");
                seen.push(id);
            }
        });
    }

    #[test]
    fn without_a_subscriber_the_callers_id_is_still_known() {
        let span = tracing::info_span!("work");
        let id = continue_trace(&span, header(PARENT)).map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(continue_trace(&tracing::info_span!("work"), |_| None), None);
        assert_eq!(traceparent(&span), None);
    }
}
