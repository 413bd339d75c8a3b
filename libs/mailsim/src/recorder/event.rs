//! The events of a history, and how each becomes a line of JSON.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Something that happened in a session.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The server, as `protocol address:port`.
    #[serde(serialize_with = "as_text")]
    pub server: Arc<str>,
    /// The session's number at its server, from 1.
    pub session: u64,
    /// The client.
    pub peer: SocketAddr,
    /// Microseconds since 1970.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Kinds of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A connection was accepted.
    Opened {
        /// Sessions at this server, this one included.
        concurrent: u64,
    },
    /// A TLS handshake succeeded.
    Secured {
        /// The version, as the TLS library names it.
        version: String,
    },
    /// A command arrived.
    Command {
        /// Its line without tag and without secrets, cut at 200 characters.
        line: String,
    },
    /// A credential was submitted.
    Credential {
        /// The mechanism, or the command that carried it.
        mechanism: String,
        /// The user name.
        user: String,
        /// Whether it was right.
        right: bool,
    },
    /// A scripted fault was performed.
    Fault {
        /// The step and the fault, as the script writes them.
        rule: String,
    },
    /// A mail was taken.
    Mail {
        /// The envelope's sender.
        from: String,
        /// How many recipients.
        recipients: usize,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The session ended.
    Closed {
        /// Why.
        reason: String,
        /// Bytes received, after decryption.
        received: u64,
        /// Bytes sent, before encryption.
        sent: u64,
        /// How long it lasted, in microseconds.
        lasted_us: u64,
    },
}

fn as_text<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

impl Event {
    /// The event as one line of JSON, without a line end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain fields with string keys always become JSON")
    }
}
