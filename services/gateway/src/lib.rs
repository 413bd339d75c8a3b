//! The gateway of mailfleet: takes requests, runs validations, answers with reports.
//!
//! A library without a `main`: the binary gives it its configuration and tells it when to
//! end, and checks mailboxes in its own process through [`Validator`]. [`Server`] is the
//! gRPC side.

mod admission;
pub mod config;
mod deadline;
mod job;
mod message;
mod server;
mod status;
pub mod validate;
mod validation_service;

pub use config::Config;
pub use message::report_message;
pub use server::{Error, Server};
pub use validate::{Run, Validator};
