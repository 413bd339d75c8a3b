//! Use cases as pure functions: what legs a validation has, what follows from their
//! reports, and the verdict.
//!
//! No I/O, no clock, no tokio: everything comes in as a value. The same code decides in
//! one process and in a fleet.

pub mod across;
pub mod join;
pub mod plan;
pub mod verdict;

pub use join::{Job, join};
pub use plan::{Arrival, Legs, arrival, legs};
pub use verdict::{order, verdict};
