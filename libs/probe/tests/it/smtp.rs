//! Outgoing legs against simulated SMTP servers, good, refusing and hostile.

use std::time::Duration;

use mailfleet_mailsim::{
    Fault, Mechanism, PlaintextLogin, Role, Running, Server, Step, Strip, Tls,
};
use mailfleet_model::leg::{LoginOutcome, OutgoingPlan, Submission};
use mailfleet_model::tls::CertificatePolicy;
use mailfleet_model::{FaultCode, LegReport, Security, StepKind, StepOutcome};
use mailfleet_probe::companion::Companion;

use crate::bench::{Bench, PASSWORD, USER, all_gone, codes, login, password, steps};

fn server() -> Server {
    Server::smtp().mailbox(USER, PASSWORD)
}

fn test_mail() -> OutgoingPlan {
    let to = USER.parse().expect("an address");
    OutgoingPlan::TestMail { to, token: "abcdefgh12345678".to_owned() }
}

async fn start(server: Server) -> Running {
    server.start().await.expect("a server")
}

/// Runs a leg over implicit TLS and holds its codes against what is expected.
async fn check(server: Server, plan: OutgoingPlan, expect: &[FaultCode]) -> (LegReport, Running) {
    let server = start(server).await;
    let report = Bench::smtp(server.port(), Security::Tls, plan).run().await;
    assert_eq!(codes(&report), expect, "{:?}", report.faults);
    all_gone(&server).await;
    (report, server)
}

fn refuse(step: Step, reply: &str) -> Server {
    server().at(step, Fault::Reply(reply.to_owned()))
}

#[tokio::test]
async fn a_good_mailbox_passes_with_all_its_steps() {
    let (report, server) = check(server(), OutgoingPlan::Envelope, &[]).await;
    let expect = [
        StepKind::Tls,
        StepKind::Greeting,
        StepKind::Capability,
        StepKind::Login,
        StepKind::Envelope,
        StepKind::Cleanup,
    ];
    assert_eq!(steps(&report), expect.map(|kind| (kind, StepOutcome::Ok)));
    assert_eq!(report.login, LoginOutcome::Accepted);
    assert_eq!(report.submission, Submission::NotSent);
    assert_eq!((server.recorder().credentials(), server.recorder().mails()), (1, 0));
    assert!(server.recorder().commands().iter().any(|line| line.starts_with("QUIT")));
}

#[tokio::test]
async fn starttls_forgets_what_was_said_before() {
    let server = start(server().tls(Tls::Starttls)).await;
    let plan = OutgoingPlan::LoginOnly;
    let report = Bench::smtp(server.port(), Security::Starttls, plan).run().await;
    assert_eq!(codes(&report), [], "{:?}", report.faults);
    let commands = server.recorder().commands();
    assert_eq!(commands.iter().filter(|line| line.starts_with("EHLO")).count(), 2, "{commands:?}");
    assert!(report.tls.is_some_and(|facts| facts.verified));
}

#[tokio::test]
async fn the_test_mail_is_sent_once() {
    let (report, server) = check(server(), test_mail(), &[]).await;
    assert_eq!(report.submission, Submission::Accepted);
    assert_eq!(server.recorder().mails(), 1);
    let inbox = server.estate().folder(USER, "INBOX").expect("an inbox");
    let mail = inbox.messages.last().expect("a mail");
    assert_eq!(mail.header("X-Mailfleet-Test").as_deref(), Some("abcdefgh12345678"));
}

#[tokio::test]
async fn refusals_are_told_apart_by_command_and_words() {
    let envelope = OutgoingPlan::Envelope;
    let cases = [
        (
            Step::Login,
            "535 5.7.8 Authentication credentials invalid",
            FaultCode::AuthInvalidCredentials,
        ),
        (
            Step::Login,
            "454 4.7.0 Temporary authentication failure",
            FaultCode::AuthTemporaryFailure,
        ),
        (
            Step::Mail,
            "553 5.7.1 Sender address rejected: not owned by user",
            FaultCode::SenderRejected,
        ),
        (Step::Rcpt, "550 5.1.1 User unknown", FaultCode::RecipientRejected),
        (Step::Rcpt, "554 5.7.1 Relay access denied", FaultCode::RelayDenied),
        (Step::Rcpt, "450 4.7.1 Greylisted, try again", FaultCode::Greylisted),
        (Step::Mail, "530 5.7.1 Authentication required", FaultCode::AuthRequired),
        (Step::Mail, "421 4.3.2 Service shutting down", FaultCode::ServerUnavailable),
        (Step::Greeting, "421 Service not available", FaultCode::ServerUnavailable),
    ];
    for (step, reply, code) in cases {
        check(refuse(step, reply), envelope.clone(), &[code]).await;
    }
    let body = refuse(Step::Body, "554 5.7.1 Message rejected as spam");
    let (report, _) = check(body, test_mail(), &[FaultCode::MessageRejectedContent]).await;
    assert_eq!(report.submission, Submission::Refused);
}

#[tokio::test]
async fn a_refused_password_is_submitted_once_and_the_session_ends_with_quit() {
    let server = start(Server::smtp().mailbox(USER, "another")).await;
    let report = Bench::smtp(server.port(), Security::Tls, test_mail()).run().await;
    assert_eq!(server.recorder().credentials(), 1);
    assert_eq!(server.recorder().mails(), 0);
    assert!(!report.is_usable());
    let last = report.steps.last().map(|step| step.kind);
    assert_eq!(last, Some(StepKind::Cleanup));
}

#[tokio::test]
async fn a_connection_lost_behind_the_final_dot_leaves_the_outcome_open() {
    for fault in [Fault::Close, Fault::Reset] {
        let code = FaultCode::SubmissionOutcomeUnknown;
        let (report, _) = check(server().at(Step::Body, fault), test_mail(), &[code]).await;
        assert_eq!(report.submission, Submission::Unknown);
    }
    let silent = start(server().at(Step::Body, Fault::Silent)).await;
    let mut bench = Bench::smtp(silent.port(), Security::Tls, test_mail());
    bench.probe.limits.envelope = Duration::from_millis(200);
    bench.probe.limits.submit = Duration::from_millis(200);
    let report = bench.run().await;
    assert_eq!(codes(&report), [FaultCode::SubmissionOutcomeUnknown]);
    assert_eq!(report.submission, Submission::Unknown);
}

#[tokio::test]
async fn starttls_attacks_are_named_and_nothing_is_sent() {
    let plain = || server().tls(Tls::Starttls);
    let cases = [
        (plain().at(Step::Ehlo, Fault::StripStarttls(Strip::Absent)), FaultCode::TlsNotOffered),
        (plain().at(Step::Ehlo, Fault::StripStarttls(Strip::Mangled)), FaultCode::StarttlsStripped),
        (
            plain().at(Step::Starttls, Fault::Inject(b"250 AUTH PLAIN\r\n".to_vec())),
            FaultCode::StarttlsInjection,
        ),
        (
            plain().at(Step::Starttls, Fault::Reply("454 TLS not available".to_owned())),
            FaultCode::StarttlsRejected,
        ),
    ];
    for (server, code) in cases {
        let server = start(server).await;
        let plan = OutgoingPlan::Envelope;
        let report = Bench::smtp(server.port(), Security::Starttls, plan).run().await;
        assert_eq!(codes(&report), [code], "{:?}", report.faults);
        assert_eq!(server.recorder().credentials(), 0);
        assert_eq!(report.login, LoginOutcome::NotTried);
    }
}

#[tokio::test]
async fn a_port_that_expects_tls_is_found_out() {
    let server = start(server()).await;
    let mut bench = Bench::smtp(server.port(), Security::Starttls, OutgoingPlan::Envelope);
    bench.probe.limits.greeting = Duration::from_millis(300);
    let report = bench.run().await;
    assert_eq!(codes(&report), [FaultCode::TlsModeMismatchImplicit], "{:?}", report.faults);
    let better = report.suggestions.first().and_then(|s| s.endpoint.as_ref());
    assert_eq!(better.map(|endpoint| endpoint.security), Some(Security::Tls));
}

#[tokio::test]
async fn passwords_go_out_in_plaintext_never_and_over_accepted_tls_last() {
    let only = |mechanisms: &[Mechanism]| {
        let mechanisms = mechanisms.to_vec();
        server().tls(Tls::None).with(move |spec| {
            spec.plaintext_login = PlaintextLogin::WithoutTlsOnly;
            spec.mechanisms = Some(mechanisms);
        })
    };
    let plain = start(only(&[Mechanism::Plain, Mechanism::Login])).await;
    let report = Bench::smtp(plain.port(), Security::Plain, OutgoingPlan::LoginOnly).run().await;
    assert_eq!(codes(&report), [FaultCode::AuthNeedsTls]);
    assert_eq!(plain.recorder().credentials(), 0);

    let self_signed = start(server().certificate(mailfleet_mailsim::Certificate::SelfSigned)).await;
    let mut bench = Bench::smtp(self_signed.port(), Security::Tls, OutgoingPlan::LoginOnly);
    bench.spec.tls.certificates = CertificatePolicy::AllowInsecure;
    let report = bench.run().await;
    assert!(report.is_usable(), "{:?}", report.faults);
    assert_eq!(codes(&report), [FaultCode::TlsCertSelfSigned], "as a warning");
}

#[tokio::test]
async fn a_password_that_the_other_leg_saw_refused_is_kept_back() {
    let server = start(server()).await;
    let one = login(password(PASSWORD));
    let (mut incoming, outgoing) = Companion::pair(&one, &one);
    incoming.may_log_in().await;
    let code = FaultCode::AuthInvalidCredentials;
    incoming.login_answered(LoginOutcome::RefusedDefinitively, Some(code));
    let mut bench = Bench::smtp(server.port(), Security::Tls, OutgoingPlan::Envelope);
    bench.companion = outgoing;
    let report = bench.run().await;
    assert_eq!(codes(&report), [FaultCode::LegNotTried]);
    assert!(steps(&report).contains(&(StepKind::Login, StepOutcome::Skipped)));
    assert_eq!(server.recorder().credentials(), 0);
}

#[tokio::test]
async fn a_cancelled_leg_still_says_quit() {
    let server = start(server().at(Step::Login, Fault::Silent)).await;
    let bench = Bench::smtp(server.port(), Security::Tls, OutgoingPlan::Envelope);
    let cancel = bench.cancel.clone();
    let record = std::sync::Arc::clone(server.recorder());
    let leg = tokio::spawn(bench.run());
    let arrived = |record: &mailfleet_mailsim::Recorder| {
        record.commands().iter().any(|line| line.starts_with("AUTH"))
    };
    assert!(record.wait_until(Duration::from_secs(5), arrived).await, "AUTH arrives");
    cancel.cancel();
    let report = leg.await.expect("ends");
    assert!(steps(&report).contains(&(StepKind::Login, StepOutcome::Cancelled)));
    assert_eq!(report.steps.last().map(|step| step.kind), Some(StepKind::Cleanup));
    assert_eq!(report.login, LoginOutcome::Undecided);
    all_gone(&server).await;
}

#[tokio::test]
async fn hostile_servers_cost_little() {
    for fault in [
        Fault::EndlessLine { bytes: 4 << 20 },
        Fault::Flood { line: "220-more".to_owned(), bytes: 4 << 20 },
        Fault::Garbage { bytes: 4 << 20 },
        Fault::Close,
        Fault::Reset,
    ] {
        let server = start(server().at(Step::Greeting, fault.clone())).await;
        let report = Bench::smtp(server.port(), Security::Tls, OutgoingPlan::Envelope).run().await;
        assert!(!report.is_usable(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_secret_in_a_refusal_is_masked() {
    let code = FaultCode::AuthInvalidCredentials;
    let server = start(server().at(Step::Login, Fault::EchoPassword)).await;
    let report = Bench::smtp(server.port(), Security::Tls, OutgoingPlan::LoginOnly).run().await;
    let text = report.faults.first().and_then(|fault| fault.evidence.server_text.clone());
    assert!(text.is_some_and(|text| text.contains("[redacted]")), "{code}: {:?}", report.faults);
}

#[tokio::test]
async fn a_mail_above_the_announced_size_is_not_sent() {
    let small = server().with(|spec| spec.size_limit = 100);
    let (report, server) = check(small, test_mail(), &[FaultCode::MessageTooLarge]).await;
    assert_eq!(report.submission, Submission::NotSent);
    assert!(!server.recorder().commands().iter().any(|line| line.starts_with("MAIL")));
}

#[tokio::test]
async fn an_address_that_needs_smtputf8_is_told_so() {
    let bare = server()
        .at(Step::Ehlo, Fault::Reply("250-mail.test\n250-PIPELINING\n250 AUTH PLAIN".to_owned()));
    let server = start(bare).await;
    let mut bench = Bench::smtp(server.port(), Security::Tls, OutgoingPlan::Envelope);
    bench.spec.mailbox = "太郎@example.test".parse().expect("an address");
    let report = bench.run().await;
    assert_eq!(codes(&report), [FaultCode::Smtputf8Required], "{:?}", report.faults);
}

#[tokio::test]
async fn a_port_without_a_login_is_never_healthy() {
    for (tls, security) in [(Tls::Starttls, Security::Starttls), (Tls::None, Security::Plain)] {
        let server = start(server().role(Role::Relay).tls(tls)).await;
        let report = Bench::smtp(server.port(), security, OutgoingPlan::Envelope).run().await;
        assert_eq!(codes(&report), [FaultCode::AuthNotOfferedOnPort], "{:?}", report.faults);
        let commands = server.recorder().commands();
        assert!(!commands.iter().any(|line| line.starts_with("MAIL")), "{commands:?}");
    }
}

#[tokio::test]
async fn plaintext_that_was_asked_for_is_turned_towards_starttls() {
    let server = start(server().tls(Tls::Starttls)).await;
    let report = Bench::smtp(server.port(), Security::Plain, OutgoingPlan::LoginOnly).run().await;
    assert_eq!(codes(&report), [FaultCode::AuthNeedsTls], "{:?}", report.faults);
    let better = report.suggestions.first().and_then(|s| s.endpoint.as_ref());
    assert_eq!(better.map(|endpoint| endpoint.security), Some(Security::Starttls));
    assert_eq!(server.recorder().credentials(), 0);
}
