//! Hostile servers as data: every misbehaviour at every step of every protocol.
//!
//! Whatever a server does, a leg ends within its budget and a little more, in a report and
//! not in a panic, with at most one submission of the credential and one mail, in bounded
//! memory, and without the password in report or log. What exactly is said about each
//! case is the business of the tests of each protocol.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mailfleet_mailsim::{Fault, Server, Step, Tls};
use mailfleet_model::leg::{IncomingPlan, OutgoingPlan, Submission};
use mailfleet_model::{Evidence, FaultCode, LegReport, Protocol, Security};
use strum::IntoEnumIterator as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{Bench, PASSWORD, USER, codes};
use crate::logged;

const KIB: u64 = 1024;
/// Time for one leg; a silent server uses all of it.
const BUDGET: Duration = Duration::from_secs(2);
/// A line that is longer than any may be, and a flood longer than a session may be.
const LONG_LINE: u64 = 1024 * KIB;
const FLOOD: u64 = 24 * 1024 * KIB;
/// What a leg may take beyond its budget: the hard stop, and a busy machine.
const GRACE: Duration = Duration::from_secs(10);
/// Cases that run at once: they wait more than they work.
const AT_ONCE: usize = 48;
/// What the peak of this process may grow by, the servers' own memory included. A client
/// that stored what it is sent would need more than this for each of `AT_ONCE` legs.
const MAX_GROWTH_KIB: u64 = 256 * 1024;

/// What is done, with words of the protocol where words are needed.
fn misdeeds(protocol: Protocol, step: Step) -> Vec<Fault> {
    let (good, bad) = match protocol {
        Protocol::Imap => ("* OK still thinking", "NO [ALERT]é日本"),
        Protocol::Pop3 => ("+OK still thinking", "-ERR [é]日本"),
        Protocol::Smtp => ("250-still thinking", "550 5.999.é 日本"),
    };
    let mut misdeeds = vec![
        Fault::Close,
        Fault::Reset,
        Fault::Silent,
        Fault::Drip(Duration::from_millis(100)),
        Fault::EndlessLine { bytes: LONG_LINE },
        Fault::EndlessLiteral { announced: 4_000_000_000, bytes: 1000 },
        Fault::Nesting { depth: 100_000 },
        Fault::Garbage { bytes: 256 * KIB },
        Fault::Reply(bad.to_owned()),
        Fault::Reply(format!("{good}{}", "\u{202e}é".repeat(10_000))),
        Fault::Raw(b"\0\xff\r\n\r\n".to_vec()),
        Fault::Raw(vec![b'\n'; 100_000]),
        Fault::Raw(b"+ \r\n".repeat(50)),
        Fault::Raw(b"334 \r\n".repeat(50)),
        Fault::EchoPassword,
        Fault::ByeAfterOk("gone".to_owned()),
        Fault::Preauth,
    ];
    // Reading a flood is most of the work here; other steps read in the same ways.
    if matches!(step, Step::Greeting | Step::Login | Step::List | Step::Uidl | Step::Ehlo) {
        misdeeds.push(Fault::Flood { line: good.to_owned(), bytes: FLOOD });
    }
    misdeeds
}

/// One server that misbehaves at one step.
#[derive(Debug, Clone)]
struct Case {
    protocol: Protocol,
    step: Step,
    fault: Fault,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for protocol in Protocol::iter() {
        for step in Step::iter() {
            for fault in misdeeds(protocol, step) {
                if fault.fits(step, simulated(protocol)) {
                    cases.push(Case { protocol, step, fault });
                }
            }
        }
    }
    cases
}

fn simulated(protocol: Protocol) -> mailfleet_mailsim::Protocol {
    match protocol {
        Protocol::Imap => mailfleet_mailsim::Protocol::Imap,
        Protocol::Pop3 => mailfleet_mailsim::Protocol::Pop3,
        Protocol::Smtp => mailfleet_mailsim::Protocol::Smtp,
    }
}

#[tokio::test]
async fn no_server_gets_more_than_its_share_of_time_memory_and_secrets() {
    logged::listen();
    let before = peak_kib();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in cases() {
        let slots = Arc::clone(&slots);
        running.spawn(async move {
            let _slot = slots.acquire().await.expect("the semaphore is never closed");
            let shown: String = format!("{case:?}").chars().take(150).collect();
            check(&case).await.map_err(|why| format!("{shown}: {why}"))
        });
    }
    let total = running.len();
    assert!(total > 300, "{total} cases");
    let wrong: Vec<String> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} of {total} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let growth = peak_kib().saturating_sub(before);
    assert!(growth < MAX_GROWTH_KIB, "the peak grew by {growth} KiB");
    logged::holds_no_secret();
}

/// Runs a leg against the case's server; the error says what it must not have done.
async fn check(case: &Case) -> Result<(), String> {
    let server = match case.protocol {
        Protocol::Imap => Server::imap(),
        Protocol::Pop3 => Server::pop3(),
        Protocol::Smtp => Server::smtp(),
    };
    let (tls, security) = match case.step {
        Step::Starttls => (Tls::Starttls, Security::Starttls),
        _ => (Tls::Implicit, Security::Tls),
    };
    let server = server.tls(tls).mailbox(USER, PASSWORD).at(case.step, case.fault.clone());
    let server = server.start().await.expect("a server");
    let port = server.port();
    let mut bench = match case.protocol {
        Protocol::Imap => Bench::imap(port, security, IncomingPlan::OpenAndMark),
        Protocol::Pop3 => Bench::pop3(port, security, IncomingPlan::OpenAndMark),
        Protocol::Smtp => Bench::smtp(port, security, test_mail()),
    };
    bench.budget = BUDGET;
    let began = Instant::now();
    let report = bench.run().await;
    let took = began.elapsed();
    if took > BUDGET + GRACE {
        return Err(format!("took {took:?}"));
    }
    let recorder = server.recorder();
    if recorder.credentials() > 1 || recorder.mails() > 1 {
        return Err(format!("{} logins, {} mails", recorder.credentials(), recorder.mails()));
    }
    judge(case, &report)
}

fn test_mail() -> OutgoingPlan {
    let to = USER.parse().expect("an address");
    OutgoingPlan::TestMail { to, token: "abcdefgh12345678".to_owned() }
}

/// What must hold of every report, and of those whose fault nobody can overlook.
fn judge(case: &Case, report: &LegReport) -> Result<(), String> {
    let is_panic = |fault: &mailfleet_model::Fault| {
        fault.code == FaultCode::Unknown && fault.evidence == Evidence::default()
    };
    if report.faults.iter().any(is_panic) {
        return Err("the leg panicked".to_owned());
    }
    let ends_the_session = matches!(
        case.fault,
        Fault::Close | Fault::Reset | Fault::Silent | Fault::Flood { .. } | Fault::Garbage { .. }
    );
    let is_always_passed = matches!(case.step, Step::Connect | Step::Greeting | Step::Login);
    if ends_the_session && is_always_passed && report.is_usable() {
        return Err("the mailbox is called usable".to_owned());
    }
    let told = codes(report).contains(&FaultCode::SubmissionOutcomeUnknown);
    if told != (report.submission == Submission::Unknown) {
        return Err(format!("the submission is {:?}: {:?}", report.submission, codes(report)));
    }
    Ok(())
}

/// The highest resident memory of this process so far, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
