//! Legs: one connection to one endpoint, and all that is done on it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::address::EmailAddress;
use crate::endpoint::{Endpoint, Protocol};
use crate::fault::Fault;
use crate::secret::Login;
use crate::step::Step;
use crate::suggestion::Suggestion;
use crate::tls::{TlsFacts, TlsPolicy};

/// Which part of a job a fault or step belongs to.
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
pub enum Leg {
    /// Incoming over IMAP.
    Imap,
    /// Incoming over POP3.
    Pop3,
    /// Outgoing over SMTP.
    Smtp,
    /// Incoming over Exchange Web Services.
    Ews,
    /// Incoming over Microsoft Graph.
    Graph,
    /// Finding the settings.
    Discovery,
    /// The arrival leg: the test mail's way back.
    Roundtrip,
    /// The job as a whole.
    System,
}

impl From<Protocol> for Leg {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Imap => Self::Imap,
            Protocol::Pop3 => Self::Pop3,
            Protocol::Smtp => Self::Smtp,
        }
    }
}

/// What a leg is to do, on which endpoint, as whom.
#[derive(Debug, Clone)]
pub struct LegSpec {
    /// The mailbox under test.
    pub mailbox: EmailAddress,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// As whom to log in.
    pub login: Login,
    /// What is demanded of the certificate.
    pub tls: TlsPolicy,
    /// What to do after the login.
    pub plan: LegPlan,
}

impl LegSpec {
    /// The name under which the leg is reported.
    #[must_use]
    pub fn leg(&self) -> Leg {
        match self.plan {
            LegPlan::Arrival(_) => Leg::Roundtrip,
            LegPlan::Incoming(_) | LegPlan::Outgoing(_) => self.endpoint.protocol.into(),
        }
    }
}

impl LegSpec {
    /// The same leg, told where new mail will appear. Changes nothing but an arrival leg.
    #[must_use]
    pub fn with_marks(mut self, seen: Marks) -> Self {
        if let LegPlan::Arrival(plan) = &mut self.plan {
            plan.marks = seen;
        }
        self
    }
}

/// What a leg does after the login.
#[derive(Debug, Clone)]
pub enum LegPlan {
    /// Open the mailbox.
    Incoming(IncomingPlan),
    /// Show that mail can be handed over.
    Outgoing(OutgoingPlan),
    /// Look for the test mail and put it away.
    Arrival(ArrivalPlan),
}

/// How far the incoming leg goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncomingPlan {
    /// LIST and EXAMINE INBOX, or STAT and UIDL.
    Open,
    /// Likewise, and note where new mail will appear, for the arrival leg.
    OpenAndMark,
}

/// How far the outgoing leg goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutgoingPlan {
    /// Ends after the login.
    LoginOnly,
    /// MAIL FROM and RCPT TO the mailbox itself, then RSET: nothing is sent.
    Envelope,
    /// Sends the test mail, once.
    TestMail {
        /// The recipient.
        to: EmailAddress,
        /// What the mail is found again by: 16 to 40 letters and digits.
        token: String,
    },
}

/// What the arrival leg looks for, and where.
#[derive(Debug, Clone)]
pub struct ArrivalPlan {
    /// The token in the test mail's subject and own header.
    pub token: String,
    /// Where new mail will appear, as the incoming leg saw it before the mail was sent.
    pub marks: Marks,
    /// Whether the mail was sent to this mailbox, or only a sent copy can be found.
    pub look_for: LookFor,
    /// How long to look.
    pub timeout: Duration,
}

/// What the arrival leg can hope to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookFor {
    /// The mail itself, and a sent copy.
    MailAndSentCopy,
    /// Only a sent copy: the mail went to another mailbox.
    SentCopy,
}

/// Where new mail will appear: seen by the incoming leg before anything was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// IMAP folders worth looking into.
    pub folders: Vec<FolderMark>,
    /// POP3 unique ids (RFC 1939 section 7) that were there before; at most 10,000.
    pub uidls: Vec<String>,
}

/// One IMAP folder and the UID that the next message will get at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderMark {
    /// The name as the server writes it (modified UTF-7 or UTF-8).
    pub name: String,
    /// What it is for.
    pub role: FolderRole,
    /// UIDVALIDITY; `None` where the server gives none.
    pub uid_validity: Option<u32>,
    /// UIDNEXT before sending; 1 where the server gives none.
    pub uid_next: u32,
}

/// What a folder is for (RFC 6154).
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
pub enum FolderRole {
    /// INBOX.
    Inbox,
    /// `\Junk`.
    Junk,
    /// `\All`.
    All,
    /// `\Sent`.
    Sent,
    /// `\Trash`.
    Trash,
    /// `\Drafts`.
    Drafts,
    /// `\Archive`.
    Archive,
}

/// What the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSoftware {
    /// The product, such as `Dovecot`.
    pub name: String,
    /// Its version, where it was told.
    pub version: Option<String>,
}

/// All that one leg found. A leg ends in a report, never in an error.
#[derive(Debug, Clone)]
pub struct LegReport {
    /// Which leg it was.
    pub leg: Leg,
    /// Where it went.
    pub endpoint: Endpoint,
    /// The source address of the connection, once connected.
    pub egress_ip: Option<IpAddr>,
    /// The address of the server, once connected.
    pub remote_ip: Option<IpAddr>,
    /// What the handshake told, if there was one.
    pub tls: Option<TlsFacts>,
    /// What the server runs, if it can be told.
    pub server_software: Option<ServerSoftware>,
    /// When the leg began.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What is wrong, in the order it was found.
    pub faults: Vec<Fault>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
    /// What came of the login.
    pub login: LoginOutcome,
    /// What came of the submission (outgoing leg).
    pub submission: Submission,
    /// Where new mail will appear (incoming leg that was asked to mark).
    pub marks: Marks,
    /// What the arrival leg found.
    pub arrival: Option<Arrival>,
}

/// What came of the one submission of a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LoginOutcome {
    /// No credential was sent.
    #[default]
    NotTried,
    /// The server accepted it.
    Accepted,
    /// The server refused it for good: this secret must not be tried again by itself.
    RefusedDefinitively,
    /// The server refused, but the reason may lie elsewhere.
    RefusedAmbiguously,
    /// The server could not decide, or the connection was lost meanwhile.
    Undecided,
}

/// What came of the test mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Submission {
    /// Nothing was sent.
    #[default]
    NotSent,
    /// The server took responsibility for it.
    Accepted,
    /// The server refused it.
    Refused,
    /// The connection was lost after the message; it may have been taken.
    Unknown,
}

/// What the arrival leg found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The folder's decoded name where the mail was found, and its role.
    pub found: Option<(String, FolderRole)>,
    /// How long after the submission it was seen.
    pub after: Option<Duration>,
    /// Whether a sent copy was seen; `None` if that could not be told.
    pub sent_copy: Option<bool>,
}

impl LegReport {
    /// An empty report of a leg that begins now.
    #[must_use]
    pub fn begin(leg: Leg, endpoint: Endpoint, started: SystemTime) -> Self {
        Self {
            leg,
            endpoint,
            egress_ip: None,
            remote_ip: None,
            tls: None,
            server_software: None,
            started,
            elapsed: Duration::ZERO,
            steps: Vec::new(),
            faults: Vec::new(),
            suggestions: Vec::new(),
            login: LoginOutcome::NotTried,
            submission: Submission::NotSent,
            marks: Marks::default(),
            arrival: None,
        }
    }

    /// Whether nothing blocking was found.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.faults.iter().any(Fault::is_blocking)
    }
}
