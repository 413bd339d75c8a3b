//! Faults: the mailbox's trouble as data.
//!
//! A fault is never a Rust error. It says what is wrong (a stable code), where it
//! happened, how sure we are, who must act, whether trying again can help, and
//! what the server really said.

mod code;
mod table;

use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::evidence::Evidence;
use crate::leg::Leg;

pub use code::FaultCode;

/// How far a leg got. Ordered: a later phase means that more is known to work.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// The request itself.
    Input,
    /// Rules of ours, before any packet.
    Policy,
    /// Finding the servers.
    Discovery,
    /// Host name to addresses.
    Dns,
    /// Connecting.
    Tcp,
    /// The server's first words.
    Greeting,
    /// Asking for TLS inside the dialogue.
    Starttls,
    /// Handshake and certificate.
    Tls,
    /// What the server offers.
    Capability,
    /// Login.
    Auth,
    /// Using the mailbox after the login.
    Mailbox,
    /// Handing over a message.
    Submit,
    /// The test mail's way back.
    Roundtrip,
    /// Bringing messages over.
    Sync,
}

/// Whether the fault makes the mailbox unusable.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// Worth telling; the mailbox works.
    Warning,
    /// The mailbox cannot be used in this direction.
    Blocking,
}

/// How sure we are that the code names the cause.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Confidence {
    /// Several causes fit about equally; see the alternatives.
    Ambiguous,
    /// The best explanation; others remain possible.
    Likely,
    /// The evidence leaves no other explanation.
    Certain,
}

/// Who can remove the cause.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Actor {
    /// The mailbox's user.
    User,
    /// Whoever runs the mail server.
    MailAdmin,
    /// Whoever runs the firewall or network in front of it.
    NetAdmin,
    /// The operators of this service.
    Us,
}

/// Whether and when trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No fix exists for this mailbox at this server.
    Never,
    /// Only after somebody changed something.
    AfterFix,
    /// By itself, after a pause between `min` and `max`.
    Backoff {
        /// Shortest pause.
        min: Duration,
        /// Longest pause.
        max: Duration,
    },
    /// After the pause that the server named.
    ServerHint(Duration),
}

impl Retry {
    /// Whether the cause may go away without anybody acting.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        match self {
            Self::Backoff { .. } | Self::ServerHint(_) => true,
            Self::Never | Self::AfterFix => false,
        }
    }
}

/// One trouble of one mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub code: FaultCode,
    /// The leg that met it.
    pub leg: Leg,
    /// How far that leg had come.
    pub phase: Phase,
    /// Whether it makes the mailbox unusable.
    pub severity: Severity,
    /// How sure the code is.
    pub confidence: Confidence,
    /// Who must act.
    pub actor: Actor,
    /// Whether trying again can help.
    pub retry: Retry,
    /// Other explanations, the likeliest first; never holds `code`.
    pub alternatives: Vec<FaultCode>,
    /// What was seen.
    pub evidence: Evidence,
}

impl Fault {
    /// A fault with the code's usual phase, severity, actor and retry class, `CERTAIN`,
    /// and no evidence yet.
    #[must_use]
    pub fn new(code: FaultCode, leg: Leg) -> Self {
        Self {
            code,
            leg,
            phase: code.phase(),
            severity: code.severity(),
            confidence: Confidence::Certain,
            actor: code.actor(),
            retry: code.retry(),
            alternatives: Vec::new(),
            evidence: Evidence::default(),
        }
    }

    /// Says where it happened, where that differs from the code's usual phase.
    #[must_use]
    pub fn at(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Replaces the evidence.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = evidence;
        self
    }

    /// States how sure the code is, and what else it may be. `code` itself and
    /// duplicates are left out of the alternatives.
    #[must_use]
    pub fn but_maybe(
        mut self,
        confidence: Confidence,
        alternatives: impl IntoIterator<Item = FaultCode>,
    ) -> Self {
        self.confidence = confidence;
        self.alternatives.clear();
        for code in alternatives {
            if code != self.code && !self.alternatives.contains(&code) {
                self.alternatives.push(code);
            }
        }
        self
    }

    /// Makes it a warning: worth telling, not in the way.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether the fault makes the mailbox unusable.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        self.severity == Severity::Blocking
    }
}
