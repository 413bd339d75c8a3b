//! What IMAP servers say. See `personality` for where the texts come from.

/// When a server tells its capabilities without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// In the greeting and in the answer to the login.
    Always,
    /// In the greeting only.
    Greeting,
    /// In the answer to the login only.
    Login,
}

/// The texts of one IMAP server. `{limit}`, `{count}`, `{address}` and `{user}` are filled in.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) tells: Tells,
    /// Capabilities before the login, without STARTTLS, LOGINDISABLED and AUTH=.
    pub(crate) before: &'static str,
    /// Capabilities after the login.
    pub(crate) after: &'static str,
    /// The greeting's text.
    pub(crate) ready: &'static str,
    /// The fields of the answer to ID; none: the command is unknown.
    pub(crate) id: Option<&'static str>,
    pub(crate) logged_in: &'static str,
    /// After the tag: the refusal of a credential.
    pub(crate) refused: &'static str,
    /// After the tag: the refusal of a login without TLS.
    pub(crate) needs_tls: &'static str,
    /// After the tag: too many sessions of one user and address.
    pub(crate) limit: &'static str,
    /// After the tag: what is not a command.
    pub(crate) unknown: &'static str,
    /// After the tag: not a mechanism.
    pub(crate) no_mechanism: &'static str,
    pub(crate) starttls: &'static str,
    pub(crate) bye: &'static str,
    /// Whether folder names in LIST are quoted even where that is not needed.
    pub(crate) quotes: Quotes,
}

/// How folder names are written in LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    WhereNeeded,
    Always,
}

pub(crate) const GENERIC: Voice = Voice {
    tells: Tells::Always,
    before: "IMAP4rev1 SASL-IR LITERAL+ ID",
    after: "IMAP4rev1 SASL-IR LITERAL+ ID UIDPLUS MOVE SPECIAL-USE UNSELECT NAMESPACE IDLE",
    ready: "mailsim ready",
    id: Some(r#"("name" "mailsim")"#),
    logged_in: "Logged in",
    refused: "NO [AUTHENTICATIONFAILED] Authentication failed",
    needs_tls: "NO [PRIVACYREQUIRED] TLS required",
    limit: "NO [LIMIT] Too many connections ({count} of {limit})",
    unknown: "BAD Unknown command",
    no_mechanism: "NO Unsupported authentication mechanism",
    starttls: "Begin TLS negotiation now",
    bye: "Logging out",
    quotes: Quotes::WhereNeeded,
};

pub(crate) const DOVECOT: Voice = Voice {
    tells: Tells::Always,
    before: "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+",
    after: "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE UNSELECT CHILDREN NAMESPACE UIDPLUS \
            MOVE LITERAL+ SPECIAL-USE",
    ready: "Dovecot (Debian) ready.",
    id: Some(r#"("name" "Dovecot" "version" "2.3.19.1")"#),
    logged_in: "Logged in",
    refused: "NO [AUTHENTICATIONFAILED] Authentication failed.",
    needs_tls: "NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) \
                connections.",
    limit: "NO [LIMIT] Maximum number of connections from user+IP exceeded \
            (mail_max_userip_connections={limit})",
    unknown: "BAD Error in IMAP command received by server.",
    no_mechanism: "NO [ALERT] Unsupported authentication mechanism.",
    starttls: "Begin TLS negotiation now.",
    bye: "Logging out",
    quotes: Quotes::WhereNeeded,
};

pub(crate) const COURIER: Voice = Voice {
    tells: Tells::Greeting,
    before: "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT \
             QUOTA IDLE ACL ACL2=UNION ENABLE UTF8=ACCEPT",
    after: "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT \
            QUOTA IDLE ACL ACL2=UNION ENABLE UTF8=ACCEPT",
    ready: "Courier-IMAP ready. Copyright 1998-2019 Double Precision, Inc.  See COPYING for \
            distribution information.",
    id: None,
    logged_in: "LOGIN Ok.",
    refused: "NO Login failed.",
    needs_tls: "NO STARTTLS required",
    limit: "NO Login failed.",
    unknown: "NO Error in IMAP command received by server.",
    no_mechanism: "NO Login failed.",
    starttls: "Begin SSL/TLS negotiation now.",
    bye: "Courier-IMAP server shutting down",
    quotes: Quotes::Always,
};

pub(crate) const CYRUS: Voice = Voice {
    tells: Tells::Always,
    before: "IMAP4rev1 LITERAL+ ID ENABLE SASL-IR",
    after: "IMAP4rev1 LITERAL+ ID ENABLE CHILDREN MOVE NAMESPACE UIDPLUS UNSELECT LOGINDISABLED \
            IDLE",
    ready: "mail Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u4 server ready",
    id: Some(
        r#"("name" "Cyrus IMAPD" "version" "3.6.1-Debian-3.6.1-4+deb12u4" "vendor" "Project Cyrus")"#,
    ),
    logged_in: "User logged in SESSIONID=<cyrus-1-1-1>",
    refused: "NO Login failed: authentication failure",
    needs_tls: "NO Login only available under a layer",
    limit: "NO Too many open connections ({count} of {limit} from [{address}], {count} of {limit} \
            for {user})",
    unknown: "BAD Unrecognized command",
    no_mechanism: "NO no mechanism available",
    starttls: "Begin TLS negotiation now",
    bye: "LOGOUT received",
    quotes: Quotes::WhereNeeded,
};

pub(crate) const EXCHANGE: Voice = Voice {
    tells: Tells::Login,
    before: "IMAP4 IMAP4rev1 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    after: "IMAP4 IMAP4rev1 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    ready: "The Microsoft Exchange IMAP4 service is ready.",
    id: Some(r#"("name" "Microsoft.Exchange.Imap4.Imap4Server" "version" "15.20")"#),
    logged_in: "LOGIN completed.",
    refused: "NO LOGIN failed.",
    needs_tls: "BAD Command received in Invalid state.",
    limit: "NO User is authenticated but not connected.",
    unknown: "BAD Command Argument Error. 11",
    no_mechanism: "NO AUTHENTICATE failed.",
    starttls: "Begin TLS negotiation now.",
    bye: "Microsoft Exchange Server IMAP4 server signing off.",
    quotes: Quotes::WhereNeeded,
};

pub(crate) const GMAIL: Voice = Voice {
    tells: Tells::Login,
    before: "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR \
             AUTH=PLAIN-CLIENTTOKEN",
    after: "IMAP4rev1 UNSELECT IDLE NAMESPACE ID CHILDREN UIDPLUS MOVE SPECIAL-USE LITERAL-",
    ready: "Gimap ready for requests from {address} mailsim",
    id: Some(
        r#"("name" "GImap" "vendor" "Google, Inc." "support-url" "http://support.google.com/mail")"#,
    ),
    logged_in: "{user} authenticated (Success)",
    refused: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    needs_tls: "NO [PRIVACYREQUIRED] TLS required",
    limit: "NO [ALERT] Too many simultaneous connections. (Failure)",
    unknown: "BAD Could not parse command",
    no_mechanism: "NO [CANNOT] Unsupported authentication mechanism",
    starttls: "Begin TLS negotiation now.",
    bye: "LOGOUT Requested",
    quotes: Quotes::Always,
};
