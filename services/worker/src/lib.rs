//! The worker: owns shards and runs their legs.
//!
//! [`Worker`] carries out what the engine's worker decides, over any broker: it connects,
//! claims, publishes and dials. [`Runner`] makes a leg's report out of its order: it opens
//! the credential, picks the way out, and lets `probe` talk to the mail server. Nothing is
//! decided here about limits, turns or retries, and nothing is stored.

mod claim;
mod clock;
mod config;
mod drive;
mod egress;
mod error;
mod health;
mod link;
mod onlookers;
mod outbox;
mod runner;
mod switchboard;

pub use mailfleet_engine::fence::Standing;
pub use mailfleet_engine::worker::Load;

pub use config::{Config, PREFETCH};
pub use drive::Worker;
pub use egress::{Pool, Pools};
pub use error::{Error, Missing};
pub use health::{Health, State, UnsealFailures};
pub use runner::{KINDS, Runner};
