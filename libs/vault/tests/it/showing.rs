//! Nothing that can be printed or stored shows a secret.

use std::error::Error as _;
use std::time::UNIX_EPOCH;

use mailfleet_model::Secret;
use mailfleet_vault::ring::Error as RingError;
use mailfleet_vault::{Error, KeyRing, PublicRing, Sealed};

use crate::{binding, password, ring};

const CANARY: &[u8] = b"canary-Pa55w0rd-1234567890";

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every word of a key file that looks like a key.
fn keys_in(text: &Secret) -> Vec<String> {
    let text = String::from_utf8(text.expose().to_vec()).expect("key files are text");
    let lines = text.lines().filter(|l| l.starts_with("key ") || l.starts_with("index "));
    lines.filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect()
}

#[test]
fn a_seal_shows_neither_the_secret_nor_what_it_is_for() {
    let ring = ring();
    let sealed = ring.public().seal(&password(CANARY), &binding()).expect("short");
    let bytes = sealed.to_bytes();
    for length in 4..=CANARY.len() {
        assert!(!contains(&bytes, &CANARY[..length]));
    }
    for word in ["taro", "example", "crm"] {
        assert!(!contains(&bytes, word.as_bytes()), "{word}");
    }
    let shown = format!("{sealed:?}");
    assert_eq!(shown, format!("Sealed {{ key: {}, length: {} }}", sealed.key_id(), bytes.len()));
}

#[test]
fn an_opened_credential_prints_stars() {
    let ring = ring();
    let sealed = ring.public().seal(&password(CANARY), &binding()).expect("short");
    let opened = ring.open(&sealed, &binding()).expect("its own ring");
    assert_eq!(format!("{opened:?}"), "Password(***)");
}

#[test]
fn rings_print_ids_only() {
    let mut ring = ring();
    ring.rotate(UNIX_EPOCH).expect("room");
    let ids: Vec<String> = ring.public().keys().map(|key| key.id.to_string()).collect();
    assert_eq!(format!("{ring:?}"), format!("KeyRing([{}])", ids.join(", ")));
    assert_eq!(format!("{:?}", ring.public()), format!("[{}]", ids.join(", ")));
    let text = ring.to_text();
    assert_eq!(keys_in(&text).len(), 3);
    assert_eq!(format!("{text:?}"), "***");
}

#[test]
fn errors_show_no_content() {
    let ring = ring();
    let keys = keys_in(&ring.to_text());
    let mut damaged = ring.to_text().expose().to_vec();
    damaged.truncate(damaged.len() - 2);
    let parsed = KeyRing::parse(&Secret::new(damaged)).expect_err("half a key");
    let content = RingError::Content { path: "mailfleet.keys".into(), source: parsed };
    let source = content.source().expect("where it is wrong");
    let shown = format!("{content} {content:?} {source} {source:?}");
    for key in &keys {
        assert!(!shown.contains(&key[..8]), "{shown}");
    }

    let public = PublicRing::parse(&Secret::new(CANARY.to_vec())).expect_err("not a ring");
    let sealed = Sealed::from_bytes(CANARY).expect_err("not a seal");
    let shown = format!("{public} {public:?} {sealed} {sealed:?}");
    assert!(!shown.contains("anary") && matches!(sealed, Error::UnknownFormat(b'c')), "{shown}");
}
