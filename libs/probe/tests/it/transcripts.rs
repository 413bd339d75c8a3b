//! Legs against recordings of real servers: what each of them says becomes the right code.

use mailfleet_model::leg::{IncomingPlan, LoginOutcome, OutgoingPlan, Submission};
use mailfleet_model::{FaultCode, LegReport, Security};

use crate::bench::{Bench, codes};
use crate::replay::{Recording, identity, play};

const POSTFIX: &str = include_str!("../../testdata/transcripts/postfix-smtp.txt");
const EXIM: &str = include_str!("../../testdata/transcripts/exim-smtp.txt");
const DOVECOT_SMTP: &str = include_str!("../../testdata/transcripts/dovecot-submission.txt");
const DOVECOT_POP3: &str = include_str!("../../testdata/transcripts/dovecot-pop3.txt");
const COURIER_POP3: &str = include_str!("../../testdata/transcripts/courier-pop3.txt");
const CYRUS_POP3: &str = include_str!("../../testdata/transcripts/cyrus-pop3.txt");

async fn run(
    text: &str,
    title: &str,
    bench: impl FnOnce(u16) -> Bench,
) -> (LegReport, Vec<String>) {
    let (root, identity) = identity();
    let (address, server) = play(Recording::new(text, title), identity).await;
    let report = bench(address.port()).trusting(root.certificate).run().await;
    (report, server.await.expect("the server ends"))
}

async fn smtp(text: &str, title: &str, expect: &[FaultCode]) -> LegReport {
    let plan = OutgoingPlan::LoginOnly;
    let (report, _) = run(text, title, |port| Bench::smtp(port, Security::Starttls, plan)).await;
    assert_eq!(codes(&report), expect, "{title}: {:?}", report.faults);
    report
}

async fn pop3(text: &str, title: &str, security: Security, expect: &[FaultCode]) -> LegReport {
    let plan = IncomingPlan::Open;
    let (report, _) = run(text, title, |port| Bench::pop3(port, security, plan)).await;
    assert_eq!(codes(&report), expect, "{title}: {:?}", report.faults);
    report
}

#[tokio::test]
async fn submission_servers_take_the_test_mail() {
    for text in [POSTFIX, EXIM, DOVECOT_SMTP] {
        let to = "user102@lab.test".parse().expect("an address");
        let plan = OutgoingPlan::TestMail { to, token: "abcdefgh12345678".to_owned() };
        let title = "submission STARTTLS, good AUTH PLAIN";
        let (report, heard) =
            run(text, title, |port| Bench::smtp(port, Security::Starttls, plan)).await;
        assert_eq!(codes(&report), [], "{:?}", report.faults);
        assert_eq!(report.submission, Submission::Accepted);
        assert_eq!(report.login, LoginOutcome::Accepted);
        let count = |word: &str| heard.iter().filter(|line| line.starts_with(word)).count();
        assert_eq!([count("AUTH"), count("DATA"), count("QUIT")], [1, 1, 1], "{heard:?}");
    }
}

#[tokio::test]
async fn submission_servers_name_the_trouble_with_a_login() {
    let bad = "AUTH bad password";
    for text in [POSTFIX, EXIM, DOVECOT_SMTP] {
        let plan = OutgoingPlan::LoginOnly;
        let (report, heard) =
            run(text, bad, |port| Bench::smtp(port, Security::Starttls, plan)).await;
        let code = codes(&report).first().copied();
        let rejected = [FaultCode::AuthInvalidCredentials, FaultCode::AuthRejectedUnspecified];
        assert!(code.is_some_and(|code| rejected.contains(&code)), "{:?}", report.faults);
        assert_eq!(heard.iter().filter(|line| line.starts_with("AUTH")).count(), 1, "{heard:?}");
        assert_eq!(heard.last().map(String::as_str), Some("QUIT"));
    }
    smtp(DOVECOT_SMTP, "AUTH expired", &[FaultCode::AuthPasswordExpired]).await;
    smtp(DOVECOT_SMTP, "AUTH disabled", &[FaultCode::AuthAccountLocked]).await;
    smtp(POSTFIX, "AUTH expired", &[FaultCode::AuthPasswordExpired]).await;
    for text in [EXIM, DOVECOT_SMTP] {
        let report = smtp(text, "AUTH tempfail", &[FaultCode::AuthTemporaryFailure]).await;
        assert_eq!(report.login, LoginOutcome::Undecided);
    }
}

#[tokio::test]
async fn pop3_servers_are_looked_into() {
    pop3(COURIER_POP3, "POP3S", Security::Tls, &[]).await;
    pop3(CYRUS_POP3, "POP3S", Security::Tls, &[]).await;
    pop3(DOVECOT_POP3, "POP3S capa, good login", Security::Tls, &[]).await;
    let report = pop3(DOVECOT_POP3, "POP3 cleartext", Security::Starttls, &[]).await;
    assert_eq!(report.server_software.map(|software| software.name).as_deref(), Some("Dovecot"));
}

#[tokio::test]
async fn pop3_servers_name_the_trouble_with_a_login() {
    let tls = Security::Tls;
    pop3(DOVECOT_POP3, "expired", tls, &[FaultCode::AuthPasswordExpired]).await;
    pop3(DOVECOT_POP3, "tempfail", tls, &[FaultCode::AuthTemporaryFailure]).await;
    pop3(COURIER_POP3, "disablepop3", tls, &[FaultCode::ProtocolDisabledForMailbox]).await;
    let report =
        pop3(DOVECOT_POP3, "bad password", tls, &[FaultCode::AuthInvalidCredentials]).await;
    assert_eq!(report.login, LoginOutcome::RefusedDefinitively);
    pop3(COURIER_POP3, "bad", tls, &[FaultCode::AuthRejectedUnspecified]).await;
}

/// A server made up for one oddity, over implicit TLS.
async fn odd(answers: &str, bench: impl FnOnce(u16) -> Bench) -> (LegReport, Vec<String>) {
    let text = format!("\n=== odd\n# connect implicit TLS\n# TLS ok\n{answers}");
    run(&text, "odd", bench).await
}

fn login_only(port: u16) -> Bench {
    Bench::smtp(port, Security::Tls, OutgoingPlan::LoginOnly)
}

#[tokio::test]
async fn a_server_without_ehlo_is_greeted_with_helo() {
    let answers = "S[0]: 220 old\nC: EHLO\nS[0]: 502 what?\nC: HELO\nS[0]: 250 hi\n\
                   C: QUIT\nS[0]: 221 bye\n";
    let (report, heard) = odd(answers, login_only).await;
    assert_eq!(codes(&report), [FaultCode::AuthNotOfferedOnPort], "{:?}", report.faults);
    let verbs: Vec<_> = heard.iter().map(|line| line.split(' ').next().unwrap_or("")).collect();
    assert_eq!(verbs, ["EHLO", "HELO", "QUIT"]);
}

#[tokio::test]
async fn the_old_spelling_of_auth_and_bare_prompts_are_understood() {
    let answers = "S[0]: 220-two\nS[0]: 220 lines\nC: EHLO\nS[0]: 250-odd\nS[0]: 250 AUTH=LOGIN\n\
                   C: AUTH\nS[0]: 334 \nC: x\nS[0]: 334 \nC: x\nS[0]: 235 ok\n\
                   C: QUIT\nS[0]: 221 bye\n";
    let (report, heard) = odd(answers, login_only).await;
    assert_eq!(codes(&report), [], "{:?} {heard:?}", report.faults);
    assert_eq!(heard.get(1).map(String::as_str), Some("AUTH LOGIN"));
}

#[tokio::test]
async fn a_credential_too_long_for_the_command_line_follows_the_prompt() {
    let answers = "S[0]: 220 hi\nC: EHLO\nS[0]: 250-odd\nS[0]: 250 AUTH XOAUTH2\n\
                   C: AUTH\nS[0]: 334 \nC: x\nS[0]: 235 ok\nC: QUIT\nS[0]: 221 bye\n";
    let token = "t".repeat(2000);
    let (report, heard) = odd(answers, |port| login_only(port).token(&token)).await;
    assert_eq!(codes(&report), [], "{:?}", report.faults);
    assert_eq!(heard.get(1).map(String::as_str), Some("AUTH XOAUTH2"));
    assert!(heard.iter().all(|line| line.len() <= 512 - 2 || line.len() > 2000), "{heard:?}");
}
