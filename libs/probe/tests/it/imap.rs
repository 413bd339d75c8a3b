//! The IMAP leg against simulated servers: good ones, and what can go wrong at each step.

use mailfleet_mailsim::{Fault, Layout, Personality, Server, Step, Strip, Tls};
use mailfleet_model::leg::{FolderRole, IncomingPlan, LegPlan, LoginOutcome};
use mailfleet_model::{FaultCode, LegReport, Security, StepKind, StepOutcome};
use mailfleet_probe::CourierRule;

use crate::bench::{Bench, PASSWORD, USER, codes, steps};

fn server() -> Server {
    Server::imap().host("localhost").mailbox(USER, PASSWORD)
}

/// The report of a check against this server.
async fn report(server: Server) -> LegReport {
    let running = server.start().await.expect("starts");
    Bench::to(&running).run().await
}

#[track_caller]
fn expect_code(report: &LegReport, code: FaultCode, step: StepKind) {
    assert_eq!(codes(report).first(), Some(&code), "{report:#?}");
    let failed = report.steps.iter().find(|s| s.outcome == StepOutcome::Failed).map(|s| s.kind);
    assert_eq!(failed, Some(step), "{report:#?}");
}

#[tokio::test]
async fn a_good_mailbox_is_healthy_with_every_personality() {
    use Personality::{Cyrus, Dovecot, Exchange, Generic, Gmail};
    for personality in [Generic, Dovecot, Cyrus, Exchange, Gmail] {
        let running = server().personality(personality).start().await.expect("starts");
        let report = Bench::to(&running).run().await;
        assert_eq!(codes(&report), [], "{personality}: {report:#?}");
        assert_eq!(report.login, LoginOutcome::Accepted);
        let recorder = running.recorder();
        assert_eq!((recorder.credentials(), recorder.right_credentials()), (1, 1));
        let commands = recorder.commands();
        assert!(commands.iter().any(|line| line.starts_with("EXAMINE")), "{commands:?}");
        assert!(!commands.iter().any(|line| line.starts_with("SELECT")), "{commands:?}");
        assert_eq!(commands.last().map(String::as_str), Some("LOGOUT"), "{commands:?}");
    }
}

#[tokio::test]
async fn nothing_stands_between_the_greeting_and_the_login() {
    let running = server().personality(Personality::Dovecot).start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    use StepKind::{Cleanup, Greeting, Login, Open, Tls};
    let expect = [Tls, Greeting, Login, Open, Cleanup];
    assert_eq!(steps(&report), expect.map(|kind| (kind, StepOutcome::Ok)));
    let first = running.recorder().commands().into_iter().next();
    assert!(first.is_some_and(|line| line.starts_with("AUTHENTICATE PLAIN")));
}

#[tokio::test]
async fn a_wrong_password_is_named_after_one_submission() {
    let running =
        Server::imap().host("localhost").mailbox(USER, "another").start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    expect_code(&report, FaultCode::AuthInvalidCredentials, StepKind::Login);
    assert_eq!(report.login, LoginOutcome::RefusedDefinitively);
    assert_eq!(running.recorder().credentials(), 1);
    assert_eq!(running.recorder().commands().last().map(String::as_str), Some("LOGOUT"));
}

#[tokio::test]
async fn starttls_upgrades_and_asks_again_what_the_server_offers() {
    let running = server().tls(Tls::Starttls).start().await.expect("starts");
    let report = Bench::imap(running.port(), Security::Starttls, IncomingPlan::Open).run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
    let kinds: Vec<StepKind> = report.steps.iter().map(|step| step.kind).collect();
    let at = |kind| kinds.iter().rposition(|own| *own == kind);
    assert!(at(StepKind::Starttls) < at(StepKind::Tls), "{kinds:?}");
    assert!(at(StepKind::Tls) < at(StepKind::Capability), "{kinds:?}");
}

/// A check with STARTTLS against this server.
async fn starttls_report(server: Server) -> LegReport {
    let running = server.tls(Tls::Starttls).start().await.expect("starts");
    let report = Bench::imap(running.port(), Security::Starttls, IncomingPlan::Open).run().await;
    assert_eq!(running.recorder().credentials(), 0, "no credential may be sent");
    report
}

#[tokio::test]
async fn a_broken_way_to_tls_ends_before_the_login() {
    let strip = |strip| server().at(Step::Capability, Fault::StripStarttls(strip));
    let absent = starttls_report(strip(Strip::Absent)).await;
    expect_code(&absent, FaultCode::TlsNotOffered, StepKind::Starttls);
    let mangled = starttls_report(strip(Strip::Mangled)).await;
    expect_code(&mangled, FaultCode::StarttlsStripped, StepKind::Starttls);
    let refused = Fault::Reply("NO TLS is not available".to_owned());
    let refused = starttls_report(server().at(Step::Starttls, refused)).await;
    expect_code(&refused, FaultCode::StarttlsRejected, StepKind::Starttls);
    let injected = Fault::Inject(b"* OK injected\r\n".to_vec());
    let injected = starttls_report(server().at(Step::Starttls, injected)).await;
    expect_code(&injected, FaultCode::StarttlsInjection, StepKind::Starttls);
    let preauth = starttls_report(server().at(Step::Greeting, Fault::Preauth)).await;
    expect_code(&preauth, FaultCode::PreauthRefused, StepKind::Greeting);
}

#[tokio::test]
async fn refusals_are_judged_by_their_moment() {
    use FaultCode as C;
    use StepKind::{Greeting, Login, Open};
    for (step, text, code, at) in [
        (Step::Greeting, "* BYE Too many connections", C::TooManyConnections, Greeting),
        (Step::Login, "NO [UNAVAILABLE] Try later", C::AuthTemporaryFailure, Login),
        (
            Step::Login,
            "* BYE Temporary problem, please try again later",
            C::AuthTemporaryFailure,
            Login,
        ),
        (Step::List, "NO Full IMAP support is not enabled", C::ProtocolDisabledForMailbox, Open),
        (Step::Open, "NO [INUSE] Mailbox is busy", C::MailboxUnavailable, Open),
        (
            Step::Open,
            "BAD User is authenticated but not connected.",
            C::AuthenticatedNotConnected,
            Open,
        ),
        (Step::Open, "* BYE Closing", C::ServerUnavailable, Open),
    ] {
        let report = report(server().at(step, Fault::Reply(text.to_owned()))).await;
        expect_code(&report, code, at);
    }
}

#[tokio::test]
async fn an_account_that_is_thrown_out_after_its_login_is_not_healthy() {
    let bye = Fault::ByeAfterOk("IMAP access disabled for this account.".to_owned());
    let report = report(server().at(Step::Login, bye)).await;
    expect_code(&report, FaultCode::ProtocolDisabledForMailbox, StepKind::Open);
    assert_eq!(report.login, LoginOutcome::Accepted);
}

#[tokio::test]
async fn folders_are_listed_and_marked() {
    let running = server().personality(Personality::Dovecot).start().await.expect("starts");
    let bench = Bench::to(&running)
        .with(|bench| bench.spec.plan = LegPlan::Incoming(IncomingPlan::OpenAndMark));
    let report = bench.run().await;
    assert_eq!(codes(&report), [], "{report:#?}");
    let roles: Vec<FolderRole> = report.marks.folders.iter().map(|mark| mark.role).collect();
    assert!(
        roles.starts_with(&[FolderRole::Inbox]) && roles.contains(&FolderRole::Sent),
        "{roles:?}"
    );
    assert!(report.marks.folders.iter().all(|mark| mark.uid_validity.is_some()));
}

#[tokio::test]
async fn folders_are_known_by_their_names_in_other_languages() {
    for layout in [Layout::Japanese, Layout::German] {
        let running = server().layout(layout).start().await.expect("starts");
        let bench = Bench::to(&running)
            .with(|bench| bench.spec.plan = LegPlan::Incoming(IncomingPlan::OpenAndMark));
        let report = bench.run().await;
        assert_eq!(codes(&report), [], "{report:#?}");
        let roles: Vec<FolderRole> = report.marks.folders.iter().map(|mark| mark.role).collect();
        assert_eq!(roles, [FolderRole::Inbox, FolderRole::Junk, FolderRole::Sent]);
    }
}

#[tokio::test]
async fn courier_is_refused_by_a_rule_that_can_be_switched_off() {
    let running = server().personality(Personality::Courier).start().await.expect("starts");
    let refused = Bench::to(&running).run().await;
    assert_eq!(codes(&refused), [FaultCode::ServerSoftwareUnsupported], "{refused:#?}");
    assert!(!refused.is_usable());
    assert_eq!(refused.login, LoginOutcome::Accepted, "the rest of the report is still given");
    let warned =
        Bench::to(&running).with(|bench| bench.probe.rules.courier = CourierRule::Warn).run().await;
    assert!(warned.is_usable(), "{warned:#?}");
    assert_eq!(codes(&warned), [FaultCode::ServerSoftwareUnsupported]);
}
