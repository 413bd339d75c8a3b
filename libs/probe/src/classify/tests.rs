//! Judges the labelled replies and holds the rules that no single reply shows.

use std::collections::BTreeMap;

use mailfleet_model::fault::Retry;
use mailfleet_model::leg::LoginOutcome;
use proptest::prelude::*;
use serde_json::Value;
use strum::IntoEnumIterator as _;

use super::*;

/// Replies of real servers: wire logs, issue trackers and server sources, as each row says.
const CORPUS: &str = include_str!("../../testdata/replies/responses.jsonl");

/// Replies composed after the wording of further servers, to keep the table general.
const COMPOSED: &str = include_str!("../../testdata/replies/composed.jsonl");

/// Replies that others published: error lists of providers, issue trackers, sources of
/// servers and of tools that read bounces. The moment of the dialogue is often not told
/// there, and is then the one at which such a reply is usual.
const SEEN: &str = include_str!("../../testdata/replies/seen.jsonl");

struct Labelled {
    id: String,
    protocol: Protocol,
    phase: ReplyPhase,
    reply: String,
    codes: Vec<String>,
}

fn labelled(corpus: &str) -> Vec<Labelled> {
    corpus.lines().filter(|line| !line.is_empty()).filter_map(labelled_row).collect()
}

/// Reads a row; `None` for the few about TLS libraries and sockets, which are no replies.
fn labelled_row(line: &str) -> Option<Labelled> {
    let row: Value = serde_json::from_str(line).expect("a JSON document per line");
    let text = |key: &str| row[key].as_str().expect("a text").to_owned();
    let codes = row["codes"].as_array().expect("a list of codes");
    let protocol = match text("protocol").as_str() {
        "imap" => Protocol::Imap,
        "pop3" => Protocol::Pop3,
        "smtp" => Protocol::Smtp,
        _ => return None,
    };
    let phase = match text("phase").as_str() {
        "greeting" | "connect" => ReplyPhase::Greeting,
        "capability" | "ehlo" => ReplyPhase::Capability,
        "starttls" => ReplyPhase::Starttls,
        "auth" => ReplyPhase::Auth,
        "select" => ReplyPhase::Open,
        "mail_from" => ReplyPhase::MailFrom,
        "rcpt_to" => ReplyPhase::RcptTo,
        "data" => ReplyPhase::Body,
        other => panic!("unknown phase {other}"),
    };
    let codes = codes.iter().map(|c| c.as_str().expect("a code").to_owned()).collect();
    Some(Labelled { id: text("id"), protocol, phase, reply: text("reply"), codes })
}

/// What a session would make of a reply that may lack its tag and status.
fn status_of(row: &Labelled) -> Status {
    let first = row.reply.split_whitespace().take(2).collect::<Vec<_>>();
    let says = |word: &str| first.iter().any(|w| w.eq_ignore_ascii_case(word));
    match row.protocol {
        Protocol::Smtp => {
            Status::Smtp(reply::smtp_code(&row.reply).unwrap_or(implied_code(&row.reply)))
        }
        Protocol::Imap if says("BYE") => Status::Bye,
        Protocol::Imap if says("BAD") => Status::Bad,
        Protocol::Imap => Status::No,
        Protocol::Pop3 => Status::Err,
    }
}

/// The basic code that a log without it must have had.
fn implied_code(reply: &str) -> u16 {
    if reply.starts_with('4') { 450 } else { 550 }
}

fn judge(row: &Labelled) -> Fault {
    let mut refusal = Refusal::new(row.protocol, row.phase, status_of(row), &row.reply);
    refusal.mechanism = Some(match row.codes.iter().any(|c| c.starts_with("OAUTH")) {
        true => "XOAUTH2",
        false => "PLAIN",
    });
    refusal.provider = crate::provider::by_greeting(&row.reply);
    classify(&refusal)
}

/// Whether a row is a refusal that the classification is asked about. Greetings that are
/// no fault, capability lists and Courier's greeting never come here.
fn is_refusal(row: &Labelled) -> bool {
    let not_asked = ["SERVER_SOFTWARE_UNSUPPORTED"];
    !row.codes.is_empty()
        && !row.reply.starts_with("* CAPABILITY")
        && !row.codes.iter().any(|c| not_asked.contains(&c.as_str()))
}

#[track_caller]
fn check_share(corpus: &str, at_least: f64) {
    let rows: Vec<_> = labelled(corpus).into_iter().filter(is_refusal).collect();
    let mut misses = BTreeMap::new();
    for row in &rows {
        let fault = judge(row);
        if !row.codes.iter().any(|code| code == fault.code.name()) {
            misses
                .insert(row.id.clone(), (fault.code.name(), row.codes.clone(), row.reply.clone()));
        }
    }
    let share = 1.0 - misses.len() as f64 / rows.len() as f64;
    println!(
        "{} of {} right = {share:.3}; misses: {misses:#?}",
        rows.len() - misses.len(),
        rows.len()
    );
    assert!(rows.len() >= 80, "the corpus is there");
    assert!(share >= at_least, "{share:.3} is below {at_least}: {misses:#?}");
}

#[test]
fn labelled_replies_of_real_servers_get_a_right_code() {
    check_share(CORPUS, 0.97);
}

#[test]
fn published_replies_get_a_right_code() {
    check_share(SEEN, 0.97);
}

#[test]
fn composed_replies_get_a_right_code() {
    check_share(COMPOSED, 0.97);
}

#[test]
fn the_mechanism_decides_before_the_words() {
    let mut refusal =
        Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, "AUTHENTICATE failed.");
    refusal.mechanism = Some("PLAIN");
    let password = classify(&refusal);
    assert_eq!(password.code, FaultCode::AuthRejectedUnspecified);
    assert_eq!(password.confidence, Confidence::Ambiguous);
    assert!(!password.alternatives.is_empty());
    assert_eq!(login_outcome(&password), LoginOutcome::RefusedAmbiguously);
    refusal.mechanism = Some("xoauth2");
    assert_eq!(classify(&refusal).code, FaultCode::OauthTokenRejected);
    refusal.challenge = Some(r#"{"status":"403","scope":"mail"}"#);
    assert_eq!(classify(&refusal).code, FaultCode::OauthScopeMissing);
}

#[test]
fn what_was_logged_in_with_still_counts_after_the_login() {
    let text = "User is authenticated but not connected.";
    let mut refusal = Refusal::new(Protocol::Imap, ReplyPhase::Open, Status::Bad, text);
    assert_eq!(classify(&refusal).code, FaultCode::AuthenticatedNotConnected);
    refusal.credential = CredentialKind::Token;
    let fault = classify(&refusal);
    assert_eq!(fault.code, FaultCode::OauthScopeMissing);
    assert!(fault.alternatives.contains(&FaultCode::AuthenticatedNotConnected));
    assert_eq!(fault.evidence.mechanism, None);
}

#[test]
fn a_mechanism_that_needs_a_stored_secret_may_be_at_fault_itself() {
    let text = "[AUTHENTICATIONFAILED] Authentication failed.";
    let judged = |mechanism| {
        let refusal = Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, text);
        classify(&Refusal { mechanism: Some(mechanism), ..refusal })
    };
    for (mechanism, maybe) in [("SCRAM-SHA-256", true), ("CRAM-MD5", true), ("PLAIN", false)] {
        let fault = judged(mechanism);
        assert_eq!(fault.code, FaultCode::AuthInvalidCredentials);
        let alternatives = &fault.alternatives;
        assert_eq!(alternatives.contains(&FaultCode::AuthMechanismUnsupported), maybe);
    }
}

#[test]
fn the_provider_orders_the_alternatives() {
    let mut refusal = Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, "LOGIN failed.");
    refusal.provider = crate::provider::by_host("imap.gmx.net");
    let fault = classify(&refusal);
    assert_eq!(fault.alternatives.first(), Some(&FaultCode::ProtocolDisabledForMailbox));
    refusal.provider = crate::provider::by_host("imap.mail.yahoo.com");
    let fault = classify(&refusal);
    assert_eq!(fault.alternatives.first(), Some(&FaultCode::AuthAppPasswordRequired));
    assert!(fault.evidence.fact(FactKind::HelpUrl).is_some());
    assert_eq!(fault.evidence.fact(FactKind::Provider), Some("Yahoo Mail"));
}

#[test]
fn gmail_overquota_is_about_traffic() {
    let text = "[OVERQUOTA] Account exceeded its limits";
    let mut refusal = Refusal::new(Protocol::Imap, ReplyPhase::Open, Status::No, text);
    assert_eq!(classify(&refusal).code, FaultCode::QuotaExceeded);
    refusal.provider = crate::provider::by_host("imap.gmail.com");
    assert_eq!(classify(&refusal).code, FaultCode::ServerThrottled);
}

#[test]
fn all_codes_of_a_reply_are_kept_as_evidence() {
    let text = "534-5.7.9 Please log in with your web browser\n534 5.7.9 Learn more";
    let refusal = Refusal::new(Protocol::Smtp, ReplyPhase::Auth, Status::Smtp(534), text);
    let evidence = classify(&refusal).evidence;
    assert_eq!(evidence.smtp_code, Some(534));
    assert_eq!(evidence.enhanced_code.as_deref(), Some("5.7.9"));
    let text = "NO [UNAVAILABLE] Temporary authentication failure. [vm:2026-11-22 02:08:56]";
    let refusal = Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, text);
    assert_eq!(classify(&refusal).evidence.response_code.as_deref(), Some("UNAVAILABLE"));
}

#[test]
fn a_wait_that_the_server_names_is_kept() {
    let text = "BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds";
    let refusal = Refusal::new(Protocol::Imap, ReplyPhase::Open, Status::Bad, text);
    let fault = classify(&refusal);
    assert_eq!(fault.retry, Retry::ServerHint(std::time::Duration::from_millis(178_755)));
    assert_eq!(fault.evidence.fact(FactKind::Wait), Some("178 s"));
}

#[test]
fn another_protocol_is_recognised_by_its_shape() {
    #[track_caller]
    fn check(protocol: Protocol, text: &str, expect: FaultCode, speaks: Option<&str>) {
        let refusal = Refusal::new(protocol, ReplyPhase::Greeting, Status::Unrecognised, text);
        let fault = classify(&refusal);
        assert_eq!(fault.code, expect, "{text}");
        assert_eq!(fault.evidence.fact(FactKind::Protocol), speaks, "{text}");
    }
    check(Protocol::Imap, "220 mail ESMTP Postfix", FaultCode::WrongProtocol, Some("SMTP"));
    check(Protocol::Imap, "+OK ready", FaultCode::WrongProtocol, Some("POP3"));
    check(Protocol::Smtp, "* OK ready", FaultCode::WrongProtocol, Some("IMAP"));
    check(Protocol::Pop3, "SSH-2.0-OpenSSH_9.2", FaultCode::WrongProtocol, Some("SSH"));
    check(Protocol::Smtp, "HTTP/1.1 400 Bad Request", FaultCode::WrongProtocol, Some("HTTP"));
    check(Protocol::Imap, "\u{15}\u{3}\u{1}", FaultCode::TlsModeMismatchImplicit, None);
    check(Protocol::Imap, "gibberish", FaultCode::ProtocolError, None);
}

#[test]
fn a_bare_refusal_stays_open() {
    #[track_caller]
    fn check(protocol: Protocol, status: Status, text: &str) {
        let mut refusal = Refusal::new(protocol, ReplyPhase::Auth, status, text);
        refusal.mechanism = Some("PLAIN");
        let fault = classify(&refusal);
        assert_eq!(fault.code, FaultCode::AuthRejectedUnspecified, "{text}");
        assert_eq!(fault.confidence, Confidence::Ambiguous, "{text}");
        assert!(fault.alternatives.contains(&FaultCode::AuthInvalidCredentials), "{text}");
    }
    for text in [
        "LOGIN failed.",
        "AUTHENTICATE failed.",
        "Login failed",
        "Authentication rejected",
        "access denied",
        "Anmeldung fehlgeschlagen",
        "ログインに失敗しました",
        "登录失败",
        "Ошибка авторизации",
        "Échec de l'authentification",
        "Login failed. Connection from 192.0.2.1 logged.",
        "Login failed. Please make sure that your account is not locked.",
        "Login failed. Your account will be locked after five attempts.",
        "Login failed. See https://help.example.com/blocked-account",
    ] {
        check(Protocol::Imap, Status::No, text);
        check(Protocol::Pop3, Status::Err, text);
    }
}

#[test]
fn what_is_only_advised_is_a_guess() {
    let judged = |text| classify(&Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, text));
    let told = judged("This account needs an app password.");
    assert_eq!(told.code, FaultCode::AuthAppPasswordRequired);
    assert_ne!(told.confidence, Confidence::Ambiguous);
    let advised = judged("Login failed. If you use two-step verification, use an app password.");
    assert_eq!(advised.code, FaultCode::AuthAppPasswordRequired);
    assert_eq!(advised.confidence, Confidence::Ambiguous);
    assert!(advised.alternatives.contains(&FaultCode::AuthInvalidCredentials));
    let warned = judged("Wrong password. Your mailbox will be locked after three attempts.");
    assert_eq!(warned.code, FaultCode::AuthInvalidCredentials);
}

#[test]
fn alert_alone_means_nothing() {
    let refusal = Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, "[ALERT] Sorry.");
    assert_eq!(classify(&refusal).code, FaultCode::AuthRejectedUnspecified);
}

#[test]
fn a_temporary_refusal_is_tried_again_and_a_permanent_one_is_not() {
    #[track_caller]
    fn check(phase: ReplyPhase, code: u16, text: &str, temporary: bool) {
        let fault = classify(&Refusal::new(Protocol::Smtp, phase, Status::Smtp(code), text));
        assert_eq!(fault.retry.is_temporary(), temporary, "{code} {text}: {}", fault.code);
    }
    check(ReplyPhase::Greeting, 421, "", true);
    check(ReplyPhase::Greeting, 554, "", false);
    check(ReplyPhase::RcptTo, 450, "user unknown", true);
    check(ReplyPhase::RcptTo, 550, "user unknown", false);
    check(ReplyPhase::Starttls, 454, "TLS not available", true);
    check(ReplyPhase::Auth, 535, "5.7.8 Authentication failed", false);
    check(ReplyPhase::MailFrom, 451, "backend: invalid return path: not owned by user", false);
}

#[test]
fn evidence_is_clean_and_bounded() {
    let text = format!("<b>No</b>\u{1b}[1m {}", "x".repeat(10_000));
    let refusal = Refusal::new(Protocol::Imap, ReplyPhase::Auth, Status::No, &text);
    let kept = classify(&refusal).evidence.server_text.expect("kept");
    assert!(kept.starts_with("No [1m x"));
    assert_eq!(kept.chars().count(), reply::MAX_KEPT);
}

fn any_phase() -> impl Strategy<Value = ReplyPhase> {
    prop::sample::select(ReplyPhase::iter().collect::<Vec<_>>())
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::No),
        Just(Status::Bad),
        Just(Status::Bye),
        Just(Status::Preauth),
        Just(Status::Err),
        Just(Status::Unrecognised),
        any::<u16>().prop_map(Status::Smtp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_judged_alike_each_time(
        bytes in prop::collection::vec(any::<u8>(), 0..6_000),
        phase in any_phase(),
        status in any_status(),
        protocol in prop::sample::select(vec![Protocol::Imap, Protocol::Pop3, Protocol::Smtp]),
    ) {
        let text = reply::decode(&bytes);
        let refusal = Refusal::new(protocol, phase, status, &text);
        let fault = classify(&refusal);
        prop_assert_eq!(&fault, &classify(&refusal));
        let kept = fault.evidence.server_text.as_deref().unwrap_or_default();
        prop_assert!(kept.chars().count() <= reply::MAX_KEPT);
        prop_assert!(!kept.chars().any(char::is_control));
        prop_assert!(!fault.alternatives.contains(&fault.code));
        let _ = reply::smtp_reply(&[&bytes]);
        let _ = reply::banner(&bytes);
    }
}
