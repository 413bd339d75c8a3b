//! What POP3 servers say. See `personality` for where the texts come from.

/// The texts of one POP3 server. Answers begin with `+OK` or `-ERR`.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) greeting: &'static str,
    /// The line above the capabilities.
    pub(crate) listing: &'static str,
    /// Capabilities, without USER, STLS and SASL.
    pub(crate) capabilities: &'static [&'static str],
    pub(crate) user_ok: &'static str,
    pub(crate) logged_in: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) needs_tls: &'static str,
    pub(crate) limit: &'static str,
    pub(crate) stls: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) uidl: &'static str,
    pub(crate) bye: &'static str,
    /// Whether SASL is offered at all.
    pub(crate) sasl: Sasl,
}

/// Whether a POP3 server offers AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sasl {
    Offered,
    Absent,
}

const USUAL: &[&str] = &["CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"];

pub(crate) const GENERIC: Voice = Voice {
    greeting: "+OK mailsim ready",
    listing: "+OK",
    capabilities: USUAL,
    user_ok: "+OK",
    logged_in: "+OK Logged in",
    refused: "-ERR [AUTH] Authentication failed",
    needs_tls: "-ERR [AUTH] TLS required",
    limit: "-ERR [IN-USE] Too many connections",
    stls: "+OK Begin TLS negotiation now",
    unknown: "-ERR Unknown command",
    uidl: "+OK",
    bye: "+OK Logging out",
    sasl: Sasl::Offered,
};

pub(crate) const DOVECOT: Voice = Voice {
    greeting: "+OK Dovecot (Debian) ready.",
    listing: "+OK",
    capabilities: USUAL,
    user_ok: "+OK",
    logged_in: "+OK Logged in.",
    refused: "-ERR [AUTH] Authentication failed.",
    needs_tls: "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) \
                connections.",
    limit: "-ERR [IN-USE] Maximum number of connections from user+IP exceeded \
            (mail_max_userip_connections={limit})",
    stls: "+OK Begin TLS negotiation now.",
    unknown: "-ERR Unknown command.",
    uidl: "+OK",
    bye: "+OK Logging out.",
    sasl: Sasl::Offered,
};

pub(crate) const COURIER: Voice = Voice {
    greeting: "+OK Hello there.",
    listing: "+OK Here's what I can do:",
    capabilities: &[
        "TOP",
        "LOGIN-DELAY 10",
        "PIPELINING",
        "UIDL",
        "UTF8 USER",
        "IMPLEMENTATION Courier Mail Server",
    ],
    user_ok: "+OK Password required.",
    logged_in: "+OK logged in.",
    refused: "-ERR Login failed.",
    needs_tls: "-ERR TLS required to log in.",
    limit: "-ERR Login failed.",
    stls: "+OK Begin SSL/TLS negotiation now.",
    unknown: "-ERR Invalid command.",
    uidl: "+OK",
    bye: "+OK Bye-bye.",
    sasl: Sasl::Absent,
};

pub(crate) const CYRUS: Voice = Voice {
    greeting: "+OK mail Cyrus POP3 3.6.1-Debian-3.6.1-4+deb12u4 server ready \
               <14208327755693468.1795314181@mail>",
    listing: "+OK List of capabilities follows",
    capabilities: &[
        "EXPIRE NEVER",
        "LOGIN-DELAY 0",
        "TOP",
        "UIDL",
        "PIPELINING",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "IMPLEMENTATION Cyrus POP3 3.6.1-Debian-3.6.1-4+deb12u4",
    ],
    user_ok: "+OK Name is a valid mailbox",
    logged_in: "+OK Mailbox locked and ready SESSIONID=<cyrus-1-1-1>",
    refused: "-ERR [AUTH] Invalid login",
    needs_tls: "-ERR [AUTH] USER command only available under a layer",
    limit: "-ERR [IN-USE] Too many open connections",
    stls: "+OK Begin TLS negotiation now",
    unknown: "-ERR Unrecognized command",
    uidl: "+OK unique-id listing follows",
    bye: "+OK",
    sasl: Sasl::Offered,
};

pub(crate) const EXCHANGE: Voice = Voice {
    greeting: "+OK The Microsoft Exchange POP3 service is ready.",
    listing: "+OK",
    capabilities: &["TOP", "UIDL"],
    user_ok: "+OK",
    logged_in: "+OK User successfully logged on.",
    refused: "-ERR Logon failure: unknown user name or bad password.",
    needs_tls: "-ERR Command is not valid in this state.",
    limit: "-ERR Connection is closed. 21",
    stls: "+OK Begin TLS negotiation.",
    unknown: "-ERR Protocol error. 14",
    uidl: "+OK",
    bye: "+OK Microsoft Exchange Server POP3 server signing off.",
    sasl: Sasl::Offered,
};

pub(crate) const GMAIL: Voice = Voice {
    greeting: "+OK Gpop ready for requests from {address} mailsim",
    listing: "+OK Capability list follows",
    capabilities: &["RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL", "X-GOOGLE-RICO"],
    user_ok: "+OK send PASS",
    logged_in: "+OK Welcome.",
    refused: "-ERR [AUTH] Username and password not accepted.",
    needs_tls: "-ERR [AUTH] TLS required",
    limit: "-ERR [IN-USE] Unable to lock maildrop",
    stls: "+OK Begin TLS negotiation",
    unknown: "-ERR bad command",
    uidl: "+OK",
    bye: "+OK Farewell.",
    sasl: Sasl::Offered,
};
