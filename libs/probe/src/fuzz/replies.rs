//! Targets for what all protocols share: lines, replies, their meaning, their redaction.

use std::sync::Arc;

use mailfleet_model::{Credential, Login, Protocol, Secret};
use strum::IntoEnumIterator as _;

use super::{block_on, stream};
use crate::classify::{Refusal, ReplyPhase as At, Status, classify as judge};
use crate::lines::{Lines, MAX_LINE};
use crate::redact::{MAX_TEXT, Redactor};
use crate::software::software;
use crate::{provider, reply};

/// Reading replies apart.
pub(super) fn reply(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let _ = reply::smtp_reply(&lines);
    for line in lines {
        let _ = reply::smtp_line(line);
        let _ = reply::banner(line);
        let text = reply::decode(line);
        let _ = reply::smtp_code(&text);
        let _ = reply::bracketed(&text);
        let _ = reply::EnhancedCode::leading(&text);
        let _ = reply::EnhancedCode::find(&text);
        assert!(reply::without_codes(&text).len() <= text.len());
        let _ = software(&text, std::slice::from_ref(&text), &[(text.clone(), text.clone())]);
        let _ = provider::provider_for(&text, Some(&text));
    }
    let text = reply::decode(bytes);
    assert!(!reply::clean(&text).chars().any(char::is_control));
    assert!(reply::keep(&text).chars().count() <= reply::MAX_KEPT);
}

const MECHANISMS: [Option<&str>; 4] = [None, Some("PLAIN"), Some("XOAUTH2"), Some("SCRAM-SHA-1")];

/// Judging any reply at any moment: four bytes of context, then the text.
pub(super) fn classify(bytes: &[u8]) {
    let Some(([phase, status, code, how], text)) = bytes.split_first_chunk::<4>() else { return };
    let pick = |byte: &u8, length: usize| usize::from(*byte).checked_rem(length).unwrap_or(0);
    let status = match status % 7 {
        0 => Status::No,
        1 => Status::Bad,
        2 => Status::Bye,
        3 => Status::Preauth,
        4 => Status::Err,
        5 => Status::Unrecognised,
        _ => Status::Smtp(u16::from(*code).saturating_mul(3)),
    };
    let protocol = match how % 3 {
        0 => Protocol::Imap,
        1 => Protocol::Pop3,
        _ => Protocol::Smtp,
    };
    let text = reply::decode(text);
    let mut phases = At::iter();
    let phase = phases.nth(pick(phase, phases.len())).unwrap_or(At::Other);
    let mechanism = *MECHANISMS.get(pick(how, MECHANISMS.len())).unwrap_or(&None);
    let challenge = (*how >= 128).then_some(text.as_str());
    let refusal = Refusal::new(protocol, phase, status, &text);
    let refusal = Refusal { mechanism, challenge, ..refusal };
    let fault = judge(&refusal);
    assert!(!fault.alternatives.contains(&fault.code));
    let kept = fault.evidence.server_text.unwrap_or_default();
    assert!(kept.chars().count() <= reply::MAX_KEPT);
    assert!(!kept.chars().any(char::is_control));
}

/// Secrets that are looked for: a plain one, one with spaces, a token.
const SECRETS: [&str; 3] = ["pw-CANARY-7731", "abcd efgh ijkl mnop", "eyJhbGciOi.CANARY.c2ln"];

/// Redaction: the text never shows a secret, and no control character.
pub(super) fn redact(bytes: &[u8]) {
    let text = reply::decode(bytes);
    for secret in SECRETS {
        let credential = Credential::Password(Secret::new(secret.as_bytes().to_vec()));
        let login = Login::new("user@example.test", Arc::new(credential)).expect("a login");
        let redactor = Redactor::new(&login);
        for text in [text.clone(), format!("{text}{secret}{text}"), text.replace('\u{1}', secret)] {
            let clean = redactor.clean(&text, MAX_TEXT);
            assert!(!clean.contains(secret), "{secret} in {clean}");
            assert!(clean.chars().count() <= MAX_TEXT);
            assert!(!clean.chars().any(char::is_control));
        }
    }
}

/// Reading lines: each is within the bound, and nothing of them is lost or added.
pub(super) fn lines(bytes: &[u8]) {
    let mut lines = Lines::new(stream(bytes));
    block_on(async {
        while let Ok(line) = lines.read_line().await {
            assert!(line.len() <= MAX_LINE && !line.contains(&b'\n'));
        }
    });
}
