//! The built binary against simulated mail servers: exit statuses, output, signals, secrets.
//!
//! Everything on loopback and on free ports; a process that a test starts ends with it.

mod batch;
mod check;
mod command;
mod crash;
#[path = "../../../../deploy/lab/facts.rs"]
mod facts;
mod fleet;
mod interrupt;
mod keys;
mod observe;
mod place;
mod secrets;
mod serve;
