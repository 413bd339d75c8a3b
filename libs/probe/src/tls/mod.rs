//! TLS to mail servers: the handshake, and what is wrong when it does not go well.
//!
//! Three questions, three entries. [`handshake`] opens a session and names every
//! certificate problem at once. [`explain`] says why no session came about, if need be by
//! asking the server again on sockets of its own. [`explain_silence`] says whether a port
//! that keeps silent in plaintext was waiting for TLS.
//!
//! Nothing here ever sends a credential, follows an address that a certificate names, or
//! talks to a server in a version older than TLS 1.2 beyond the first message.

mod alert;
mod certificate;
mod chain;
mod dialogue;
mod explain;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handshake;
mod hello;
mod inspect;
mod modes;
mod names;
mod prober;
mod problem;
mod tap;
mod trust;
mod verifier;

pub use explain::{Explanation, explain};
pub use failure::{Cause, Failure, fault_of_read_error, is_tls_record};
pub use handshake::{Handshake, Wanted, handshake};
pub use modes::{explain_silence, suggest_port};
pub use names::name_suggestions;
pub use tap::Tapped;
pub use trust::{Error, Trust};

/// A TLS session with a mail server.
pub type TlsStream = tokio_rustls::client::TlsStream<Tapped>;
