//! Every mechanism against a server that checks it, with the submissions counted there.

use mailfleet_mailsim::{Mailbox, Mechanism, Server};
use mailfleet_model::leg::{IncomingPlan, LoginOutcome, OutgoingPlan};
use mailfleet_model::{FaultCode, Security, StepKind};

use crate::bench::{Bench, PASSWORD, USER, codes};

/// Offers one mechanism over SMTP and over POP3, with this secret behind it.
fn servers(mechanism: Mechanism, secret: &str) -> [(Server, bool); 2] {
    [(Server::smtp(), true), (Server::pop3(), false)].map(|(server, smtp)| {
        let mut mailbox = Mailbox::new(USER, secret);
        mailbox.token = Some(secret.into());
        let server = server.with(|spec| spec.mailboxes.push(mailbox));
        (server.with(move |spec| spec.mechanisms = Some(vec![mechanism])), smtp)
    })
}

fn bench(port: u16, smtp: bool) -> Bench {
    if smtp {
        Bench::smtp(port, Security::Tls, OutgoingPlan::LoginOnly)
    } else {
        Bench::pop3(port, Security::Tls, IncomingPlan::Open)
    }
}

#[tokio::test]
async fn each_password_mechanism_logs_in_with_one_submission() {
    for (mechanism, name) in [
        (Mechanism::Plain, "PLAIN"),
        (Mechanism::Login, "LOGIN"),
        (Mechanism::ScramSha256, "SCRAM-SHA-256"),
        (Mechanism::ScramSha1, "SCRAM-SHA-1"),
        (Mechanism::CramMd5, "CRAM-MD5"),
    ] {
        for (server, smtp) in servers(mechanism, PASSWORD) {
            let server = server.start().await.expect("a server");
            let report = bench(server.port(), smtp).run().await;
            assert_eq!(codes(&report), [], "{name}: {:?}", report.faults);
            let step = report.steps.iter().find(|step| step.kind == StepKind::Login);
            assert_eq!(step.and_then(|step| step.detail.as_deref()), Some(name));
            assert_eq!(server.recorder().credentials(), 1);
        }
    }
}

#[tokio::test]
async fn a_wrong_password_costs_one_submission_by_every_mechanism() {
    for mechanism in [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::CramMd5,
    ] {
        for (server, smtp) in servers(mechanism, "another") {
            let server = server.start().await.expect("a server");
            let report = bench(server.port(), smtp).run().await;
            assert_eq!(server.recorder().credentials(), 1, "{mechanism:?}");
            assert!(!report.is_usable());
            assert!(!matches!(report.login, LoginOutcome::Accepted | LoginOutcome::NotTried));
        }
    }
}

#[tokio::test]
async fn a_token_logs_in_or_is_told_why_not() {
    for mechanism in [Mechanism::XOAuth2, Mechanism::OAuthBearer] {
        for (right, secret) in [(true, "T0ken-abcdef"), (false, "other-token")] {
            for (server, smtp) in servers(mechanism, secret) {
                let server = server.start().await.expect("a server");
                let report = bench(server.port(), smtp).token("T0ken-abcdef").run().await;
                let expect: &[FaultCode] =
                    if right { &[] } else { &[FaultCode::OauthTokenRejected] };
                assert_eq!(codes(&report), expect, "{mechanism:?} {:?}", report.faults);
                assert_eq!(server.recorder().credentials(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_not_offered_where_only_passwords_are_taken() {
    for (server, smtp) in servers(Mechanism::Plain, PASSWORD) {
        let server = server.start().await.expect("a server");
        let report = bench(server.port(), smtp).token("T0ken-abcdef").run().await;
        assert_eq!(codes(&report), [FaultCode::AuthMechanismUnsupported]);
        assert_eq!(server.recorder().credentials(), 0);
    }
}
