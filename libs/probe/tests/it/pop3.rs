//! Incoming legs against simulated POP3 servers.

use mailfleet_mailsim::{Fault, Mechanism, Running, Server, Step, Strip, Tls};
use mailfleet_model::leg::{IncomingPlan, LoginOutcome};
use mailfleet_model::{FaultCode, LegReport, Security, StepKind, StepOutcome};

use crate::bench::{Bench, PASSWORD, USER, all_gone, codes, steps};

fn server() -> Server {
    Server::pop3().mailbox(USER, PASSWORD)
}

async fn check(server: Server, security: Security, expect: &[FaultCode]) -> (LegReport, Running) {
    let server = server.start().await.expect("a server");
    let report = Bench::pop3(server.port(), security, IncomingPlan::Open).run().await;
    assert_eq!(codes(&report), expect, "{:?}", report.faults);
    all_gone(&server).await;
    (report, server)
}

#[tokio::test]
async fn a_good_mailbox_passes_and_nothing_is_touched() {
    for (tls, security) in [(Tls::Implicit, Security::Tls), (Tls::Starttls, Security::Starttls)] {
        let (report, server) = check(server().tls(tls), security, &[]).await;
        assert_eq!(report.login, LoginOutcome::Accepted);
        assert_eq!(steps(&report).last(), Some(&(StepKind::Cleanup, StepOutcome::Ok)));
        let commands = server.recorder().commands();
        for word in ["RETR", "DELE", "RSET"] {
            assert!(!commands.iter().any(|line| line.starts_with(word)), "{commands:?}");
        }
        assert_eq!(server.recorder().credentials(), 1);
    }
}

#[tokio::test]
async fn a_marking_leg_keeps_the_unique_ids() {
    let listing = "+OK\n1 first\n2 second\n.";
    let server = server().at(Step::Uidl, Fault::Reply(listing.to_owned()));
    let server = server.start().await.expect("a server");
    let plan = IncomingPlan::OpenAndMark;
    let report = Bench::pop3(server.port(), Security::Tls, plan).run().await;
    assert_eq!(codes(&report), [], "{:?}", report.faults);
    assert_eq!(report.marks.uidls, ["first", "second"]);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let cases = [
        (Step::Login, "-ERR [AUTH] Authentication failed.", FaultCode::AuthInvalidCredentials),
        (
            Step::Login,
            "-ERR [SYS/TEMP] Temporary authentication failure.",
            FaultCode::AuthTemporaryFailure,
        ),
        (Step::Login, "-ERR [LOGIN-DELAY] minimum time between mail checks", FaultCode::LoginDelay),
        (Step::Uidl, "-ERR unknown command", FaultCode::CapabilityMissingRequired),
        (Step::Greeting, "220 mail.example.test ESMTP", FaultCode::WrongProtocol),
    ];
    for (step, reply, code) in cases {
        let server = server().at(step, Fault::Reply(reply.to_owned()));
        check(server, Security::Tls, &[code]).await;
    }
    let in_use = server().at(Step::Stat, Fault::Reply("-ERR [IN-USE] locked".to_owned()));
    let (report, _) = check(in_use, Security::Tls, &[FaultCode::MailboxUnavailable]).await;
    assert!(report.faults.iter().all(|fault| fault.retry.is_temporary()));
}

#[tokio::test]
async fn tls_is_never_given_up() {
    let plain = || server().tls(Tls::Starttls);
    let cases = [
        (
            plain().at(Step::Capability, Fault::StripStarttls(Strip::Absent)),
            FaultCode::TlsNotOffered,
        ),
        (
            plain().at(Step::Starttls, Fault::Inject(b"+OK\r\n".to_vec())),
            FaultCode::StarttlsInjection,
        ),
        (
            plain().at(Step::Starttls, Fault::Reply("-ERR not now".to_owned())),
            FaultCode::StarttlsRejected,
        ),
    ];
    for (server, code) in cases {
        let (report, server) = check(server, Security::Starttls, &[code]).await;
        assert_eq!(server.recorder().credentials(), 0);
        assert_eq!(report.login, LoginOutcome::NotTried);
    }
    let only_passwords = vec![Mechanism::Plain, Mechanism::Login];
    let plaintext = server().tls(Tls::None).with(|spec| spec.mechanisms = Some(only_passwords));
    let (_, server) = check(plaintext, Security::Plain, &[FaultCode::AuthNeedsTls]).await;
    assert_eq!(server.recorder().credentials(), 0);
}
