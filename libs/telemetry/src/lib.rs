//! Logs, traces and the panic hook, set up once by the binary.
//!
//! Apart so that nobody else chooses where diagnostics go, and so that the rule about them
//! holds in one place: what a mail server said and what was said to it never gets into a
//! log, whatever level is asked for. Metrics are not here.

mod chain;
mod filter;
mod panic;
mod setup;
mod trace;

pub use chain::{Chain, chain};
pub use setup::{Config, Error, Format, Guard, init};
pub use trace::{continue_trace, trace_id, traceparent};
