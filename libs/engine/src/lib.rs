//! Use cases as pure functions and state machines over `(state, event, now)`.
//!
//! What a validation's legs find together (`plan`, `join`, `across`, `verdict`); what
//! gateways decide about jobs (`submit`, `grouping`, `share`, `dispatch`, `collect`,
//! `sweep`, `batch`, `witness`); what workers decide about shards and legs (`ownership`, `fence`, `takeover`,
//! `own`, put together in `worker`). No I/O, no clock, no tokio: everything comes in as a
//! value. The same code decides in one process, in a fleet, and in the simulation that
//! tries to break it.

pub mod across;
pub mod batch;
pub mod budget;
pub mod collect;
pub mod dispatch;
pub mod fence;
#[cfg(test)]
mod fixtures;
pub mod grouping;
pub mod join;
pub mod own;
pub mod ownership;
pub mod plan;
pub mod rules;
pub mod share;
pub mod submit;
pub mod sweep;
pub mod takeover;
pub mod time;
pub mod verdict;
pub mod witness;
pub mod worker;

pub use join::{Job, join};
pub use plan::{ARRIVAL_OVERHEAD, Arrival, Legs, arrival, arrival_leg, legs};
pub use rules::Rules;
pub use share::Shares;
pub use time::Monotonic;
pub use verdict::{order, summary, verdict};
