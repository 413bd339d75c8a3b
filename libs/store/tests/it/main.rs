//! Every database, held against one conformance suite.
#![expect(clippy::unwrap_used, reason = "test code: a failure here is the failure of the test")]

mod conformance;
mod decisions;
#[path = "../../../../deploy/lab/facts.rs"]
mod facts;
mod postgres;
mod samples;
mod sqlite;
