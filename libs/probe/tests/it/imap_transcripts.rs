//! What Dovecot, Courier and Cyrus really said at the login, said again by a simulated
//! server: each becomes the right code.

use mailfleet_mailsim::{Fault, Server, Step};
use mailfleet_model::FaultCode;
use mailfleet_model::leg::LoginOutcome;

use crate::bench::{Bench, PASSWORD, USER, codes};

const DOVECOT: &str = include_str!("../../testdata/transcripts/dovecot-imap.txt");
const COURIER: &str = include_str!("../../testdata/transcripts/courier-imap.txt");
const CYRUS: &str = include_str!("../../testdata/transcripts/cyrus-imap.txt");

/// The server's part of a line, without the time.
fn said(line: &str) -> Option<&str> {
    line.strip_prefix("S[")?.split_once("]: ").map(|(_, words)| words)
}

/// A section's greeting, and the answer to a login that holds `sign`, with `{tag}`.
fn recorded(text: &str, title: &str, sign: &str) -> (String, String) {
    let section =
        text.split("\n=== ").find(|section| section.trim_start_matches("=== ").starts_with(title));
    let section = section.unwrap_or_else(|| panic!("no section {title}"));
    let greeting = section.lines().find_map(said).expect("a greeting");
    let mut answers: Vec<(String, Vec<String>)> = Vec::new();
    for line in section.lines() {
        if let Some(command) = line.strip_prefix("C: ") {
            answers.push((command.to_owned(), Vec::new()));
        } else if let (Some(words), Some((_, lines))) = (said(line), answers.last_mut()) {
            lines.push(words.to_owned());
        }
    }
    let is_meant = |(command, lines): &&(String, Vec<String>)| {
        (command.contains(" LOGIN ") || command.contains(" AUTHENTICATE "))
            && lines.iter().any(|line| line.contains(sign))
    };
    let (command, lines) = answers.iter().find(is_meant).expect("an answer with the sign");
    let tag = command.split(' ').next().expect("a tag");
    let lines: Vec<String> = lines
        .iter()
        .map(|line| match line.strip_prefix(tag) {
            Some(rest) => format!("{{tag}}{rest}\r\n"),
            None => format!("{line}\r\n"),
        })
        .collect();
    (format!("{greeting}\r\n"), lines.concat())
}

async fn check(text: &str, title: &str, sign: &str, expect: FaultCode, software: &str) {
    let (greeting, answer) = recorded(text, title, sign);
    let server = Server::imap()
        .host("localhost")
        .mailbox(USER, PASSWORD)
        .at(Step::Greeting, Fault::Raw(greeting.into_bytes()))
        .at(Step::Login, Fault::Raw(answer.into_bytes()));
    let running = server.start().await.expect("starts");
    let report = Bench::to(&running).run().await;
    let found = codes(&report);
    let found: Vec<_> =
        found.iter().filter(|code| **code != FaultCode::ServerSoftwareUnsupported).collect();
    assert_eq!(found, [&expect], "{title}: {:?}", report.faults);
    assert_eq!(report.server_software.as_ref().map(|s| s.name.as_str()), Some(software), "{title}");
    assert_ne!(report.login, LoginOutcome::Accepted, "{title}");
}

#[tokio::test]
async fn dovecot_names_its_reasons() {
    use FaultCode as C;
    for (title, sign, code) in [
        ("bad password then good", "Authentication failed", C::AuthInvalidCredentials),
        ("unknown user", "Authentication failed", C::AuthInvalidCredentials),
        ("disabled (nologin + reason=)", "CONTACTADMIN", C::AuthAccountLocked),
        ("lua PASS_EXPIRED", "EXPIRED", C::AuthPasswordExpired),
        ("lua INTERNAL_FAILURE", "UNAVAILABLE", C::AuthTemporaryFailure),
        ("mail_max_userip_connections=4", "LIMIT", C::TooManyConnections),
    ] {
        check(DOVECOT, title, sign, code, "Dovecot").await;
    }
}

#[tokio::test]
async fn courier_and_cyrus_say_less() {
    use FaultCode as C;
    let refused = C::AuthRejectedUnspecified;
    check(COURIER, "bad password", "Login failed", refused, "Courier-IMAP").await;
    check(COURIER, "home directory missing", "BYE", C::AuthTemporaryFailure, "Courier-IMAP").await;
    check(CYRUS, "unknown user", "authentication failure", refused, "Cyrus").await;
    check(CYRUS, "maxlogins_per_host", "Too many", C::TooManyConnections, "Cyrus").await;
}
