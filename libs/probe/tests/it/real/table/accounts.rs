//! Logins that are refused, and mailboxes that cannot be used after the login.

use mailfleet_model::{FaultCode as C, Protocol, Security};

use crate::real::row::{At, Crowd, Row, Shows, With, row};

use Protocol::{Imap, Pop3, Smtp};
use Security::{Starttls, Tls};

pub(super) fn rows() -> Vec<Row> {
    [wrong_passwords(), refused(), temporary(), limits(), two_legs()].concat()
}

/// Server, protocol, kind of endpoint, security, headline, words that the report keeps.
///
/// Courier says no more than that the login failed, and Cyrus over IMAP likewise; there it
/// may as well be something else.
const WRONG: [(&str, Protocol, &str, Security, C, &str); 12] = [
    ("dovecot", Imap, "imap_tls", Tls, C::AuthInvalidCredentials, "Authentication failed"),
    ("dovecot", Imap, "imap", Starttls, C::AuthInvalidCredentials, "Authentication failed"),
    ("dovecot", Pop3, "pop3_tls", Tls, C::AuthInvalidCredentials, "Authentication failed"),
    ("dovecot", Smtp, "submission", Starttls, C::AuthInvalidCredentials, "Authentication failed"),
    ("postfix", Smtp, "submission", Starttls, C::AuthInvalidCredentials, "reason unavailable"),
    ("postfix", Smtp, "submission_tls", Tls, C::AuthInvalidCredentials, "reason unavailable"),
    (
        "exim",
        Smtp,
        "submission_tls",
        Tls,
        C::AuthInvalidCredentials,
        "Incorrect authentication data",
    ),
    (
        "exim",
        Smtp,
        "submission",
        Starttls,
        C::AuthInvalidCredentials,
        "Incorrect authentication data",
    ),
    ("cyrus", Imap, "imap_tls", Tls, C::AuthRejectedUnspecified, "authentication failure"),
    ("cyrus", Pop3, "pop3_tls", Tls, C::AuthInvalidCredentials, ""),
    ("courier", Imap, "imap_tls", Tls, C::AuthRejectedUnspecified, "Login failed"),
    ("courier", Pop3, "pop3_tls", Tls, C::AuthRejectedUnspecified, "Authentication failed"),
];

fn wrong_passwords() -> Vec<Row> {
    let rows = WRONG.map(|(server, protocol, kind, security, code, words)| {
        let row = row(format!("wrong password: {server} {kind}"), "user016")
            .leg(protocol, At { server, kind }, security)
            .with(With::WrongPassword)
            .faulty(&[code])
            .shows(Shows::Words(words));
        match (server, protocol) {
            ("courier", Imap) => row.faulty(&[code, C::ServerSoftwareUnsupported]),
            _ => row,
        }
    });
    rows.into()
}

/// User, server, protocol, kind of endpoint, headline.
const REFUSED: [(&str, &str, Protocol, &str, C); 18] = [
    ("disabled", "dovecot", Imap, "imap_tls", C::AuthAccountLocked),
    ("disabled", "dovecot", Pop3, "pop3_tls", C::AuthAccountLocked),
    ("disabled", "dovecot", Smtp, "submission_tls", C::AuthAccountLocked),
    ("nologin", "dovecot", Imap, "imap_tls", C::AuthAccountLocked),
    ("nologin", "dovecot", Pop3, "pop3_tls", C::AuthAccountLocked),
    ("locked", "dovecot", Imap, "imap_tls", C::AuthInvalidCredentials),
    ("locked", "dovecot", Pop3, "pop3_tls", C::AuthInvalidCredentials),
    ("locked", "dovecot", Smtp, "submission_tls", C::AuthInvalidCredentials),
    ("locked", "postfix", Smtp, "submission_tls", C::AuthInvalidCredentials),
    ("netonly", "dovecot", Imap, "imap_tls", C::AuthInvalidCredentials),
    ("expired", "dovecot", Imap, "imap_tls", C::AuthPasswordExpired),
    ("expired", "dovecot", Pop3, "pop3_tls", C::AuthPasswordExpired),
    ("expired", "dovecot", Smtp, "submission_tls", C::AuthPasswordExpired),
    ("expired", "postfix", Smtp, "submission_tls", C::AuthPasswordExpired),
    // Postfix tells a failure of the user database like a wrong password.
    ("tempfail", "postfix", Smtp, "submission_tls", C::AuthInvalidCredentials),
    ("disabled", "courier", Pop3, "pop3_tls", C::ProtocolDisabledForMailbox),
    ("user060", "cyrus", Imap, "imap_tls", C::AuthRejectedUnspecified),
    ("user060", "cyrus", Pop3, "pop3_tls", C::AuthInvalidCredentials),
];

fn refused() -> Vec<Row> {
    let rows = REFUSED.map(|(user, server, protocol, kind, code)| {
        row(format!("{user}: {server} {kind}"), user)
            .leg(protocol, At { server, kind }, Tls)
            .faulty(&[code])
    });
    let after_login = [
        // Welcomed first, and sent away after that.
        row("disabled: courier imap_tls", "disabled")
            .imap("courier", "imap_tls", Tls)
            .faulty(&[C::ProtocolDisabledForMailbox, C::ServerSoftwareUnsupported]),
        row("home missing: courier imap_tls", "lost")
            .imap("courier", "imap_tls", Tls)
            .faulty(&[C::ServerSoftwareUnsupported, C::AuthTemporaryFailure]),
        // Postfix asks Dovecot for the password only.
        row("disabled: postfix does not learn of it", "disabled")
            .smtp("postfix", "submission_tls", Tls)
            .healthy(&[]),
        row("over quota: can be opened", "overquota").imap("dovecot", "imap_tls", Tls).healthy(&[]),
    ];
    rows.into_iter().chain(after_login).collect()
}

fn temporary() -> Vec<Row> {
    let places = [
        ("dovecot", Imap, "imap_tls"),
        ("dovecot", Pop3, "pop3_tls"),
        ("dovecot", Smtp, "submission_tls"),
        ("exim", Smtp, "submission_tls"),
    ];
    let rows = places.map(|(server, protocol, kind)| {
        row(format!("tempfail: {server} {kind}"), "tempfail")
            .leg(protocol, At { server, kind }, Tls)
            .inconclusive(&[C::AuthTemporaryFailure])
    });
    rows.into()
}

fn limits() -> Vec<Row> {
    let full = |name: &str, server, kind, count, user| {
        let at = At { server, kind };
        row(format!("limit: {name}"), user).crowd(Crowd { at, count, user: Some(user) })
    };
    let connections = |name: &str, server, kind, count| {
        let at = At { server, kind };
        row(format!("limit: {name}"), "user016").crowd(Crowd { at, count, user: None })
    };
    vec![
        full(
            "dovecot, sessions of a user from an address",
            "dovecot_limited",
            "imap_tls",
            4,
            "limited",
        )
        .imap("dovecot_limited", "imap_tls", Tls)
        .inconclusive(&[C::TooManyConnections]),
        full("cyrus, sessions of a user", "cyrus_limited", "imap_tls", 2, "user014")
            .imap("cyrus_limited", "imap_tls", Tls)
            .inconclusive(&[C::TooManyConnections]),
        connections("postfix, connections from an address", "postfix", "submission_single", 1)
            .smtp("postfix", "submission_single", Starttls)
            .inconclusive(&[C::TooManyConnections]),
        // Closed without a word, so that the limit can only be guessed.
        connections("courier, connections from an address", "courier_limited", "imap", 4)
            .imap("courier_limited", "imap", Starttls)
            .inconclusive(&[C::ConnectionClosedEarly])
            .shows(Shows::Alternative(C::TooManyConnections)),
    ]
}

/// One secret for both directions is not tried a second time after a definite refusal.
fn two_legs() -> Vec<Row> {
    vec![
        row("two legs: one wrong password", "user022")
            .imap("dovecot", "imap_tls", Tls)
            .smtp("dovecot", "submission_tls", Tls)
            .with(With::WrongPassword)
            .faulty(&[C::AuthInvalidCredentials, C::LegNotTried])
            .shows(Shows::OneLoginOnly),
        row("two legs: expired for both", "expired")
            .imap("dovecot", "imap_tls", Tls)
            .smtp("postfix", "submission_tls", Tls)
            .faulty(&[C::AuthPasswordExpired, C::LegNotTried])
            .shows(Shows::OneLoginOnly),
        row("two legs: IMAP good, MX without login", "user023")
            .imap("dovecot", "imap_tls", Tls)
            .smtp("postfix", "mx", Starttls)
            .faulty(&[C::AuthNotOfferedOnPort]),
    ]
}
