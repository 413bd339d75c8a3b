//! Mailboxes that work: every server, every way to encryption, every mechanism.

use mailfleet_model::leg::FolderRole;
use mailfleet_model::{FaultCode as C, Protocol, Security};

use crate::real::row::{At, Mail, Row, Shows, With, row};

use Security::{Plain, Starttls, Tls};

pub(super) fn rows() -> Vec<Row> {
    [servers(), mechanisms(), tokens(), passwords(), folders()].concat()
}

/// Server, protocol, kind of endpoint, security, what the server is recognised as.
const SERVERS: [(&str, Protocol, &str, Security, &str); 17] = [
    ("dovecot", Protocol::Imap, "imap_tls", Tls, "Dovecot"),
    ("dovecot", Protocol::Imap, "imap", Starttls, "Dovecot"),
    ("dovecot", Protocol::Pop3, "pop3_tls", Tls, "Dovecot"),
    ("dovecot", Protocol::Pop3, "pop3", Starttls, "Dovecot"),
    ("dovecot", Protocol::Smtp, "submission_tls", Tls, "Dovecot"),
    ("dovecot", Protocol::Smtp, "submission", Starttls, "Dovecot"),
    ("dovecot_plaintext", Protocol::Imap, "imap", Plain, "Dovecot"),
    ("dovecot_plaintext", Protocol::Pop3, "pop3", Plain, "Dovecot"),
    ("postfix", Protocol::Smtp, "submission_tls", Tls, "Postfix"),
    ("postfix", Protocol::Smtp, "submission", Starttls, "Postfix"),
    ("cyrus", Protocol::Imap, "imap_tls", Tls, "Cyrus"),
    ("cyrus", Protocol::Imap, "imap", Starttls, "Cyrus"),
    ("cyrus", Protocol::Pop3, "pop3_tls", Tls, "Cyrus"),
    ("cyrus", Protocol::Pop3, "pop3", Starttls, "Cyrus"),
    ("exim", Protocol::Smtp, "submission_tls", Tls, "Exim"),
    ("exim", Protocol::Smtp, "submission", Starttls, "Exim"),
    ("courier", Protocol::Pop3, "pop3_tls", Tls, "Courier-IMAP"),
];

fn servers() -> Vec<Row> {
    let healthy = SERVERS.map(|(server, protocol, kind, security, software)| {
        let version = if security == Plain { None } else { Some(Shows::TlsVersion("TLSv1.3")) };
        let mut row = row(format!("{server} {kind} {security}: good"), "user016")
            .leg(protocol, At { server, kind }, security)
            .healthy(&[])
            .shows(Shows::Software(software));
        row.shows.extend(version);
        row
    });
    // The rest of the report is given all the same: the leg goes on to its end.
    let courier = [("imap_tls", Tls), ("imap", Starttls)].map(|(kind, security)| {
        row(format!("courier {kind}: refused by product rule"), "user016")
            .imap("courier", kind, security)
            .faulty(&[C::ServerSoftwareUnsupported])
            .shows(Shows::Software("Courier-IMAP"))
            .shows(Shows::Mechanism("PLAIN"))
    });
    let both = row("dovecot and postfix: both directions", "user017")
        .imap("dovecot", "imap_tls", Tls)
        .smtp("postfix", "submission", Starttls)
        .healthy(&[]);
    let both_pop3 = row("dovecot POP3 and exim: both directions", "user018")
        .pop3("dovecot", "pop3_tls", Tls)
        .smtp("exim", "submission_tls", Tls)
        .healthy(&[]);
    healthy.into_iter().chain(courier).chain([both, both_pop3]).collect()
}

/// Where TLS is verified the password goes by the simplest mechanism, since servers offer
/// SCRAM to users for whom they cannot do it. Elsewhere it never crosses the wire.
fn mechanisms() -> Vec<Row> {
    let own = |name: &str, mechanism| {
        row(format!("mechanism: {name}"), "user019").healthy(&[]).shows(Shows::Mechanism(mechanism))
    };
    vec![
        own("PLAIN over verified TLS", "PLAIN").imap("dovecot", "imap_tls", Tls),
        own("SCRAM in plaintext", "SCRAM-SHA-256").imap("dovecot_plaintext", "imap", Plain),
        own("SCRAM over POP3 in plaintext", "SCRAM-SHA-256").pop3(
            "dovecot_plaintext",
            "pop3",
            Plain,
        ),
        own("SCRAM to a self-signed certificate", "SCRAM-SHA-256")
            .imap("dovecot_self_signed", "imap_tls", Tls)
            .insecure()
            .healthy(&[C::TlsCertSelfSigned]),
        own("SCRAM to a self-signed certificate, SMTP", "SCRAM-SHA-256")
            .smtp("dovecot_self_signed", "submission", Starttls)
            .insecure()
            .healthy(&[C::TlsCertSelfSigned]),
        row("mechanism: PLAIN for a hashed password", "hashed")
            .imap("dovecot", "imap_tls", Tls)
            .healthy(&[])
            .shows(Shows::Mechanism("PLAIN")),
        // The password is right; the server has nothing to verify SCRAM with.
        row("mechanism: SCRAM for a hashed password", "hashed")
            .imap("dovecot_plaintext", "imap", Plain)
            .faulty(&[C::AuthInvalidCredentials])
            .shows(Shows::Mechanism("SCRAM-SHA-256"))
            .shows(Shows::Alternative(C::AuthMechanismUnsupported)),
    ]
}

fn tokens() -> Vec<Row> {
    let mut rows = Vec::new();
    for (protocol, kind) in [
        (Protocol::Imap, "imap_tls"),
        (Protocol::Pop3, "pop3_tls"),
        (Protocol::Smtp, "submission_tls"),
    ] {
        let at = At { server: "dovecot", kind };
        rows.push(
            row(format!("token: valid, {protocol}"), "user001")
                .leg(protocol, at, Tls)
                .with(With::Token("valid"))
                .healthy(&[]),
        );
        rows.push(
            row(format!("token: expired, {protocol}"), "user001")
                .leg(protocol, at, Tls)
                .with(With::Token("expired"))
                .faulty(&[C::OauthTokenRejected]),
        );
    }
    rows.push(
        row("token: of another user", "user020")
            .imap("dovecot", "imap_tls", Tls)
            .with(With::Token("valid"))
            .faulty(&[C::OauthTokenRejected]),
    );
    // Postfix hands tokens to Dovecot.
    rows.push(
        row("token: valid, Postfix", "user001")
            .smtp("postfix", "submission", Starttls)
            .with(With::Token("valid"))
            .healthy(&[]),
    );
    rows.push(
        row("token: server without OAuth", "user001")
            .smtp("exim", "submission", Starttls)
            .with(With::Token("valid"))
            .faulty(&[C::AuthMechanismUnsupported]),
    );
    rows
}

fn passwords() -> Vec<Row> {
    let mut rows = Vec::new();
    for user in ["utf8", "spaced", "quoted"] {
        for (protocol, kind) in [
            (Protocol::Imap, "imap_tls"),
            (Protocol::Pop3, "pop3_tls"),
            (Protocol::Smtp, "submission_tls"),
        ] {
            rows.push(
                row(format!("password: {user}, {protocol}"), user)
                    .leg(protocol, At { server: "dovecot", kind }, Tls)
                    .healthy(&[]),
            );
        }
        rows.push(
            row(format!("password: {user}, Postfix"), user)
                .smtp("postfix", "submission", Starttls)
                .healthy(&[]),
        );
    }
    rows.push(
        row("password: utf8, IMAP in plaintext", "utf8")
            .imap("dovecot_plaintext", "imap", Plain)
            .healthy(&[]),
    );
    rows
}

/// Sent is recognised by its special use, and by its name in German and Japanese. Marks
/// are taken only where a test mail is sent; here it goes where it is thrown away.
fn folders() -> Vec<Row> {
    let folders = |user: &'static str, name| {
        row(format!("folders: {user}"), user)
            .imap("dovecot", "imap_tls", Tls)
            .smtp("postfix", "submission", Starttls)
            .mail(Mail::To("elsewhere"))
            .look_for(std::time::Duration::from_secs(1))
            .healthy(&[])
            .shows(Shows::Marked(FolderRole::Sent, name))
    };
    vec![
        folders("user021", "Sent"),
        folders("japanese", "&kAFP4W4IMH8w4TD8MOs-"),
        folders("german", "Gesendete Objekte"),
    ]
}
