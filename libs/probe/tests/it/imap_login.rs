//! How the credential goes over an IMAP connection: once, unchanged, and never needlessly.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Fault, Mailbox, PlaintextLogin, Server, Step, Tls};
use mailfleet_model::leg::{IncomingPlan, LoginOutcome};
use mailfleet_model::{Credential, FaultCode, Login, Secret, Security, StepKind, StepOutcome};
use mailfleet_probe::companion::Companion;

use crate::bench::{Bench, PASSWORD, USER, codes, steps};

fn greeting(capabilities: &str) -> Fault {
    Fault::Raw(format!("* OK [CAPABILITY {capabilities}] ready\r\n").into_bytes())
}

fn login(secret: &[u8]) -> Login {
    let credential = Credential::Password(Secret::new(secret.to_vec()));
    Login::new(USER, Arc::new(credential)).expect("a login")
}

#[tokio::test]
async fn every_password_arrives_as_it_is_by_every_command() {
    for capabilities in [
        "IMAP4rev1 AUTH=PLAIN SASL-IR",
        "IMAP4rev1 AUTH=PLAIN",
        "IMAP4rev1 AUTH=LOGIN",
        "IMAP4rev1",
        "IMAP4rev1 LITERAL+",
    ] {
        for password in ["pä ss\"wörd\\", " leading and trailing ", "{3}", "パスワード", "x"]
        {
            let server = Server::imap()
                .host("localhost")
                .mailbox(USER, password)
                .at(Step::Greeting, greeting(capabilities));
            let running = server.start().await.expect("starts");
            let report = Bench::to(&running)
                .with(|bench| bench.spec.login = login(password.as_bytes()))
                .run()
                .await;
            let shown = format!("{password:?} with {capabilities}");
            assert_eq!(codes(&report), [], "{shown}: {:?}", running.recorder().commands());
            assert_eq!(running.recorder().credentials(), 1, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_greeting_that_leaves_no_way_to_log_in_is_asked_about() {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD);
    let server = server.at(Step::Greeting, greeting("IMAP4rev1 STARTTLS LOGINDISABLED"));
    let running = server.start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_by_its_challenge() {
    let mut mailbox = Mailbox::new(USER, PASSWORD);
    mailbox.token = Some("another-token".into());
    let server = Server::imap().host("localhost").with(|spec| spec.mailboxes.push(mailbox));
    let server = server.at(Step::Greeting, greeting("IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2"));
    let running = server.start().await.expect("starts");
    let token = Credential::AccessToken(Secret::new(PASSWORD.as_bytes().to_vec()));
    let report = Bench::to(&running)
        .with(|bench| bench.spec.login = Login::new(USER, Arc::new(token)).expect("a login"))
        .run()
        .await;
    assert_eq!(codes(&report), [FaultCode::OauthTokenRejected], "{report:#?}");
    assert_eq!(running.recorder().credentials(), 1);
}

#[tokio::test]
async fn no_password_goes_out_in_plaintext() {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD).tls(Tls::Starttls);
    let server = server.with(|spec| spec.plaintext_login = PlaintextLogin::Allowed);
    let list = "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n{tag} OK done\r\n";
    let server = server.at(Step::Greeting, greeting("IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=LOGIN"));
    let server = server.at(Step::Capability, Fault::Raw(list.as_bytes().to_vec()));
    let running = server.start().await.expect("starts");
    let report = Bench::imap(running.port(), Security::Plain, IncomingPlan::Open).run().await;
    assert_eq!(codes(&report), [FaultCode::AuthNeedsTls], "{report:#?}");
    assert_eq!(report.login, LoginOutcome::NotTried);
    let endpoints = report.suggestions.iter().filter_map(|s| s.endpoint.as_ref());
    let securities: Vec<Security> = endpoints.map(|endpoint| endpoint.security).collect();
    assert_eq!(securities, [Security::Starttls]);
    assert_eq!(running.recorder().credentials(), 0);
}

#[tokio::test]
async fn a_login_that_the_other_leg_saw_refused_is_kept_back() {
    let running = Server::imap().host("localhost").mailbox(USER, PASSWORD).start().await;
    let running = running.expect("starts");
    let (incoming, mut outgoing) = Companion::pair(&login(b"x"), &login(b"x"));
    let _ = outgoing.may_log_in().await;
    outgoing
        .login_answered(LoginOutcome::RefusedDefinitively, Some(FaultCode::AuthInvalidCredentials));
    let report = Bench::to(&running).with(|bench| bench.companion = incoming).run().await;
    assert_eq!(codes(&report), [FaultCode::LegNotTried]);
    assert!(steps(&report).contains(&(StepKind::Login, StepOutcome::Skipped)));
    assert_eq!(running.recorder().credentials(), 0);
    assert_eq!(running.recorder().commands(), ["LOGOUT"]);
}

#[tokio::test]
async fn a_cancelled_login_still_says_goodbye() {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD);
    let server = server.at(Step::Login, Fault::Silent);
    let running = server.start().await.expect("starts");
    let bench = Bench::to(&running);
    let cancel = bench.cancel.clone();
    let limit = Duration::from_secs(10);
    let watch = async {
        assert!(running.recorder().wait_until(limit, |own| own.credentials() == 1).await);
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(bench.run(), watch);
    assert_eq!(report.login, LoginOutcome::Undecided);
    assert!(steps(&report).contains(&(StepKind::Login, StepOutcome::Cancelled)), "{report:#?}");
    assert!(steps(&report).contains(&(StepKind::Cleanup, StepOutcome::Ok)), "{report:#?}");
}

#[tokio::test]
async fn a_server_without_a_protocol_of_ours_is_named() {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD);
    let server = server.at(Step::Greeting, greeting("IMAP2 AUTH=PLAIN"));
    let list = "* CAPABILITY IMAP2 AUTH=PLAIN\r\n{tag} OK done\r\n";
    let server = server.at(Step::Capability, Fault::Raw(list.as_bytes().to_vec()));
    let running = server.start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    assert_eq!(codes(&report), [FaultCode::CapabilityMissingRequired]);
    assert_eq!(running.recorder().credentials(), 0);
}

#[tokio::test]
async fn a_provider_that_wants_to_know_its_clients_is_told_before_the_login() {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD);
    let banner =
        "* OK Coremail System IMap Server Ready(163com[10774b260cc7a37d26d71b52404dcf5c])\r\n";
    let server = server.at(Step::Greeting, Fault::Raw(banner.as_bytes().to_vec()));
    let running = server.start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
    let commands = running.recorder().commands();
    let at = |word: &str| commands.iter().position(|line| line.starts_with(word));
    assert!(at("ID").is_some_and(|id| Some(id) < at("AUTHENTICATE")), "{commands:?}");
}
