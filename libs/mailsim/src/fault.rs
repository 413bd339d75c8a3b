//! What can go wrong at a step, as data.
//!
//! Apart from `hostile`, which performs these faults on a socket; here nothing touches one.
//! A fault that makes no sense at its step is refused before the server starts.

use std::net::IpAddr;
use std::time::Duration;

use crate::server::Protocol;
use crate::step::Step;

/// Bytes that an endless fault sends before it closes, when the script does not say.
/// Enough to drown any client that buffers; small enough for a test with a good one.
pub const DEFAULT_FLOOD_BYTES: u64 = 192 * 1024 * 1024;

/// How STARTTLS is taken out of a capability list, as middleboxes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strip {
    /// The keyword is absent.
    Absent,
    /// The keyword is overwritten in place: `XXXXXXXA`, as Cisco's SMTP inspection leaves it.
    Mangled,
}

/// One fault. Lengths are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Sends these lines in place of the usual answer; lines are separated by `\n`.
    ///
    /// In IMAP a line that begins with `*` or `+` goes out as it is, every other one gets the
    /// client's tag in front. A positive answer has the usual effect on the session, any other
    /// has none. `* BYE` without a tagged line, and a 421, end the session.
    Reply(String),
    /// Sends exactly these bytes in place of the usual answer, and goes on. `{tag}` becomes the
    /// client's tag.
    Raw(Vec<u8>),
    /// Waits before the answer.
    Delay(Duration),
    /// Sends the answer byte by byte with this pause between bytes.
    Drip(Duration),
    /// Never answers; the socket stays open until the client closes it.
    Silent,
    /// Closes the connection.
    Close,
    /// Ends the connection with a TCP reset.
    Reset,
    /// Repeats one line up to `bytes`, then closes.
    Flood {
        /// The line, without its end.
        line: String,
        /// Total to send.
        bytes: u64,
    },
    /// Sends one line that does not end, up to `bytes`, then closes.
    EndlessLine {
        /// Total to send.
        bytes: u64,
    },
    /// Announces a literal (IMAP) and sends less of it than announced, then stays silent.
    EndlessLiteral {
        /// The length that the server claims.
        announced: u64,
        /// The bytes really sent.
        bytes: u64,
    },
    /// Sends a response that opens this many parentheses (IMAP), then stays silent.
    Nesting {
        /// How many levels.
        depth: u32,
    },
    /// Sends all byte values in turn, up to `bytes`, then closes.
    Garbage {
        /// Total to send.
        bytes: u64,
    },
    /// Sends these plaintext bytes behind the positive answer to STARTTLS, in the same segment.
    Inject(Vec<u8>),
    /// Takes STARTTLS out of every capability list.
    StripStarttls(Strip),
    /// Greets with PREAUTH: already logged in, so that STARTTLS is no longer allowed (IMAP).
    Preauth,
    /// Accepts the login, then says BYE with this text and closes (IMAP), as Courier does for a
    /// disabled account.
    ByeAfterOk(String),
    /// Refuses the login and repeats the secret in the reply, in the clear and as base64.
    EchoPassword,
}

impl Fault {
    /// Tells whether this fault can happen at `step` of `protocol`.
    #[must_use]
    pub fn fits(&self, step: Step, protocol: Protocol) -> bool {
        if !step.occurs_in(protocol) {
            return false;
        }
        match self {
            Self::Delay(_) | Self::Silent | Self::Close | Self::Reset => true,
            Self::Raw(_) | Self::Garbage { .. } => step != Step::Any,
            Self::Reply(_) | Self::Flood { .. } | Self::EndlessLine { .. } => {
                !matches!(step, Step::Any | Step::Connect | Step::Tls)
            }
            Self::Drip(_) => !matches!(step, Step::Connect | Step::Tls),
            Self::EndlessLiteral { .. } | Self::Nesting { .. } => {
                protocol == Protocol::Imap && !matches!(step, Step::Any | Step::Connect | Step::Tls)
            }
            Self::Inject(_) => step == Step::Starttls,
            Self::StripStarttls(_) => matches!(step, Step::Capability | Step::Ehlo),
            Self::Preauth => protocol == Protocol::Imap && step == Step::Greeting,
            Self::ByeAfterOk(_) => protocol == Protocol::Imap && step == Step::Login,
            Self::EchoPassword => step == Step::Login,
        }
    }

    /// Tells whether this fault only changes how the usual answer is sent.
    pub(crate) fn is_modifier(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Drip(_))
    }
}

/// A fault at a step, with the conditions under which it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where.
    pub step: Step,
    /// What.
    pub fault: Fault,
    /// Only for connections from this address.
    pub from: Option<IpAddr>,
    /// Only for this user name, once it is known.
    pub user: Option<String>,
    /// Only so many times, over all sessions.
    pub times: Option<u32>,
}

impl Rule {
    /// Makes a rule without conditions.
    #[must_use]
    pub fn new(step: Step, fault: Fault) -> Self {
        Self { step, fault, from: None, user: None, times: None }
    }

    /// Limits the rule to connections from `address`.
    #[must_use]
    pub fn only_from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Limits the rule to one user name.
    #[must_use]
    pub fn only_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Limits the rule to its first `times` uses.
    #[must_use]
    pub fn first(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}
