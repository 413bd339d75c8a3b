//! Ids of traces and spans: by chance, or those that were promised before.
//!
//! The root span of a batch's item is named when the item begins, long before it can be written
//! down by whichever gateway sees it end.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::context::Context;
use super::tracing;

thread_local! {
    /// The ids of the one span that is being built.
    static PROMISED: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Makes ids.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        PROMISED.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        PROMISED.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

/// Builds the span of a context that was given away before.
pub(super) fn promised<T>(context: Context, build: impl FnOnce() -> T) -> T {
    PROMISED.set(Some(context.ids()));
    let built = build();
    PROMISED.set(None);
    built
}

/// The context of a trace that begins, whose first span is written down later: recorded as
/// often as the configuration says, never without a collector.
#[must_use]
pub fn sampled_root() -> Context {
    let ids = RandomIdGenerator::default();
    let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
    let sampled = tracing().is_some_and(|tracing| is_chosen(trace, tracing.ratio));
    Context::new(trace, span, sampled)
}

/// The choice that the SDK's ratio sampler makes, so that all processes agree.
pub(super) fn is_chosen(trace: TraceId, ratio: f64) -> bool {
    if 1.0 <= ratio {
        return true;
    }
    let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
    #[expect(clippy::cast_precision_loss, reason = "a ratio has fewer digits than are lost")]
    let share = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1) as f64 / (1_u64 << 63) as f64;
    share < ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_wanted_share_is_chosen() {
        let ids = RandomIdGenerator::default();
        let chosen = (0..10_000).filter(|_| is_chosen(ids.new_trace_id(), 0.25)).count();
        assert!((2_000..3_000).contains(&chosen), "{chosen}");
        assert!(!is_chosen(ids.new_trace_id(), 0.0) && is_chosen(ids.new_trace_id(), 1.0));
    }

    #[test]
    fn without_a_collector_nothing_is_chosen_and_every_root_is_another() {
        let (first, second) = (sampled_root(), sampled_root());
        assert!(!first.is_sampled());
        assert_ne!(first.trace_id(), second.trace_id());
    }
}
