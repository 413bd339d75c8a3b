//! Simulated mail servers: good, slow, broken, hostile.
//!
//! IMAP, POP3 and SMTP servers that run in the process of a test, a demonstration or a load
//! test, with real sockets and real TLS. They are described by a builder:
//!
//! ```ignore
//! let server = Server::imap()
//!     .personality(Personality::Dovecot)
//!     .certificate(Certificate::Expired)
//!     .mailbox("user@example.test", "secret")
//!     .at(Step::Login, Fault::Reply("NO [UNAVAILABLE] Try again".into()))
//!     .latency(Step::Greeting, Duration::from_millis(50))
//!     .start()
//!     .await?;
//! ```
//!
//! or by a script, see [`Scenario::parse`]. They listen on loopback, on a port of the system's
//! choice unless told otherwise, and end when their [`Running`] is dropped.
//!
//! Faults happen at steps; a [`Recorder`] keeps who came and what was said. Servers of one
//! [`Estate`] share their accounts, so that a mail sent by SMTP can be found by IMAP.
//! A [`Proxy`] speaks SOCKS5, for connections that leave through one.

mod certificate;
mod error;
mod estate;
mod exchange;
mod fault;
mod hostile;
mod imap;
mod layout;
mod legacy;
mod limits;
mod mailstore;
mod message;
mod personality;
mod pop3;
mod proxy;
mod recorder;
mod rules;
mod running;
mod sasl;
mod scenario;
mod script;
mod secret;
mod server;
mod session;
mod smtp;
mod step;
mod tls;
mod utf7;
mod wire;

pub use certificate::{Authority, Certificate};
pub use error::Error;
pub use estate::{Delivery, Estate, Fate, SentCopy};
pub use fault::{DEFAULT_FLOOD_BYTES, Fault, Rule, Strip};
pub use layout::{Layout, Use};
pub use limits::Limits;
pub use mailstore::Folder;
pub use message::Message;
pub use personality::Personality;
pub use proxy::{Manner, Proxy};
pub use recorder::{Event, Gauge, Recorder, Tap, What};
pub use running::Running;
pub use sasl::Mechanism;
pub use scenario::{RunningScenario, Scenario};
pub use script::ScriptError;
pub use secret::Secret;
pub use server::{
    ClientCertificate, Mailbox, OldTls, PlaintextLogin, Protocol, Role, Server, Spec, Tls, Versions,
};
pub use step::Step;
