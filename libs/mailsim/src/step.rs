//! The places in a session where a script can interfere.
//!
//! Apart from `fault`, because the recorder and the script share these names too.
//! Holds no behaviour: what a step means on the wire is each protocol's own matter.

use crate::server::Protocol;

/// One place in a session. The script writes it in lower case: `at login …`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::EnumIter,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    /// Every answer from the greeting on, also those to commands without a step of their own
    /// (USER, the prompts of AUTH, what is unknown); meant for latency.
    Any,
    /// Right after the TCP connection was accepted.
    Connect,
    /// The TLS handshake, on the implicit port or after STARTTLS.
    Tls,
    /// The server's first line.
    Greeting,
    /// STARTTLS or STLS.
    Starttls,
    /// CAPABILITY or CAPA.
    Capability,
    /// The answer that ends LOGIN, AUTHENTICATE, PASS or AUTH.
    Login,
    /// ID.
    Id,
    /// LIST of folders (IMAP) or of messages (POP3).
    List,
    /// SELECT or EXAMINE.
    Open,
    /// STATUS.
    Status,
    /// SEARCH and UID SEARCH.
    Search,
    /// FETCH and UID FETCH; RETR in POP3.
    Fetch,
    /// COPY and UID COPY.
    Copy,
    /// MOVE and UID MOVE.
    Move,
    /// STORE and UID STORE; DELE in POP3.
    Store,
    /// EXPUNGE and UID EXPUNGE.
    Expunge,
    /// EHLO or HELO.
    Ehlo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// The DATA command.
    Data,
    /// The answer after the final dot of the message.
    Body,
    /// RSET.
    Rset,
    /// STAT.
    Stat,
    /// UIDL.
    Uidl,
    /// TOP.
    Top,
    /// NOOP and IDLE.
    Noop,
    /// LOGOUT or QUIT.
    #[strum(to_string = "logout", serialize = "quit")]
    Logout,
}

impl Step {
    /// Tells whether a server of this protocol ever comes to this step.
    #[must_use]
    pub fn occurs_in(self, protocol: Protocol) -> bool {
        match self {
            Self::Any
            | Self::Connect
            | Self::Tls
            | Self::Greeting
            | Self::Starttls
            | Self::Login
            | Self::Noop
            | Self::Logout => true,
            Self::Id
            | Self::Open
            | Self::Status
            | Self::Search
            | Self::Copy
            | Self::Move
            | Self::Expunge => protocol == Protocol::Imap,
            Self::Capability | Self::List | Self::Fetch | Self::Store => protocol != Protocol::Smtp,
            Self::Ehlo | Self::Mail | Self::Rcpt | Self::Data | Self::Body => {
                protocol == Protocol::Smtp
            }
            Self::Rset => protocol != Protocol::Imap,
            Self::Stat | Self::Uidl | Self::Top => protocol == Protocol::Pop3,
        }
    }
}
