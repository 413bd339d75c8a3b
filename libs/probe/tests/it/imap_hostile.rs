//! Hostile and broken IMAP servers: bounded time, a fault and never a crash, and no
//! password anywhere, not even in a log at its finest level.

use std::time::{Duration, Instant};

use mailfleet_mailsim::{Fault, Server, Step};
use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{FaultCode, LegReport};

use crate::bench::{Bench, PASSWORD, USER, codes};
use crate::logged;

const MIB: u64 = 1024 * 1024;
const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";

/// A check, in a short budget, of a server that does this at a step.
async fn suffer(step: Step, fault: Fault, budget: Duration) -> LegReport {
    let server = Server::imap().host("localhost").mailbox(USER, PASSWORD).at(step, fault);
    let running = server.start().await.expect("starts");
    let began = Instant::now();
    let report = Bench::to(&running).with(|bench| bench.budget = budget).run().await;
    assert!(began.elapsed() < budget + Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(running.recorder().credentials() <= 1, "one submission at most");
    report
}

fn raw(text: impl Into<Vec<u8>>) -> Fault {
    Fault::Raw(text.into())
}

fn nested(depth: usize) -> String {
    let (open, close) = ("(".repeat(depth), ")".repeat(depth));
    format!("{GREETING}* 1 FETCH (BODYSTRUCTURE {open}{close})\r\n{{tag}} OK\r\n")
}

#[tokio::test]
async fn floods_and_nonsense_end_in_a_fault_at_once() {
    let line = || "* OK still thinking".to_owned();
    for (step, fault) in [
        (Step::Greeting, Fault::EndlessLine { bytes: 64 * MIB }),
        (Step::Login, Fault::EndlessLine { bytes: 64 * MIB }),
        (Step::Login, Fault::Flood { line: line(), bytes: 64 * MIB }),
        (Step::List, Fault::Flood { line: line(), bytes: 64 * MIB }),
        (Step::Greeting, Fault::Nesting { depth: 20_000 }),
        (Step::List, Fault::EndlessLiteral { announced: 400_000_000, bytes: 3 }),
        (Step::Login, raw("* LIST () \"/\" {400000000}\r\nabc")),
        (Step::Greeting, Fault::Garbage { bytes: MIB }),
        (Step::Login, Fault::Garbage { bytes: MIB }),
        (Step::Greeting, Fault::Close),
        (Step::Greeting, Fault::Reset),
        (Step::Login, Fault::Close),
        (Step::Login, Fault::Reset),
        (Step::List, Fault::Close),
    ] {
        let shown = format!("{step} {fault:?}");
        let began = Instant::now();
        let report = suffer(step, fault, Duration::from_secs(20)).await;
        assert!(!codes(&report).is_empty(), "{shown}");
        assert!(!report.is_usable(), "{shown}");
        assert!(!codes(&report).contains(&FaultCode::Unknown), "{shown}: {:?}", report.faults);
        assert!(began.elapsed() < Duration::from_secs(15), "{shown} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn silence_ends_with_the_budget() {
    let budget = Duration::from_millis(1_500);
    let pause = Duration::from_millis(200);
    for (step, fault) in [
        (Step::Greeting, Fault::Silent),
        (Step::Greeting, Fault::Drip(pause)),
        (Step::Login, Fault::Silent),
        (Step::Login, Fault::Drip(pause)),
        (Step::Open, Fault::Silent),
    ] {
        let shown = format!("{step} {fault:?}");
        let report = suffer(step, fault, budget).await;
        assert!(!report.is_usable(), "{shown}");
        if step == Step::Login {
            assert_eq!(report.login, LoginOutcome::Undecided, "{shown}");
        }
    }
}

#[tokio::test]
async fn odd_answers_are_understood_or_refused_but_never_crash() {
    use FaultCode as C;
    for (text, expect) in [
        ("* OK [ALERT]é日本\r\n{tag}  NO [ALERT]é\r\n".to_owned(), None),
        ("{tag} NO [AUTHENTICATIONFAILED] é\r\n".to_owned(), Some(C::AuthInvalidCredentials)),
        ("* BYE go away\r\n".to_owned(), None),
        (nested(5_000), None),
        (
            "* 1 FETCH (INTERNALDATE NIL)\r\n* METADATA INBOX (/shared/é NIL)\r\n{tag} BAD\r\n"
                .to_owned(),
            None,
        ),
        ("+ \r\n+ \r\n+ \r\n+ \r\n{tag} NO\r\n".to_owned(), Some(C::ProtocolError)),
        ("220 mail ESMTP\r\n".to_owned(), Some(C::WrongProtocol)),
    ] {
        let shown = text.chars().take(60).collect::<String>();
        let report = suffer(Step::Login, raw(text), Duration::from_secs(3)).await;
        match expect {
            Some(code) => assert_eq!(codes(&report).first(), Some(&code), "{shown}"),
            None => {
                assert!(!report.is_usable(), "{shown}");
                assert!(!codes(&report).contains(&C::Unknown), "{shown}: {:?}", codes(&report));
            }
        }
    }
}

#[tokio::test]
async fn unknown_responses_do_not_end_a_session() {
    let noise =
        "* ESEARCH (TAG \"A1\") UID\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* XFOO bar\r\n";
    let listed = "* LIST () \"/\" INBOX\r\n* LIST (\\Sent) \"/\" Sent\r\n{tag} OK done\r\n";
    let report = suffer(Step::List, raw(format!("{noise}{listed}")), Duration::from_secs(10)).await;
    assert_eq!(codes(&report), [], "{report:#?}");
}

#[tokio::test]
async fn the_password_is_in_no_log_even_if_the_server_echoes_it() {
    logged::listen();
    let report = suffer(Step::Login, Fault::EchoPassword, Duration::from_secs(10)).await;
    assert_eq!(codes(&report).len(), 1, "{report:#?}");
    let good = Server::imap().host("localhost").mailbox(USER, PASSWORD).start().await;
    let report = Bench::to(&good.expect("starts")).run().await;
    assert_eq!(codes(&report), []);
    logged::holds_no_secret();
}
