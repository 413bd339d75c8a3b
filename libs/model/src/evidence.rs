//! What was seen: the part of a fault that lets somebody else judge it again.

use std::net::SocketAddr;
use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// What was seen when a fault was found. Everything is already redacted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The server's words: redacted, control characters stripped, at most 512 characters.
    pub server_text: Option<String>,
    /// The bracketed code of an IMAP or POP3 reply, upper case, without brackets (RFC 5530).
    pub response_code: Option<String>,
    /// The three-digit SMTP reply code.
    pub smtp_code: Option<u16>,
    /// The enhanced status code, such as `5.7.8` (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The command that was answered, without arguments, such as `RCPT TO`.
    pub command: Option<String>,
    /// The SASL mechanism or login command in use.
    pub mechanism: Option<String>,
    /// The TLS alert that ended the handshake (RFC 8446 section 6).
    pub tls_alert: Option<u8>,
    /// The addresses that were tried, in order.
    pub attempts: Vec<AddressAttempt>,
    /// Other facts that the remedy speaks about.
    pub facts: Vec<Fact>,
}

impl Evidence {
    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, kind: FactKind, value: impl Into<String>) -> Self {
        self.facts.push(Fact { kind, value: value.into() });
        self
    }

    /// The first fact of a kind.
    #[must_use]
    pub fn fact(&self, kind: FactKind) -> Option<&str> {
        self.facts.iter().find(|f| f.kind == kind).map(|f| f.value.as_str())
    }
}

/// One connection attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressAttempt {
    /// The address and port that was tried.
    pub address: SocketAddr,
    /// How it ended, in a few words: `connected`, `refused`, `timed out`, `unreachable`.
    pub outcome: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// A named fact of the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub kind: FactKind,
    /// The value as text, redacted.
    pub value: String,
}

/// What a [`Fact`] is about. Each kind is a placeholder of the remedy pages.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum FactKind {
    /// Names in the certificate, separated by `, `.
    CertificateNames,
    /// Issuer of the certificate.
    CertificateIssuer,
    /// End of the certificate's validity, RFC 3339 UTC.
    NotAfter,
    /// Start of the certificate's validity, RFC 3339 UTC.
    NotBefore,
    /// The newest TLS version that the server offers, such as `TLS 1.1`.
    TlsVersion,
    /// The cipher suite that the server chose.
    Cipher,
    /// A host name that should work.
    SuggestedHost,
    /// A port that should work.
    SuggestedPort,
    /// A security mode that should work: `TLS` or `STARTTLS`.
    SuggestedSecurity,
    /// The provider's name.
    Provider,
    /// Where the provider explains what to do.
    HelpUrl,
    /// How long the server asks to wait, in words.
    Wait,
    /// A folder's name.
    Folder,
    /// How long something took or was waited for, in words.
    Elapsed,
    /// The login mechanisms that the server offers.
    Mechanisms,
    /// The step that was silent or failed.
    Step,
    /// The field of the request.
    Field,
    /// The protocol that really answered.
    Protocol,
    /// The limit that the server named.
    Limit,
    /// What else is known, in one sentence of English.
    Note,
}
