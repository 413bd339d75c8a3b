//! Every broker, held against one conformance suite.
#![expect(clippy::unwrap_used, reason = "test code: a failure here is the failure of the test")]

mod conformance;
#[path = "../../../../deploy/lab/facts.rs"]
mod facts;
mod in_process;
mod rabbit;
mod samples;
