//! Whose manners a server has: the words of real servers.
//!
//! Data, not behaviour: one table per protocol. Texts are those that Dovecot 2.3, Courier 5.0,
//! Cyrus 3.6, Postfix 3.7 and Exim 4.96 of Debian 12 answered to us; Gmail's and Exchange's are
//! as their users report them. Capability lists after the login name only what the simulator
//! really does; those before it are complete, because clients recognise servers by them.

pub(crate) mod imap;
pub(crate) mod pop3;
pub(crate) mod smtp;

use crate::layout::Layout;
use crate::sasl::Mechanism;

/// A real server to imitate.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "lowercase")]
pub enum Personality {
    /// Nobody in particular: short standard answers.
    #[default]
    Generic,
    /// Dovecot; as SMTP, Dovecot submission.
    Dovecot,
    /// Courier.
    Courier,
    /// Cyrus; as SMTP like `Generic`.
    Cyrus,
    /// Microsoft Exchange.
    Exchange,
    /// Gmail.
    Gmail,
    /// Postfix; as IMAP and POP3 like `Dovecot`, its usual companion.
    Postfix,
    /// Exim; as IMAP and POP3 like `Dovecot`, its usual companion.
    Exim,
}

/// All texts of one personality.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) imap: &'static imap::Voice,
    pub(crate) pop3: &'static pop3::Voice,
    pub(crate) smtp: &'static smtp::Voice,
    pub(crate) mechanisms: &'static [Mechanism],
}

const MANY: &[Mechanism] = &[
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::CramMd5,
    Mechanism::XOAuth2,
    Mechanism::OAuthBearer,
];
const CYRUS: &[Mechanism] =
    &[Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256, Mechanism::CramMd5];
const PLAIN: &[Mechanism] = &[Mechanism::Plain];
const PLAIN_AND_LOGIN: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];
const EXCHANGE: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login, Mechanism::XOAuth2];
const GMAIL: &[Mechanism] =
    &[Mechanism::XOAuth2, Mechanism::Plain, Mechanism::Login, Mechanism::OAuthBearer];

impl Personality {
    /// The folders that accounts of this server have by default.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::Courier => Layout::Courier,
            Self::Cyrus | Self::Exchange => Layout::Plain,
            Self::Gmail => Layout::Gmail,
            Self::Generic | Self::Dovecot | Self::Postfix | Self::Exim => Layout::SpecialUse,
        }
    }
}

impl Voice {
    pub(crate) fn of(personality: Personality) -> Self {
        match personality {
            Personality::Generic => Self {
                imap: &imap::GENERIC,
                pop3: &pop3::GENERIC,
                smtp: &smtp::GENERIC,
                mechanisms: MANY,
            },
            Personality::Dovecot => Self {
                imap: &imap::DOVECOT,
                pop3: &pop3::DOVECOT,
                smtp: &smtp::DOVECOT,
                mechanisms: MANY,
            },
            Personality::Courier => Self {
                imap: &imap::COURIER,
                pop3: &pop3::COURIER,
                smtp: &smtp::COURIER,
                mechanisms: PLAIN,
            },
            Personality::Cyrus => Self {
                imap: &imap::CYRUS,
                pop3: &pop3::CYRUS,
                smtp: &smtp::GENERIC,
                mechanisms: CYRUS,
            },
            Personality::Exchange => Self {
                imap: &imap::EXCHANGE,
                pop3: &pop3::EXCHANGE,
                smtp: &smtp::EXCHANGE,
                mechanisms: EXCHANGE,
            },
            Personality::Gmail => Self {
                imap: &imap::GMAIL,
                pop3: &pop3::GMAIL,
                smtp: &smtp::GMAIL,
                mechanisms: GMAIL,
            },
            Personality::Postfix => Self {
                imap: &imap::DOVECOT,
                pop3: &pop3::DOVECOT,
                smtp: &smtp::POSTFIX,
                mechanisms: MANY,
            },
            Personality::Exim => Self {
                imap: &imap::DOVECOT,
                pop3: &pop3::DOVECOT,
                smtp: &smtp::EXIM,
                mechanisms: PLAIN_AND_LOGIN,
            },
        }
    }
}
