//! Every certificate case, over TLS and STARTTLS, on every protocol, strict and lenient.

use mailfleet_model::suggestion::SuggestionReason;
use mailfleet_model::{FactKind, FaultCode as C, Protocol, Security};

use crate::real::row::{At, Row, Shows, row};

use Security::{Starttls, Tls};

/// A kind of fact, and text that must be in it.
type Fact = (FactKind, &'static str);

/// Case, what it is called, a fact of the evidence.
const CASES: [(&str, C, Option<Fact>); 6] = [
    ("expired", C::TlsCertExpired, Some((FactKind::NotAfter, "2021"))),
    ("not_yet_valid", C::TlsCertNotYetValid, Some((FactKind::NotBefore, "2045"))),
    ("wrong_host", C::TlsCertNameMismatch, Some((FactKind::CertificateNames, "mail.other.test"))),
    ("self_signed", C::TlsCertSelfSigned, None),
    ("no_intermediate", C::TlsCertChainIncomplete, None),
    ("name_in_subject", C::TlsCertCnOnly, None),
];

/// Endpoints of Dovecot and Postfix, which have the same cases.
const PLACES: [(&str, Protocol, &str, Security); 8] = [
    ("dovecot", Protocol::Imap, "imap_tls", Tls),
    ("dovecot", Protocol::Imap, "imap", Starttls),
    ("dovecot", Protocol::Pop3, "pop3_tls", Tls),
    ("dovecot", Protocol::Pop3, "pop3", Starttls),
    ("dovecot", Protocol::Smtp, "submission_tls", Tls),
    ("dovecot", Protocol::Smtp, "submission", Starttls),
    ("postfix", Protocol::Smtp, "submission_tls", Tls),
    ("postfix", Protocol::Smtp, "submission", Starttls),
];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, code, fact) in CASES {
        for (server, protocol, kind, security) in PLACES {
            let at = At { server: server_of(server, case), kind };
            let begin = |mode: &str| {
                row(format!("certificate {case}: {server} {kind}, {mode}"), "user024")
                    .leg(protocol, at, security)
            };
            let mut strict = begin("strict").faulty(&[code]);
            strict.shows.extend(fact.map(|(kind, text)| Shows::Fact(kind, text)));
            if code == C::TlsCertNameMismatch {
                strict.shows.push(Shows::Suggestion(SuggestionReason::CertificateName));
            }
            rows.push(strict);
            rows.push(begin("allowed").insecure().healthy(&[code]));
        }
    }
    rows
}

/// The lab's name of a server in a certificate case.
fn server_of(server: &str, case: &str) -> &'static str {
    match (server, case) {
        ("dovecot", "expired") => "dovecot_expired",
        ("dovecot", "not_yet_valid") => "dovecot_not_yet_valid",
        ("dovecot", "wrong_host") => "dovecot_wrong_host",
        ("dovecot", "self_signed") => "dovecot_self_signed",
        ("dovecot", "no_intermediate") => "dovecot_no_intermediate",
        ("dovecot", "name_in_subject") => "dovecot_name_in_subject",
        ("postfix", "expired") => "postfix_expired",
        ("postfix", "not_yet_valid") => "postfix_not_yet_valid",
        ("postfix", "wrong_host") => "postfix_wrong_host",
        ("postfix", "self_signed") => "postfix_self_signed",
        ("postfix", "no_intermediate") => "postfix_no_intermediate",
        ("postfix", "name_in_subject") => "postfix_name_in_subject",
        _ => panic!("the lab has no {server} for {case}"),
    }
}
