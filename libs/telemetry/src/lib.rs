//! Logs, traces and the panic hook, set up once by the binary.
//!
//! Apart so that nobody else chooses where diagnostics go, and so that the rule about them
//! holds in one place: what a mail server said and what was said to it never gets into a
//! log, whatever level is asked for. [`metrics`] names every instrument of the project.

mod chain;
mod export;
mod filter;
mod json;
mod messaging;
pub mod metrics;
mod panic;
mod setup;
pub mod spans;
pub mod trace;

pub use chain::{Chain, chain};
pub use messaging::set_system;
pub use setup::{Config, Error, Format, Guard, Service, init};
