//! Reads replies of mail servers: bytes or decoded text in, codes and words out.
//!
//! Pure functions, apart from the sessions so that they can be tested with bytes
//! alone. Nothing here does I/O, judges what a reply means (that is `classify`'s), or
//! panics on any input. Real servers break the grammar (`+ERR`, a missing tag, HTML,
//! an enhanced code inside the text), so every reader is lenient and bounded.
//!
//! Grammar: RFC 5321 §4.2 (SMTP), RFC 2034 and RFC 3463 (enhanced codes),
//! RFC 9051 §7.1 (IMAP response codes), RFC 2449 §8 and RFC 3206 (POP3).

mod banner;
mod clean;
mod decode;

use std::fmt;

pub use banner::{Banner, banner};
pub use clean::{clean, keep};
pub use decode::decode;

/// Most bytes of one reply that are looked at. Longer replies are cut before decoding.
pub const MAX_LOOKED_AT: usize = 4 * 1024;

/// Most characters of a reply that are kept as evidence.
pub const MAX_KEPT: usize = 512;

/// One line of an SMTP reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmtpLine<'a> {
    /// The reply code, 200 to 599.
    pub code: u16,
    /// Whether more lines of the same reply follow.
    pub more: More,
    /// What stands after the code, undecoded, without the line end.
    pub text: &'a [u8],
}

/// Whether a reply goes on after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Another line follows (`250-`).
    Follows,
    /// It was the last line (`250 `).
    Ends,
}

/// An enhanced status code (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about, 0 to 999.
    pub subject: u16,
    /// Which condition, 0 to 999.
    pub detail: u16,
}

/// A whole SMTP reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpReply {
    /// The reply code.
    pub code: u16,
    /// The first enhanced code.
    pub enhanced: Option<EnhancedCode>,
    /// The words, decoded, one line per line of the reply, without codes at the line starts.
    pub text: String,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl EnhancedCode {
    /// Reads a code that the text begins with, such as `5.7.8 Error`; also qmail's `#5.7.8`.
    /// Returns it with what follows.
    #[must_use]
    pub fn leading(text: &str) -> Option<(Self, &str)> {
        let text = text.trim_start().trim_start_matches(['(', '#']);
        let (class, rest) = digits(text, 1)?;
        let (subject, rest) = digits(rest.strip_prefix('.')?, 3)?;
        let (detail, rest) = digits(rest.strip_prefix('.')?, 3)?;
        let ends = rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '.');
        let class = u8::try_from(class).ok().filter(|c| matches!(c, 2 | 4 | 5))?;
        // `5.1.2.3` is an address and `5.7.8x` a version, not a code.
        ends.then_some((Self { class, subject, detail }, rest))
    }

    /// Finds the first code at the start of a line or, as qmail writes it, after `#`.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let at_line_start = text.lines().find_map(|line| Self::leading(without_smtp_code(line)));
        let after_hash = || text.split('#').skip(1).find_map(Self::leading);
        at_line_start.or_else(after_hash).map(|(code, _)| code)
    }
}

/// Takes one to `most` leading digits.
fn digits(text: &str, most: usize) -> Option<(u16, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

/// Reads one line of an SMTP reply. `None` means that it is no reply line.
///
/// A bare `250` and a code followed by another separator than space or hyphen count as
/// a last line: some servers send them.
#[must_use]
pub fn smtp_line(line: &[u8]) -> Option<SmtpLine<'_>> {
    let line = trim_line_end(line);
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok()?;
    if !code.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let code = code.parse::<u16>().ok().filter(|c| (200..600).contains(c))?;
    let (more, text) = match rest.split_first() {
        Some((b'-', text)) => (More::Follows, text),
        Some((b' ' | b'\t', text)) => (More::Ends, text),
        // `2500` or `250x` is no reply.
        Some((other, _)) if other.is_ascii_alphanumeric() => return None,
        Some(_) | None => (More::Ends, rest),
    };
    Some(SmtpLine { code, more, text })
}

/// Reads a whole SMTP reply from its lines. `None` means that the last line is no reply line.
///
/// The code is the last line's (RFC 5321 §4.2.1 says that all are equal; where they
/// are not, the last one ends the reply).
#[must_use]
pub fn smtp_reply<L: AsRef<[u8]>>(lines: &[L]) -> Option<SmtpReply> {
    let code = smtp_line(lines.last()?.as_ref())?.code;
    let bare: Vec<&[u8]> = lines
        .iter()
        .map(|line| smtp_line(line.as_ref()).map_or(trim_line_end(line.as_ref()), |l| l.text))
        .collect();
    let text = decode(&bare.join(&b'\n'));
    let enhanced = EnhancedCode::find(&text);
    let text = without_codes(&text);
    Some(SmtpReply { code, enhanced, text })
}

/// Removes reply codes and enhanced codes from the start of every line.
#[must_use]
pub fn without_codes(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for line in text.lines() {
        let line = without_smtp_code(line);
        let line = EnhancedCode::leading(line).map_or(line, |(_, rest)| rest);
        if !words.is_empty() {
            words.push('\n');
        }
        words.push_str(line.trim());
    }
    words
}

/// Removes `535 ` or `535-` from the start of a line.
fn without_smtp_code(line: &str) -> &str {
    match line.split_at_checked(3) {
        Some((code, rest)) if code.bytes().all(|b| b.is_ascii_digit()) => {
            rest.strip_prefix(['-', ' ']).unwrap_or(line)
        }
        Some(_) | None => line,
    }
}

/// The SMTP code that a decoded reply begins with, for replies that were printed by
/// somebody else.
#[must_use]
pub fn smtp_code(text: &str) -> Option<u16> {
    smtp_line(text.lines().last()?.as_bytes()).map(|line| line.code)
}

/// Splits `[CODE arguments] words` into the code, upper case, without its arguments, and the words.
///
/// Meant for the text after `NO`, `BAD`, `BYE`, `OK` or `-ERR`. What stands in brackets
/// and does not look like a code (an address, a time, a host name) is left in the words.
#[must_use]
pub fn bracketed(text: &str) -> (Option<String>, &str) {
    let trimmed = text.trim_start();
    let split = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let Some((inside, rest)) = split else { return (None, text) };
    let code = inside.split_whitespace().next().unwrap_or_default();
    let is_atom = (2..=32).contains(&code.len())
        && code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'_'));
    if is_atom { (Some(code.to_ascii_uppercase()), rest.trim_start()) } else { (None, text) }
}

/// Removes a trailing CRLF or LF.
fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtp_lines_tell_whether_more_follows() {
        let line = smtp_line(b"534-5.7.14 Please\r\n").expect("a reply line");
        assert_eq!((line.code, line.more, line.text), (534, More::Follows, &b"5.7.14 Please"[..]));
        assert_eq!(smtp_line(b"250").map(|l| (l.code, l.more)), Some((250, More::Ends)));
        for broken in [&b"25"[..], b"+OK hi", b"2500 x", b"199 x", b"999 x", b"\xff\xfe\xfd", b""] {
            assert_eq!(smtp_line(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_reply_keeps_the_words_and_drops_the_codes() {
        let reply = smtp_reply(&["534-5.7.14 Please log in\r\n", "534 5.7.14 and try again\r\n"]);
        let reply = reply.expect("a reply");
        assert_eq!(reply.code, 534);
        assert_eq!(reply.enhanced.map(|e| e.to_string()).as_deref(), Some("5.7.14"));
        assert_eq!(reply.text, "Please log in\nand try again");
    }

    #[test]
    fn enhanced_codes_are_told_from_addresses() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(EnhancedCode::find(text).map(|c| c.to_string()).as_deref(), expect);
        }
        check("5.7.8 Error", Some("5.7.8"));
        check("550 5.7.606 Access denied", Some("5.7.606"));
        check("sorry, over quota (#5.1.1)", Some("5.1.1"));
        check("5.1.2.3 is blocked", None);
        check("Postfix 3.7.1", None);
        check("5.7.8901 x", None);
    }

    #[test]
    fn brackets_hold_a_code_only_if_it_looks_like_one() {
        #[track_caller]
        fn check(text: &str, code: Option<&str>, words: &str) {
            let (got, rest) = bracketed(text);
            assert_eq!((got.as_deref(), rest), (code, words));
        }
        check("[AUTHENTICATIONFAILED] Nope", Some("AUTHENTICATIONFAILED"), "Nope");
        check("[sys/temp] later", Some("SYS/TEMP"), "later");
        check("[LOGIN-DELAY 900] slow", Some("LOGIN-DELAY"), "slow");
        check("[127.0.0.1] blocked", None, "[127.0.0.1] blocked");
        check("[unclosed", None, "[unclosed");
        check("no code", None, "no code");
    }
}
