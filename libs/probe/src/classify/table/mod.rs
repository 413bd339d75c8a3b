//! The table of known words: data, one row per way of saying something.
//!
//! A row says when it applies (moment, protocol, kind of credential), which words must
//! all be there, which must not, and what they mean. Rows are asked in order and the
//! first that fits wins, so the files stand from the special to the general: texts that
//! name several causes, TLS, provider texts and ways to log in, limits, accounts,
//! networks, submission, mailboxes, trouble of the server, plain wrong passwords.
//!
//! Every row carries a source and a sample; a test holds that the sample is decided by
//! that very row, so that no row is dead. Words are written in their plain form: the
//! comparison ignores case, accents and width (`fold`). `{name}` in a list stands for a
//! concept in all its languages (`words`).

mod access;
mod account;
mod availability;
mod limits;
mod network;
mod password;
mod secure;
mod submission;
mod words;

use std::sync::LazyLock;

use mailfleet_model::{Confidence, FaultCode, Protocol};

use super::fold::{AnyOf, Folded};
use super::{Finding, Refusal, ReplyPhase};
use crate::reply::Banner;

/// Moments of the dialogue, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moments(u16);

impl Moments {
    const GREETING: Self = Self(1);
    const EHLO: Self = Self(1 << 1);
    const STARTTLS: Self = Self(1 << 2);
    const AUTH: Self = Self(1 << 3);
    const OPEN: Self = Self(1 << 4);
    const MAIL: Self = Self(1 << 5);
    const RCPT: Self = Self(1 << 6);
    const DATA: Self = Self(1 << 7);

    /// Greeting and EHLO or CAPABILITY.
    const START: Self = Self::GREETING.and(Self::EHLO);
    /// Everything up to the login.
    const LOGIN: Self = Self::START.and(Self::AUTH);
    /// MAIL FROM, RCPT TO, DATA and the content.
    const SUBMIT: Self = Self::MAIL.and(Self::RCPT).and(Self::DATA);
    /// The login, the mailbox after it, and MAIL FROM, where some servers say what
    /// they did not say at the login.
    const ACCOUNT: Self = Self::LOGIN.and(Self::OPEN).and(Self::MAIL);
    /// Everything.
    const ANY: Self = Self(0xff);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn holds(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn of(phase: ReplyPhase) -> Self {
        match phase {
            ReplyPhase::Greeting => Self::GREETING,
            ReplyPhase::Capability => Self::EHLO,
            ReplyPhase::Starttls => Self::STARTTLS,
            ReplyPhase::Auth => Self::AUTH,
            ReplyPhase::List | ReplyPhase::Open | ReplyPhase::Other => Self::OPEN,
            ReplyPhase::MailFrom => Self::MAIL,
            ReplyPhase::RcptTo => Self::RCPT,
            ReplyPhase::Data | ReplyPhase::Body => Self::DATA,
        }
    }
}

/// The kind of credential that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Either,
    Token,
}

/// One way of saying something, and what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    at: Moments,
    protocol: Option<Protocol>,
    about: About,
    /// Groups that must all occur; within a group, one of the fragments is enough.
    words: &'static [&'static str],
    /// Fragments of which none may occur.
    unless: &'static str,
    code: FaultCode,
    confidence: Confidence,
    alternatives: &'static [FaultCode],
    /// Where such a text was seen.
    source: &'static str,
    /// A text that this row decides. Read by the tests.
    sample: &'static str,
}

/// A row for all protocols and credentials, `CERTAIN`, to be narrowed by the methods below.
const fn row(at: Moments, words: &'static [&'static str], code: FaultCode) -> Row {
    Row {
        at,
        protocol: None,
        about: About::Either,
        words,
        unless: "",
        code,
        confidence: Confidence::Certain,
        alternatives: &[],
        source: "",
        sample: "",
    }
}

impl Row {
    const fn on(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    const fn after_token(mut self) -> Self {
        self.about = About::Token;
        self
    }

    const fn unless(mut self, words: &'static str) -> Self {
        self.unless = words;
        self
    }

    const fn likely(mut self, alternatives: &'static [FaultCode]) -> Self {
        self.confidence = Confidence::Likely;
        self.alternatives = alternatives;
        self
    }

    const fn ambiguous(mut self, alternatives: &'static [FaultCode]) -> Self {
        self.confidence = Confidence::Ambiguous;
        self.alternatives = alternatives;
        self
    }

    /// Names where the text was seen and gives one.
    const fn seen(mut self, source: &'static str, sample: &'static str) -> Self {
        self.source = source;
        self.sample = sample;
        self
    }

    /// What the row concludes.
    pub(super) fn finding(&self) -> Finding {
        Finding { code: self.code, confidence: self.confidence, alternatives: self.alternatives }
    }
}

/// A row with its words made ready for comparison.
struct Compiled {
    row: &'static Row,
    words: Vec<AnyOf>,
    unless: AnyOf,
}

/// All rows, in the order in which they are asked.
static TABLE: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    rows()
        .map(|row| Compiled {
            row,
            words: row.words.iter().map(|group| AnyOf::compile(&words::expand(group))).collect(),
            unless: AnyOf::compile(&words::expand(row.unless)),
        })
        .collect()
});

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        password::SEVERAL_CAUSES,
        secure::ROWS,
        access::ROWS,
        limits::ROWS,
        account::ROWS,
        submission::BEFORE_NETWORK,
        network::ROWS,
        submission::ROWS,
        availability::ROWS,
        password::ROWS,
        availability::VAGUE,
    ]
    .into_iter()
    .flatten()
}

/// The first row that fits.
pub(super) fn look_up(refusal: &Refusal<'_>, words: &Folded) -> Option<&'static Row> {
    let moment = Moments::of(refusal.phase);
    let is_token = refusal.is_token();
    let fits = |compiled: &&Compiled| {
        let row = compiled.row;
        let is_about = match row.about {
            About::Either => true,
            About::Token => is_token,
        };
        row.at.holds(moment)
            && is_about
            && row.protocol.is_none_or(|protocol| protocol == refusal.protocol)
            && compiled.words.iter().all(|group| group.occurs_in(words))
            && !compiled.unless.occurs_in(words)
    };
    TABLE.iter().find(fits).map(|compiled| compiled.row)
}

/// Whether the words say that another session holds the mailbox.
pub(super) fn says_in_use(words: &Folded) -> bool {
    static IN_USE: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::compile(account::IN_USE));
    IN_USE.occurs_in(words)
}

/// The protocol whose words are quoted inside a reply, as by a client library.
pub(super) fn protocol_named_in(text: &str) -> Option<Banner> {
    let text = text.to_ascii_lowercase();
    if text.contains("+ok") || text.contains("-err") {
        Some(Banner::Mail(Protocol::Pop3))
    } else if text.contains("imap") || text.contains("bad ") {
        Some(Banner::Mail(Protocol::Imap))
    } else if text.contains("http") {
        Some(Banner::Http)
    } else if text.contains("smtp") {
        Some(Banner::Mail(Protocol::Smtp))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
