//! Spans: started, given their facts and ended by hand, and sent to a collector if there is one.
//!
//! Nothing becomes a span or an attribute by itself: what a log line holds does not get into a
//! trace. Without a collector nothing is built, and contexts only pass through, so that a
//! caller's trace goes on behind us and every answer has an id to ask for.

mod context;
mod ids;
mod span;

use std::sync::OnceLock;

use opentelemetry_sdk::trace::SdkTracer;

pub use context::Context;
pub use ids::sampled_root;
pub use span::{Facts, Kind, Span};

pub(crate) use ids::Ids;

/// What makes spans in this process.
#[derive(Debug)]
pub(crate) struct Tracing {
    pub(crate) tracer: SdkTracer,
    /// The share of new traces that is sent.
    pub(crate) ratio: f64,
}

static TRACING: OnceLock<Tracing> = OnceLock::new();

/// Turns spans on for the process; once.
pub(crate) fn turn_on(tracing: Tracing) {
    // A second one would have been refused with its subscriber before.
    let _ = TRACING.set(tracing);
}

pub(crate) fn tracing() -> Option<&'static Tracing> {
    TRACING.get()
}
