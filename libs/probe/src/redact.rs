//! Keeps secrets and control characters out of everything that is reported.
//!
//! Servers echo what they were sent: some quote the AUTH line in their refusal. Every
//! text from a server goes through here before it becomes evidence or detail.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use mailfleet_model::{Fault, Login};
use memchr::memmem;
use zeroize::Zeroizing;

/// Longest server text that is kept, in characters.
pub const MAX_TEXT: usize = 512;
/// Longest detail of a step, in characters.
pub const MAX_DETAIL: usize = 200;
/// What stands in place of a secret.
const MASK: &str = "[redacted]";
/// Shorter secrets are only masked as whole words, or every `a` would vanish.
const SHORT: usize = 4;

/// Masks the secrets of one leg in texts. Holds forms of them, wiped on drop.
pub struct Redactor {
    forms: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// Knows a login's secret in every form in which it goes over the wire.
    #[must_use]
    pub fn new(login: &Login) -> Self {
        let secret = login.credential.secret().expose();
        let user = login.username.as_bytes();
        let mut forms = Vec::new();
        let mut add = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            forms.push(Zeroizing::new(text));
        };
        add(secret);
        let joined = |parts: &[&[u8]]| Zeroizing::new(parts.concat());
        for plain in [
            joined(&[secret]),
            joined(&[b"\0", user, b"\0", secret]),
            joined(&[user, b"\0", user, b"\0", secret]),
            joined(&[b"user=", user, b"\x01auth=Bearer ", secret, b"\x01\x01"]),
            joined(&[b"n,a=", user, b",\x01auth=Bearer ", secret, b"\x01\x01"]),
        ] {
            add(STANDARD.encode(&*plain).as_bytes());
            add(STANDARD_NO_PAD.encode(&*plain).as_bytes());
        }
        let escaped: Vec<u8> = secret
            .iter()
            .flat_map(|b| if b"\"\\".contains(b) { vec![b'\\', *b] } else { vec![*b] })
            .collect();
        add(&escaped);
        // Base64 of a secret inside a longer text starts at one of three offsets.
        for shift in 0..3usize {
            let padded = Zeroizing::new([vec![b' '; shift], secret.to_vec()].concat());
            let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
            let whole = encoded.len().saturating_sub(2);
            let skip = if shift == 0 { 0 } else { 4 };
            if let Some(core) = encoded.get(skip..whole)
                && core.len() >= 8
            {
                add(core.as_bytes());
            }
        }
        forms.retain(|form| !form.is_empty());
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { forms }
    }

    /// Masks secrets and long tokens, strips controls, and cuts to `limit` characters.
    #[must_use]
    pub fn clean(&self, text: &str, limit: usize) -> String {
        let masked = self.mask_all(text);
        let mut clean = strip_controls(&masked);
        // Again: a control that becomes a space can complete a secret that holds spaces.
        if clean != *masked
            && let Cow::Owned(again) = self.mask_all(&clean)
        {
            clean = again;
        }
        clip(&clean, limit)
    }

    /// Masks every form that occurs. Most texts are shorter than most forms, and a form
    /// that does not occur costs one search and no copy.
    fn mask_all<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for form in &self.forms {
            if memmem::find(masked.as_bytes(), form.as_bytes()).is_some() {
                masked = Cow::Owned(mask(&masked, form));
            }
        }
        masked
    }

    /// Cleans everything in a fault that a server may have written.
    pub fn clean_fault(&self, fault: &mut Fault) {
        let evidence = &mut fault.evidence;
        if let Some(text) = evidence.server_text.take() {
            evidence.server_text = Some(self.clean(&text, MAX_TEXT));
        }
        for fact in &mut evidence.facts {
            fact.value = self.clean(&fact.value, MAX_TEXT);
        }
        for code in [&mut evidence.response_code, &mut evidence.enhanced_code] {
            if let Some(text) = code.take() {
                *code = Some(self.clean(&text, 64));
            }
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(***)")
    }
}

/// Masks every occurrence; a short secret only where it stands as a word of its own.
fn mask(text: &str, form: &str) -> String {
    if form.len() >= SHORT {
        return text.replace(form, MASK);
    }
    let words = text.split_inclusive(|c: char| c.is_whitespace());
    words
        .map(|word| if word.trim() == form { word.replace(form, MASK) } else { word.to_owned() })
        .collect()
}

/// Replaces control characters by spaces: they would move a terminal's cursor.
#[must_use]
pub fn strip_controls(text: &str) -> String {
    let hidden =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// Cuts a text to `limit` characters, with an ellipsis where something was cut.
#[must_use]
pub fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailfleet_model::{Credential, Secret};

    use super::*;

    fn redactor(secret: &str) -> Redactor {
        let credential = Credential::Password(Secret::new(secret.as_bytes().to_vec()));
        Redactor::new(&Login::new("user@example.test", Arc::new(credential)).expect("a login"))
    }

    #[test]
    fn the_password_and_its_encodings_never_survive() {
        let redactor = redactor("pw-CANARY-7731");
        let plain = STANDARD.encode("\0user@example.test\0pw-CANARY-7731");
        let other_user = STANDARD.encode("\0other\0pw-CANARY-7731");
        let text = format!("you sent pw-CANARY-7731, {plain} and {other_user}");
        let clean = redactor.clean(&text, 4096);
        for leak in ["CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"] {
            assert!(!clean.contains(leak), "{leak} in {clean}");
        }
    }

    #[test]
    fn a_secret_that_is_put_together_by_cleaning_does_not_survive() {
        let clean = redactor("abcd efgh ijkl mnop").clean("abcd\u{1}efgh\0ijkl mnop", 100);
        assert_eq!(clean, "[redacted]");
    }

    #[test]
    fn short_secrets_are_masked_as_words_only() {
        assert_eq!(
            redactor("no").clean("no such user: no", 100),
            "[redacted] such user: [redacted]"
        );
        assert_eq!(redactor("a").clean("a bad password", 100), "[redacted] bad password");
    }

    #[test]
    fn controls_are_stripped_and_long_texts_cut() {
        let redactor = redactor("x-y-z-secret");
        assert_eq!(redactor.clean("\x1b[31mred\r\n", 100), "[31mred");
        assert_eq!(redactor.clean(&"日".repeat(600), 10).chars().count(), 10);
    }
}
