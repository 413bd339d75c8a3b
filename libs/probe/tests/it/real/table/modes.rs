//! The wrong mode for the port, both ways; no TLS at all; TLS that is too old.

use mailfleet_model::suggestion::SuggestionReason;
use mailfleet_model::{FactKind, FaultCode as C, Protocol, Security};

use crate::real::row::{At, Row, Shows, row};

use Protocol::{Imap, Pop3, Smtp};
use Security::{Plain, Starttls, Tls};

pub(super) fn rows() -> Vec<Row> {
    [wrong_modes(), wrong_protocols(), without_tls(), too_old()].concat()
}

/// Server, protocol, the clear port, the TLS port.
const PORTS: [(&str, Protocol, &str, &str); 8] = [
    ("dovecot", Imap, "imap", "imap_tls"),
    ("dovecot", Pop3, "pop3", "pop3_tls"),
    ("dovecot", Smtp, "submission", "submission_tls"),
    ("postfix", Smtp, "submission", "submission_tls"),
    ("exim", Smtp, "submission", "submission_tls"),
    ("cyrus", Imap, "imap", "imap_tls"),
    ("cyrus", Pop3, "pop3", "pop3_tls"),
    ("courier", Pop3, "pop3", "pop3_tls"),
];

fn wrong_modes() -> Vec<Row> {
    let mut rows = Vec::new();
    for (server, protocol, clear, tls) in PORTS {
        rows.push(
            row(format!("mode: TLS to {server} {clear}"), "user025")
                .leg(protocol, At { server, kind: clear }, Tls)
                .faulty(&[C::TlsModeMismatchStarttls])
                .shows(Shows::Suggestion(SuggestionReason::PortExpectsStarttls)),
        );
        rows.push(
            row(format!("mode: STARTTLS to {server} {tls}"), "user025")
                .leg(protocol, At { server, kind: tls }, Starttls)
                .faulty(&[C::TlsModeMismatchImplicit])
                .shows(Shows::Suggestion(SuggestionReason::PortExpectsTls)),
        );
    }
    rows.push(
        row("mode: TLS to courier imap", "user025")
            .imap("courier", "imap", Tls)
            .faulty(&[C::TlsModeMismatchStarttls])
            .shows(Shows::Suggestion(SuggestionReason::PortExpectsStarttls)),
    );
    rows
}

fn wrong_protocols() -> Vec<Row> {
    let wrong = |name: &str, protocol, kind, security, told| {
        row(format!("protocol: {name}"), "user026")
            .leg(protocol, At { server: "dovecot", kind }, security)
            .faulty(&[C::WrongProtocol])
            .shows(Shows::Fact(FactKind::Protocol, told))
    };
    vec![
        wrong("IMAP to a POP3 port", Imap, "pop3_tls", Tls, "POP3"),
        wrong("IMAP to a POP3 port, STARTTLS", Imap, "pop3", Starttls, "POP3"),
        wrong("POP3 to an IMAP port", Pop3, "imap_tls", Tls, "IMAP"),
        wrong("SMTP to an IMAP port", Smtp, "imap_tls", Tls, "IMAP"),
        wrong("IMAP to an SMTP port", Imap, "submission_tls", Tls, "SMTP"),
        wrong("POP3 to an SMTP port, STARTTLS", Pop3, "submission", Starttls, "SMTP"),
    ]
}

/// Plaintext is used only where it was asked for, and a server that wants TLS is told so.
fn without_tls() -> Vec<Row> {
    vec![
        row("no STARTTLS: postfix", "user027")
            .smtp("postfix", "submission_no_starttls", Starttls)
            .faulty(&[C::TlsNotOffered]),
        row("plaintext: refused by dovecot IMAP", "user027")
            .imap("dovecot", "imap", Plain)
            .faulty(&[C::AuthNeedsTls]),
        row("plaintext: refused by dovecot POP3", "user027")
            .pop3("dovecot", "pop3", Plain)
            .faulty(&[C::AuthNeedsTls]),
        row("plaintext: refused by dovecot SMTP", "user027")
            .smtp("dovecot", "submission", Plain)
            .faulty(&[C::AuthNeedsTls]),
        row("plaintext: refused by postfix", "user027")
            .smtp("postfix", "submission", Plain)
            .faulty(&[C::AuthNeedsTls]),
        row("plaintext: refused by exim", "user027")
            .smtp("exim", "submission", Plain)
            .faulty(&[C::AuthNeedsTls]),
        // Cyrus refuses LOGIN and PLAIN there; SCRAM keeps the password.
        row("plaintext: SCRAM with cyrus", "user016")
            .imap("cyrus", "imap", Plain)
            .healthy(&[])
            .shows(Shows::Mechanism("SCRAM-SHA-256")),
        row("plaintext: SCRAM with postfix", "user027")
            .smtp("postfix", "submission_no_starttls", Plain)
            .healthy(&[])
            .shows(Shows::Mechanism("SCRAM-SHA-256")),
    ]
}

fn too_old() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, code, version) in [
        ("tls1_0", C::TlsVersionUnsupported, "1.0"),
        ("tls1_1", C::TlsVersionUnsupported, "1.1"),
        ("old_ciphers", C::TlsCipherOrKeyWeak, "1.2"),
    ] {
        for (begin, security) in [("submission", Starttls), ("wrapped", Tls)] {
            let kind = match (begin, what) {
                ("submission", "tls1_0") => "submission_tls1_0",
                ("submission", "tls1_1") => "submission_tls1_1",
                ("submission", _) => "submission_old_ciphers",
                (_, "tls1_0") => "wrapped_tls1_0",
                (_, "tls1_1") => "wrapped_tls1_1",
                (_, _) => "wrapped_old_ciphers",
            };
            rows.push(
                row(format!("too old: postfix {kind}"), "user028")
                    .smtp("postfix", kind, security)
                    .faulty(&[code])
                    .shows(Shows::Fact(FactKind::TlsVersion, version)),
            );
        }
    }
    rows
}
