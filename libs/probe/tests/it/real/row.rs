//! A row of the table: what to check, as whom, and what must come of it.
//!
//! Plain data with a builder, so that a row reads as one sentence. Nothing here does I/O.

use std::time::Duration;

use mailfleet_model::leg::FolderRole;
use mailfleet_model::suggestion::SuggestionReason;
use mailfleet_model::tls::CertificatePolicy;
use mailfleet_model::{FactKind, FaultCode, Protocol, Security, SentCopy, StepKind, Verdict};

/// An endpoint of the lab.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The server, such as `dovecot_expired`.
    pub(super) server: &'static str,
    /// The kind of endpoint, such as `imap_tls`.
    pub(super) kind: &'static str,
}

/// One leg of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct LegAt {
    pub(super) at: At,
    pub(super) protocol: Protocol,
    pub(super) security: Security,
}

/// What is sent as the secret.
#[derive(Debug, Clone, Copy)]
pub(super) enum With {
    /// The user's password.
    Password,
    /// A password that nobody has.
    WrongPassword,
    /// One of the lab's access tokens.
    Token(&'static str),
}

/// How far the outgoing leg goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mail {
    LoginOnly,
    Envelope,
    ToSelf,
    To(&'static str),
}

/// Sessions that others hold open while the row runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    pub(super) at: At,
    pub(super) count: usize,
    /// The user as whom they are logged in over IMAP, if they are.
    pub(super) user: Option<&'static str>,
}

/// One thing that the report must show beside its faults.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shows {
    /// A login by this mechanism was tried.
    Mechanism(&'static str),
    /// The server runs this.
    Software(&'static str),
    /// Other settings are suggested, for this reason.
    Suggestion(SuggestionReason),
    /// The headline's evidence holds this fact, with this text in it.
    Fact(FactKind, &'static str),
    /// The headline keeps these words of the server.
    Words(&'static str),
    /// The headline may as well be this.
    Alternative(FaultCode),
    /// The handshake ended with this version.
    TlsVersion(&'static str),
    /// The folders were counted, and one of them is for this.
    Marked(FolderRole, &'static str),
    /// The test mail was found in such a folder.
    FoundIn(FolderRole),
    /// Whether the server kept a copy of what it submitted.
    SentCopy(SentCopy),
    /// Exactly one message with the row's token lies in the user's Trash afterwards, and
    /// none in INBOX and Junk.
    OnlyInTrash,
    /// No leg came as far as this step.
    NotReached(StepKind),
    /// The other leg was not logged in to after the first refusal.
    OneLoginOnly,
}

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) incoming: Option<LegAt>,
    pub(super) outgoing: Option<LegAt>,
    pub(super) user: &'static str,
    pub(super) with: With,
    /// The mailbox, where it is not the user's own.
    pub(super) mailbox: Option<&'static str>,
    pub(super) mail: Mail,
    pub(super) certificates: CertificatePolicy,
    pub(super) crowd: Option<Crowd>,
    pub(super) arrival_timeout: Duration,
    pub(super) verdict: Verdict,
    /// All faults by code, the headline first.
    pub(super) codes: Vec<FaultCode>,
    pub(super) shows: Vec<Shows>,
}

/// Begins a row of a user who types the right password.
pub(super) fn row(name: impl Into<String>, user: &'static str) -> Row {
    Row {
        name: name.into(),
        incoming: None,
        outgoing: None,
        user,
        with: With::Password,
        mailbox: None,
        mail: Mail::Envelope,
        certificates: CertificatePolicy::Strict,
        crowd: None,
        arrival_timeout: Duration::from_secs(30),
        verdict: Verdict::Healthy,
        codes: Vec::new(),
        shows: Vec::new(),
    }
}

impl Row {
    /// An IMAP leg.
    pub(super) fn imap(self, server: &'static str, kind: &'static str, how: Security) -> Self {
        self.leg(Protocol::Imap, At { server, kind }, how)
    }

    /// A POP3 leg.
    pub(super) fn pop3(self, server: &'static str, kind: &'static str, how: Security) -> Self {
        self.leg(Protocol::Pop3, At { server, kind }, how)
    }

    /// An SMTP leg.
    pub(super) fn smtp(self, server: &'static str, kind: &'static str, how: Security) -> Self {
        self.leg(Protocol::Smtp, At { server, kind }, how)
    }

    /// A leg of any protocol.
    pub(super) fn leg(mut self, protocol: Protocol, at: At, security: Security) -> Self {
        let leg = Some(LegAt { at, protocol, security });
        match protocol {
            Protocol::Smtp => self.outgoing = leg,
            Protocol::Imap | Protocol::Pop3 => self.incoming = leg,
        }
        self
    }

    /// Sends something else than the user's password.
    pub(super) fn with(mut self, with: With) -> Self {
        self.with = with;
        self
    }

    /// Checks another mailbox than that of the user who logs in.
    pub(super) fn mailbox(mut self, name: &'static str) -> Self {
        self.mailbox = Some(name);
        self
    }

    /// Says how far the outgoing leg goes; an envelope otherwise.
    pub(super) fn mail(mut self, mail: Mail) -> Self {
        self.mail = mail;
        self
    }

    /// Lets bad certificates pass.
    pub(super) fn insecure(mut self) -> Self {
        self.certificates = CertificatePolicy::AllowInsecure;
        self
    }

    /// Holds sessions open while the row runs.
    pub(super) fn crowd(mut self, crowd: Crowd) -> Self {
        self.crowd = Some(crowd);
        self
    }

    /// Looks no longer than this for the test mail.
    pub(super) fn look_for(mut self, time: Duration) -> Self {
        self.arrival_timeout = time;
        self
    }

    /// Expects nothing in the way, and these warnings.
    pub(super) fn healthy(self, warnings: &[FaultCode]) -> Self {
        self.expect(Verdict::Healthy, warnings)
    }

    /// Expects faults that somebody must act on, the headline first.
    pub(super) fn faulty(self, codes: &[FaultCode]) -> Self {
        self.expect(Verdict::Faulty, codes)
    }

    /// Expects only what may pass by itself.
    pub(super) fn inconclusive(self, codes: &[FaultCode]) -> Self {
        self.expect(Verdict::Inconclusive, codes)
    }

    fn expect(mut self, verdict: Verdict, codes: &[FaultCode]) -> Self {
        self.verdict = verdict;
        self.codes = codes.to_vec();
        self
    }

    /// Expects the report to show this.
    pub(super) fn shows(mut self, what: Shows) -> Self {
        self.shows.push(what);
        self
    }

    /// The endpoints that the row needs.
    pub(super) fn places(&self) -> impl Iterator<Item = At> {
        let legs = self.incoming.iter().chain(&self.outgoing).map(|leg| leg.at);
        legs.chain(self.crowd.iter().map(|crowd| crowd.at))
    }
}
