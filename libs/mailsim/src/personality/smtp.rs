//! What SMTP servers say. See `personality` for where the texts come from.

/// The texts of one SMTP server. `{host}`, `{size}`, `{address}`, `{recipient}` and `{id}` are
/// filled in; answers begin with their code.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) greeting: &'static str,
    /// The first line of the answer to EHLO, without its code.
    pub(crate) hello: &'static str,
    /// The extensions, without STARTTLS and AUTH.
    pub(crate) extensions: &'static [&'static str],
    pub(crate) starttls: &'static str,
    pub(crate) logged_in: &'static str,
    pub(crate) refused: &'static str,
    /// AUTH or MAIL before TLS.
    pub(crate) needs_tls: &'static str,
    /// MAIL or RCPT before the login at a submission server.
    pub(crate) needs_login: &'static str,
    pub(crate) needs_login_at: NeedsLoginAt,
    pub(crate) no_mechanism: &'static str,
    pub(crate) no_auth_here: &'static str,
    pub(crate) mail_ok: &'static str,
    pub(crate) rcpt_ok: &'static str,
    pub(crate) unknown_recipient: &'static str,
    pub(crate) relay_denied: &'static str,
    pub(crate) too_big: &'static str,
    pub(crate) data: &'static str,
    pub(crate) queued: &'static str,
    pub(crate) limit: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) sequence: &'static str,
    pub(crate) bye: &'static str,
}

/// The command at which a submission server asks for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeedsLoginAt {
    Mail,
    Rcpt,
}

pub(crate) const GENERIC: Voice = Voice {
    greeting: "220 {host} ESMTP mailsim",
    hello: "{host}",
    extensions: &["PIPELINING", "SIZE {size}", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"],
    starttls: "220 2.0.0 Ready to start TLS",
    logged_in: "235 2.7.0 Authentication successful",
    refused: "535 5.7.8 Authentication failed",
    needs_tls: "530 5.7.0 Must issue a STARTTLS command first",
    needs_login: "530 5.7.0 Authentication required",
    needs_login_at: NeedsLoginAt::Mail,
    no_mechanism: "504 5.5.4 Unrecognized authentication type",
    no_auth_here: "503 5.5.1 Error: authentication not enabled",
    mail_ok: "250 2.1.0 Ok",
    rcpt_ok: "250 2.1.5 Ok",
    unknown_recipient: "550 5.1.1 <{recipient}>: User unknown",
    relay_denied: "554 5.7.1 <{recipient}>: Relay access denied",
    too_big: "552 5.3.4 Message size exceeds fixed limit",
    data: "354 End data with <CR><LF>.<CR><LF>",
    queued: "250 2.0.0 Ok: queued as {id}",
    limit: "421 4.7.0 {host} Error: too many connections from {address}",
    unknown: "500 5.5.2 Error: command not recognized",
    sequence: "503 5.5.1 Error: bad sequence of commands",
    bye: "221 2.0.0 Bye",
};

pub(crate) const POSTFIX: Voice = Voice {
    greeting: "220 {host} ESMTP Postfix",
    extensions: &[
        "PIPELINING",
        "SIZE {size}",
        "VRFY",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "SMTPUTF8",
    ],
    refused: "535 5.7.8 Error: authentication failed: (reason unavailable)",
    needs_login: "554 5.7.1 <{recipient}>: Recipient address rejected: Access denied",
    needs_login_at: NeedsLoginAt::Rcpt,
    no_mechanism: "535 5.7.8 Error: authentication failed: Invalid authentication mechanism",
    unknown_recipient: "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown in \
                        virtual mailbox table",
    ..GENERIC
};

pub(crate) const DOVECOT: Voice = Voice {
    greeting: "220 {host} Dovecot (Debian) ready.",
    extensions: &["8BITMIME", "ENHANCEDSTATUSCODES", "SIZE {size}", "PIPELINING"],
    starttls: "220 2.0.0 Begin TLS negotiation now.",
    logged_in: "235 2.7.0 Logged in.",
    refused: "535 5.7.8 Authentication failed.",
    needs_tls: "530 5.7.0 TLS required.",
    needs_login: "530 5.7.0 Authentication required.",
    no_mechanism: "504 5.5.4 Unsupported authentication mechanism.",
    too_big: "552 5.2.3 Message size exceeds administrative limit.",
    data: "354 OK",
    unknown: "500 5.5.1 Unknown command",
    ..GENERIC
};

pub(crate) const EXIM: Voice = Voice {
    greeting: "220 {host} ESMTP Exim 4.96 Sun, 22 Nov 2026 02:23:42 +0000",
    hello: "{host} Hello client [{address}]",
    extensions: &["SIZE {size}", "8BITMIME", "PIPELINING", "SMTPUTF8", "HELP"],
    starttls: "220 TLS go ahead",
    logged_in: "235 Authentication succeeded",
    refused: "535 Incorrect authentication data",
    needs_tls: "503 AUTH command used when not advertised",
    needs_login: "550 5.7.0 Authentication required",
    no_mechanism: "504 AUTH mechanism not supported",
    no_auth_here: "503 AUTH command used when not advertised",
    mail_ok: "250 OK",
    rcpt_ok: "250 Accepted",
    unknown_recipient: "550 no such user",
    relay_denied: "550 relay not permitted",
    too_big: "552 Message size exceeds maximum permitted",
    data: "354 Enter message, ending with \".\" on a line by itself",
    queued: "250 OK id={id}",
    limit: "421 Too many concurrent SMTP connections; please try again later",
    unknown: "500 unrecognized command",
    sequence: "503 valid RCPT command must precede DATA",
    bye: "221 {host} closing connection",
    ..GENERIC
};

pub(crate) const COURIER: Voice = Voice {
    greeting: "220 {host} ESMTP",
    hello: "{host} Ok.",
    extensions: &["8BITMIME", "SIZE {size}", "DSN"],
    refused: "535 Authentication failed.",
    logged_in: "235 Ok",
    needs_login: "535 Authentication required.",
    ..GENERIC
};

pub(crate) const EXCHANGE: Voice = Voice {
    greeting: "220 {host} Microsoft ESMTP MAIL Service ready",
    hello: "{host} Hello [{address}]",
    extensions: &[
        "SIZE {size}",
        "PIPELINING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "SMTPUTF8",
    ],
    starttls: "220 2.0.0 SMTP server ready",
    refused: "535 5.7.3 Authentication unsuccessful",
    needs_tls: "451 5.7.3 STARTTLS is required to send mail",
    needs_login: "530 5.7.57 Client not authenticated to send mail.",
    unknown_recipient: "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
    relay_denied: "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    data: "354 Start mail input; end with <CRLF>.<CRLF>",
    queued: "250 2.6.0 <{id}@{host}> Queued mail for delivery",
    bye: "221 2.0.0 Service closing transmission channel",
    ..GENERIC
};

pub(crate) const GMAIL: Voice = Voice {
    greeting: "220 {host} ESMTP mailsim - gsmtp",
    hello: "{host} at your service, [{address}]",
    extensions: &["SIZE {size}", "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "SMTPUTF8"],
    logged_in: "235 2.7.0 Accepted",
    refused: "535-5.7.8 Username and Password not accepted. For more information, go to\r\n\
              535 5.7.8  https://support.google.com/mail/?p=BadCredentials mailsim - gsmtp",
    needs_tls: "530 5.7.0 Must issue a STARTTLS command first. mailsim - gsmtp",
    needs_login: "530-5.7.0 Authentication Required. For more information, go to\r\n\
                  530 5.7.0  https://support.google.com/mail/?p=WantAuthError mailsim - gsmtp",
    data: "354 Go ahead mailsim - gsmtp",
    queued: "250 2.0.0 OK  {id} - gsmtp",
    bye: "221 2.0.0 closing connection mailsim - gsmtp",
    ..GENERIC
};
