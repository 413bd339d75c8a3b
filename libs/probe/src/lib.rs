//! Sockets to mail servers: connecting, TLS and its diagnosis, the dialogues of IMAP,
//! POP3 and SMTP, and what the answers mean.
//!
//! The one entry is [`run_leg`]: it runs a leg and returns its report. A mail server is
//! never trusted here: every line, literal, nesting, byte count and wait is bounded, and
//! no reply can end the process.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

pub mod classify;
pub mod companion;
pub mod dial;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod leg;
pub mod limits;
pub mod lines;
pub mod provider;
pub mod recorder;
pub mod redact;
pub mod reply;
pub mod resolve;
pub mod software;
pub mod stream;
pub mod target;
pub mod tls;

mod arrival;
mod hints;
mod imap;
mod judge;
mod opening;
mod pop3;
mod sasl;
mod smtp;

pub use leg::{
    Admission, Admit, CourierRule, Identity, LegTask, Probe, Rules, run_leg, run_leg_if,
};
