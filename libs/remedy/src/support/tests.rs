//! Tests of the support block.

use mailfleet_model::FaultCode;

use super::*;
use crate::fixtures;

#[test]
fn the_block_holds_what_an_administrator_looks_for() {
    let fault = fixtures::fault(FaultCode::GreetingRejected);
    let block = support_block(&fixtures::report(&fault), Language::English);
    let expect = "\
mailfleet: information for support
  Mailbox: user@example.com
  Verdict: FAULTY (The mailbox cannot be used yet)
  Started: 2023-11-14 22:13:20 UTC (3.3 seconds)
  Addresses to allow: 203.0.113.5, 203.0.113.6
  Job: 00000000-0000-0000-0000-000000000001
  Trace id: abababababababababababababababab

Incoming mail (IMAP): imap.example.com:143 (STARTTLS)
  Started: 2023-11-14 22:13:20 UTC (3.2 seconds)
  From our address: 203.0.113.5
  To server address: 198.51.100.7
  Server software: Dovecot 2.3
  Encryption: TLSv1.3, TLS_AES_128_GCM_SHA256
  Certificate for: mail.example.net, example.net
  Issued by: CN=Example CA
  Valid: 2023-11-13 22:13:20 UTC – 2023-11-14 22:13:20 UTC
  SHA-256: abababababababababababababababababababababababababababababababab
  Stopped at: login

GREETING_REJECTED: The server turned us away in its first line
  Incoming mail (IMAP), greeting; error; likely
  Server said: NO [CONTACTADMIN] call {host} now
  Reply code: CONTACTADMIN TLS alert 40 (handshake_failure)
  Tried: 198.51.100.7:993 connected (40 milliseconds)
  Or: AUTH_ACCOUNT_LOCKED
";
    assert_eq!(block, expect);
}

#[test]
fn the_japanese_block_keeps_codes_and_addresses() {
    let fault = fixtures::fault(FaultCode::GreetingRejected);
    let block = support_block(&fixtures::report(&fault), Language::Japanese);
    for part in [
        "判定: FAULTY",
        "受信（IMAP）: imap.example.com:143 (STARTTLS)",
        "許可するIPアドレス: 203.0.113.5, 203.0.113.6",
        "GREETING_REJECTED: サーバーが最初の応答で接続を断りました",
        "トレースID: abab",
    ] {
        assert!(block.contains(part), "{part}\n{block}");
    }
}

#[test]
fn what_is_unknown_has_no_line() {
    let fault = mailfleet_model::Fault::new(FaultCode::CheckTimeout, mailfleet_model::Leg::System);
    let mut report = fixtures::report(&fault);
    report.legs.clear();
    report.egress_addresses.clear();
    report.trace_id = None;
    let block = support_block(&report, Language::English);
    assert!(!block.contains("Trace id") && !block.contains("Addresses to allow"), "{block}");
    assert!(!block.lines().any(|line| line.ends_with(": ")), "{block}");
}
