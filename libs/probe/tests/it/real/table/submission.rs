//! Handing mail over: senders, recipients and sizes that servers refuse, and port 25.

use mailfleet_model::{FaultCode as C, Security, StepKind};

use crate::real::row::{Mail, Row, Shows, row};

use Security::{Plain, Starttls, Tls};

pub(super) fn rows() -> Vec<Row> {
    [recipients(), senders(), sizes(), without_login()].concat()
}

/// Recipient, what comes of it at Postfix and at Exim; temporary or for good.
const RECIPIENTS: [(&str, C, Lasts); 4] = [
    ("unknown", C::RecipientRejected, Lasts::ForGood),
    ("full", C::QuotaExceeded, Lasts::ForGood),
    ("greylisted", C::Greylisted, Lasts::AWhile),
    ("blocked", C::RecipientRejected, Lasts::ForGood),
];

#[derive(Debug, Clone, Copy)]
enum Lasts {
    AWhile,
    ForGood,
}

fn recipients() -> Vec<Row> {
    let mut rows = Vec::new();
    for server in ["postfix", "exim"] {
        for (recipient, code, lasts) in RECIPIENTS {
            let row = row(format!("recipient {recipient}: {server}"), "user029")
                .smtp(server, "submission", Starttls)
                .mail(Mail::To(recipient));
            rows.push(match lasts {
                Lasts::AWhile => row.inconclusive(&[code]),
                Lasts::ForGood => row.faulty(&[code]),
            });
        }
        rows.push(
            row(format!("recipient elsewhere: {server}"), "user029")
                .smtp(server, "submission", Starttls)
                .mail(Mail::To("elsewhere"))
                .healthy(&[]),
        );
    }
    rows
}

fn senders() -> Vec<Row> {
    vec![
        // Postfix says so only after RCPT TO (smtpd_delay_reject).
        row("sender of another: postfix", "user030")
            .smtp("postfix", "submission", Starttls)
            .mailbox("user031")
            .faulty(&[C::SenderRejected])
            .shows(Shows::Words("not owned by user")),
        row("sender of another: dovecot passes it on to postfix", "user030")
            .smtp("dovecot", "submission", Starttls)
            .mailbox("user031")
            .healthy(&[]),
    ]
}

fn sizes() -> Vec<Row> {
    vec![
        row("size: a small limit, a small message", "user032")
            .smtp("postfix", "submission_small", Starttls)
            .mail(Mail::To("elsewhere"))
            .healthy(&[]),
    ]
}

/// A server that takes mail from anybody says nothing about this mailbox.
fn without_login() -> Vec<Row> {
    let mut rows = Vec::new();
    for (server, security) in
        [("postfix", Starttls), ("postfix", Plain), ("exim", Starttls), ("exim", Plain)]
    {
        for (name, mail) in
            [("login only", Mail::LoginOnly), ("envelope", Mail::Envelope), ("mail", Mail::ToSelf)]
        {
            let row =
                row(format!("port for other servers: {server} {security}, {name}"), "user033")
                    .smtp(server, "mx", security)
                    .mail(mail)
                    .shows(Shows::NotReached(StepKind::Envelope));
            rows.push(match security {
                Starttls | Tls => row.faulty(&[C::AuthNotOfferedOnPort]),
                // Without TLS it cannot be told from a port that offers logins inside TLS.
                Plain => row
                    .faulty(&[C::AuthNeedsTls])
                    .shows(Shows::Alternative(C::AuthNotOfferedOnPort)),
            });
        }
    }
    rows.push(
        row("port of implicit TLS: exim, login only", "user034")
            .smtp("exim", "submission_tls", Tls)
            .mail(Mail::LoginOnly)
            .healthy(&[])
            .shows(Shows::NotReached(StepKind::Envelope)),
    );
    rows
}
