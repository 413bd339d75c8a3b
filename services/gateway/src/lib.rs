//! The gateway of mailfleet: takes requests, keeps jobs moving, answers with reports.
//!
//! A library without a `main`: the binary gives it a store, a broker and its configuration.
//! [`Gateway::start`] starts the loops that move jobs on; [`Server`] is the gRPC side, with
//! [`Tenants`] in front. Nothing connects to a mail server here; workers do. [`Validator`]
//! is apart from all that: it checks one mailbox in its own process.

mod batches;
mod census;
mod collect;
mod compose;
pub mod config;
mod control;
mod deadline;
mod dispatch;
mod feed;
mod fields;
#[cfg(test)]
mod fixtures;
mod gateway;
mod groups;
mod health;
mod item;
mod marks;
mod members;
mod message;
mod notices;
mod pace;
mod returned;
mod rpc;
mod server;
mod states;
mod status;
mod submit;
mod summary;
mod supervise;
mod sweep;
mod tenants;
mod told;
mod trouble;
pub mod validate;
mod wakes;
mod watch;
mod zones;

pub use config::{Config, TlsFiles};
pub use gateway::{Gateway, Parts, Running};
pub use message::report_message;
pub use server::{Error, Server};
pub use tenants::{Access, InvalidRole, Role, TenantError, TenantQuota, Tenants};
pub use validate::{Run, Validator};
