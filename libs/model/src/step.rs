//! Steps: the things done in a leg, each with its time and outcome.

use std::time::Duration;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::fault::FaultCode;

/// What was done.
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
pub enum StepKind {
    /// Host name to addresses, and the target guard.
    Resolve,
    /// TCP connection.
    Connect,
    /// TLS handshake, implicit or after STARTTLS.
    Tls,
    /// The server's first words.
    Greeting,
    /// The STARTTLS or STLS command.
    Starttls,
    /// CAPABILITY, CAPA or EHLO.
    Capability,
    /// The one submission of the credential.
    Login,
    /// Opening the mailbox: LIST and EXAMINE, or STAT and UIDL.
    Open,
    /// MAIL FROM, RCPT TO, and RSET where nothing is sent.
    Envelope,
    /// The test mail's content.
    Submit,
    /// Looking for the test mail.
    Arrival,
    /// Moving the test mail to Trash, LOGOUT or QUIT.
    Cleanup,
}

/// How a step ended.
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
pub enum StepOutcome {
    /// It worked.
    Ok,
    /// It worked, with something to tell.
    Warning,
    /// It failed; `fault` says how.
    Failed,
    /// It was not done; `detail` says why.
    Skipped,
    /// It was interrupted by the caller or the budget.
    Cancelled,
}

/// One step of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub kind: StepKind,
    /// How it ended.
    pub outcome: StepOutcome,
    /// When it began, counted from the start of the leg.
    pub started: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// The code of the fault that it found, if any.
    pub fault: Option<FaultCode>,
    /// What was found, in a few words for a person: `3 addresses`, `TLSv1.3`, `PLAIN`.
    /// Redacted; at most 200 characters.
    pub detail: Option<String>,
}

impl Step {
    /// A step that was left out from the start, and why.
    #[must_use]
    pub fn skipped(kind: StepKind, reason: &str) -> Self {
        Self {
            kind,
            outcome: StepOutcome::Skipped,
            started: Duration::ZERO,
            elapsed: Duration::ZERO,
            fault: None,
            detail: Some(reason.to_owned()),
        }
    }
}
