//! Judges a negative reply: the server's words in, a fault out.
//!
//! Pure and apart from the sessions, so that every rule can be tested with text alone.
//! The order of evidence is fixed: first the moment of the dialogue and the kind of
//! credential, then a table of known words (data, with the source of every row), then
//! the bracketed code (RFC 5530, RFC 3206, RFC 2449), then the enhanced code (RFC 3463,
//! RFC 5248), then the basic code, then its first digit. Words come before codes because
//! real servers reuse codes with other meanings.
//!
//! Never does I/O, never redacts (callers do, before they ask) and never panics,
//! whatever the text.

mod clauses;
mod codes;
mod fit;
mod fold;
mod outcome;
mod table;
mod wait;

use mailfleet_model::leg::ServerSoftware;
use mailfleet_model::{
    Confidence, Credential, Evidence, FactKind, Fault, FaultCode, Leg, Phase, Protocol,
};
use strum::EnumIter;

use crate::provider::Provider;
use crate::reply::{self, EnhancedCode};

pub use outcome::login_outcome;

/// What the server answered when it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter)]
pub enum ReplyPhase {
    /// Its first words.
    Greeting,
    /// CAPABILITY, CAPA, EHLO or HELO.
    Capability,
    /// STARTTLS or STLS.
    Starttls,
    /// Any part of the login.
    Auth,
    /// LIST, LSUB, NAMESPACE.
    List,
    /// SELECT, EXAMINE, STAT, UIDL, and reading after it.
    Open,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    RcptTo,
    /// DATA or BDAT, before any content.
    Data,
    /// The final dot.
    Body,
    /// Anything else: ID, NOOP, RSET, MOVE, QUIT.
    Other,
}

impl ReplyPhase {
    /// Where in a report's terms this moment of the dialogue lies.
    pub(crate) fn in_report(self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Capability => Phase::Capability,
            Self::Starttls => Phase::Starttls,
            Self::Auth => Phase::Auth,
            Self::List | Self::Open | Self::Other => Phase::Mailbox,
            Self::MailFrom | Self::RcptTo | Self::Data | Self::Body => Phase::Submit,
        }
    }
}

/// The kind of a negative reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// IMAP `NO`.
    No,
    /// IMAP `BAD`.
    Bad,
    /// IMAP `* BYE`, whether as greeting or in place of a tagged reply.
    Bye,
    /// IMAP `* PREAUTH`.
    Preauth,
    /// POP3 `-ERR` (or `+ERR`, which hMailServer once sent).
    Err,
    /// An SMTP reply code.
    Smtp(u16),
    /// A line that the protocol does not know.
    Unrecognised,
}

/// What the leg proves its identity with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A password, or an app password.
    Password,
    /// An OAuth 2.0 access token.
    Token,
}

impl From<&Credential> for CredentialKind {
    fn from(credential: &Credential) -> Self {
        match credential {
            Credential::Password(_) => Self::Password,
            Credential::AccessToken(_) => Self::Token,
        }
    }
}

/// A negative reply, as the session saw it.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The leg that met it.
    pub leg: Leg,
    /// The protocol that was spoken.
    pub protocol: Protocol,
    /// What was being done.
    pub phase: ReplyPhase,
    /// What kind of refusal it was.
    pub status: Status,
    /// The server's words, decoded ([`reply::decode`]) and already redacted; all lines,
    /// separated by `\n`. Codes in brackets, enhanced codes and even the reply code may
    /// still stand in it. At most [`reply::MAX_LOOKED_AT`] bytes are looked at.
    pub text: &'a str,
    /// What the leg logs in with, or has logged in with.
    pub credential: CredentialKind,
    /// The SASL mechanism or login command in use, such as `PLAIN` or `USER/PASS`;
    /// `None` outside the login.
    pub mechanism: Option<&'a str>,
    /// The error challenge of XOAUTH2 or OAUTHBEARER (RFC 7628 §3.2.2), decoded from base64.
    pub challenge: Option<&'a str>,
    /// The command that was answered, without arguments, for the evidence.
    pub command: Option<&'a str>,
    /// The mailbox provider, where known.
    pub provider: Option<&'static Provider>,
    /// What the server runs, where known.
    pub software: Option<&'a ServerSoftware>,
}

impl<'a> Refusal<'a> {
    /// A refusal of which only the reply is known.
    #[must_use]
    pub fn new(protocol: Protocol, phase: ReplyPhase, status: Status, text: &'a str) -> Self {
        Self {
            leg: protocol.into(),
            protocol,
            phase,
            status,
            text,
            credential: CredentialKind::Password,
            mechanism: None,
            challenge: None,
            command: None,
            provider: None,
            software: None,
        }
    }

    /// Whether the credential was an access token and not a password.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.credential == CredentialKind::Token
            || self.mechanism.is_some_and(|mechanism| {
                ["XOAUTH2", "OAUTHBEARER"].iter().any(|token| mechanism.eq_ignore_ascii_case(token))
            })
    }

    /// Whether the mechanism keeps the password off the wire, and so needs the server to
    /// store it in a form made for that.
    fn keeps_password(&self) -> bool {
        self.mechanism.is_some_and(|mechanism| {
            ["SCRAM-", "CRAM-"].iter().any(|family| mechanism.starts_with(family))
        })
    }

    /// Whether the reply's own kind says that trying later may help.
    fn is_temporary(&self) -> bool {
        match self.status {
            Status::Smtp(code) => (400..500).contains(&code),
            Status::Bye => true,
            Status::No | Status::Bad | Status::Preauth | Status::Err | Status::Unrecognised => {
                false
            }
        }
    }
}

/// What a tier of evidence concluded: a cause, how sure it is, and what else it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Finding {
    code: FaultCode,
    confidence: Confidence,
    alternatives: &'static [FaultCode],
}

/// The parts of a reply's text, each looked at once.
struct Read {
    /// The words, folded for comparison.
    words: fold::Folded,
    /// The same, with what is stated told from what is advised.
    clauses: clauses::Clauses,
    bracketed: Option<String>,
    enhanced: Option<EnhancedCode>,
}

/// Judges a negative reply.
///
/// The fault's evidence holds the server's words (cleaned, at most [`reply::MAX_KEPT`]
/// characters), all codes, command, mechanism, and, where known, provider and help page.
/// Deterministic; never panics.
#[must_use]
pub fn classify(refusal: &Refusal<'_>) -> Fault {
    let text = cut(refusal.text);
    let read = read(refusal, text);
    let finding = find(refusal, &read);
    let code = finding.code;
    let mut fault = Fault::new(code, refusal.leg)
        .at(refusal.phase.in_report())
        .but_maybe(finding.confidence, fit::alternatives(refusal, finding));
    fault.evidence = evidence(refusal, text, &read);
    fit::actor_and_retry(refusal, &mut fault, &read.words);
    fit::hints(refusal, &mut fault);
    fault
}

/// Walks down the order of evidence until something is known.
fn find(refusal: &Refusal<'_>, read: &Read) -> Finding {
    let finding = fit::by_shape(refusal)
        .or_else(|| by_words(refusal, &read.clauses))
        .or_else(|| codes::bracketed(refusal, read.bracketed.as_deref()))
        .or_else(|| codes::enhanced(refusal, read.enhanced))
        .or_else(|| codes::basic(refusal))
        .unwrap_or_else(|| codes::first_digit(refusal));
    fit::to_moment(refusal, finding)
}

/// Asks the table about what is stated, then about all that is told. A cause that only
/// the advice names is a guess of the server's.
fn by_words(refusal: &Refusal<'_>, clauses: &clauses::Clauses) -> Option<Finding> {
    let look_up = |words| table::look_up(refusal, words).map(table::Row::finding);
    let Some(stated) = &clauses.stated else { return look_up(&clauses.told) };
    look_up(stated)
        .or_else(|| look_up(&clauses.told).and_then(|found| fit::advised(refusal, found)))
}

fn read(refusal: &Refusal<'_>, text: &str) -> Read {
    let bracketed = match refusal.protocol {
        Protocol::Imap | Protocol::Pop3 => codes::find_bracketed(text),
        Protocol::Smtp => None,
    };
    let enhanced = match refusal.protocol {
        Protocol::Smtp => EnhancedCode::find(text),
        Protocol::Imap | Protocol::Pop3 => None,
    };
    let words = match refusal.protocol {
        Protocol::Smtp => fold::Folded::new(&reply::clean(&reply::without_codes(text))),
        Protocol::Imap | Protocol::Pop3 => {
            fold::Folded::new(&reply::clean(codes::words_alone(text)))
        }
    };
    let clauses = clauses::tell_apart(&words);
    Read { words, clauses, bracketed, enhanced }
}

/// The leading part of a text that is looked at.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(reply::MAX_LOOKED_AT)).unwrap_or(text)
}

fn evidence(refusal: &Refusal<'_>, text: &str, read: &Read) -> Evidence {
    let words = reply::keep(text);
    let mut evidence = Evidence {
        server_text: (!words.is_empty()).then_some(words),
        response_code: read.bracketed.clone(),
        smtp_code: match refusal.status {
            Status::Smtp(code) => Some(code),
            Status::No
            | Status::Bad
            | Status::Bye
            | Status::Preauth
            | Status::Err
            | Status::Unrecognised => None,
        },
        enhanced_code: read.enhanced.map(|code| code.to_string()),
        command: refusal.command.map(str::to_owned),
        mechanism: refusal.mechanism.map(str::to_owned),
        ..Evidence::default()
    };
    if let Some(provider) = refusal.provider {
        evidence = evidence.with(FactKind::Provider, provider.name);
    }
    evidence
}

#[cfg(test)]
mod tests;
