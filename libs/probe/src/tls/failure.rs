//! Why a handshake gave no session, as the TLS library and the socket told it.
//!
//! Only sorts; what it means for the mailbox is [`super::explain`]'s to find out.

use std::io;

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::tls::TlsFacts;
use mailfleet_model::{Confidence, Fault, FaultCode, Leg};

use super::alert;

/// A handshake that gave no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How it ended.
    pub cause: Cause,
    /// What was learnt before: the name that was sent, and the chain if it came.
    pub facts: TlsFacts,
    /// Whether the server had asked for a certificate of ours.
    pub client_certificate_asked: bool,
}

/// How a handshake ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The answer was no TLS record; its first bytes, at most 512.
    NotTls(Vec<u8>),
    /// The server sent a fatal alert (RFC 8446 section 6).
    Alert(u8),
    /// The server chose something that we do not speak, such as an older version.
    Incompatible(String),
    /// The server closed the connection.
    Closed,
    /// The server reset the connection.
    Reset,
    /// Anything else, in the library's words.
    Other(String),
}

impl Cause {
    /// Sorts an error of the handshake. `first` holds the first bytes that came.
    pub(super) fn of(error: &io::Error, first: Vec<u8>) -> Self {
        if let Some(tls) = tls_error(error) {
            return match tls {
                rustls::Error::AlertReceived(alert) => Self::Alert(u8::from(*alert)),
                rustls::Error::InvalidMessage(_) if !is_tls_record(&first) => Self::NotTls(first),
                rustls::Error::PeerIncompatible(_) | rustls::Error::InvalidMessage(_) => {
                    Self::Incompatible(tls.to_string())
                }
                other => Self::Other(other.to_string()),
            };
        }
        match error.kind() {
            // A few bytes of plaintext, shorter than a record's header, and then the end.
            io::ErrorKind::UnexpectedEof if !first.is_empty() && !is_tls_record(&first) => {
                Self::NotTls(first)
            }
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Reset,
            kind => Self::Other(kind.to_string()),
        }
    }
}

/// Whether bytes begin like a TLS record: a known content type, major version 3
/// (RFC 8446 section 5.1; SSL 3 has the same form).
#[must_use]
pub fn is_tls_record(bytes: &[u8]) -> bool {
    matches!(bytes, [0x14..=0x17, 3, ..] | [0x14..=0x17])
}

/// The fault behind an error of reading from an established session, if it is one of TLS.
///
/// A TLS 1.3 server that wants a certificate of ours says so only after the handshake, so
/// the first read meets its alert (RFC 8446 section 4.4.2.4).
#[must_use]
pub fn fault_of_read_error(error: &io::Error, leg: Leg) -> Option<Fault> {
    let evidence = Evidence::default();
    Some(match tls_error(error)? {
        rustls::Error::AlertReceived(alert) => {
            let number = u8::from(*alert);
            let evidence = with_alert(evidence, number);
            match number {
                116 => Fault::new(FaultCode::TlsClientCertRequired, leg).with_evidence(evidence),
                // Servers that do not know the newer alert send the older ones.
                41 | 42 => Fault::new(FaultCode::TlsClientCertRequired, leg)
                    .but_maybe(Confidence::Likely, [FaultCode::TlsHandshakeFailed])
                    .with_evidence(evidence),
                _ => Fault::new(FaultCode::TlsHandshakeFailed, leg).with_evidence(evidence),
            }
        }
        other => Fault::new(FaultCode::TlsHandshakeFailed, leg)
            .with_evidence(evidence.with(FactKind::Note, other.to_string())),
    })
}

/// Adds an alert by number and by name.
pub(super) fn with_alert(mut evidence: Evidence, number: u8) -> Evidence {
    evidence.tls_alert = Some(number);
    match alert::name(number) {
        Some(name) => evidence
            .with(FactKind::Note, format!("The server sent the TLS alert {number}, {name}.")),
        None => evidence,
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}
