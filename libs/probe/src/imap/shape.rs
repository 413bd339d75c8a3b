//! Tells what kind of response an IMAP line begins, and reads the words of status lines.
//!
//! Apart from the parser, which knows fewer response codes than servers use, cuts texts
//! at byte 1 and panics when that is inside a character. Lenient where real servers
//! are wrong: two spaces after a tag, a bare `+`, no text at all. Grammar: RFC 9051
//! sections 7.1 and 9. Never keeps more than the first 4 KiB of a text.

/// Most bytes of a status text that are kept for evidence.
pub(crate) const MAX_TEXT: usize = 4 * 1024;

/// What kind of response a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `* OK`, `* NO`, `* BAD`, `* BYE`, `* PREAUTH`: free text follows.
    Untagged(Condition),
    /// `A0001 OK`, or anything else that begins with a tag of ours.
    Tagged(Option<Condition>),
    /// `+ …`: the server waits for more.
    Continue,
    /// `* …`: data, possibly with literals.
    Data,
    /// No IMAP at all.
    Foreign,
}

/// The word that says how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `OK`.
    Ok,
    /// `NO`.
    No,
    /// `BAD`.
    Bad,
    /// `BYE`.
    Bye,
    /// `PREAUTH`.
    Preauth,
}

/// The letter that tags of ours begin with; four digits follow.
pub(crate) const TAG_LETTER: char = 'A';

/// What kind of response this line begins.
pub(crate) fn of(line: &[u8]) -> Shape {
    if line.first() == Some(&b'+') && !is_pop3(line) {
        return Shape::Continue;
    }
    if let Some(rest) = line.strip_prefix(b"*") {
        return match (rest.first(), condition(rest)) {
            (None | Some(b' '), Some((condition, _))) => Shape::Untagged(condition),
            (Some(b' '), None) => Shape::Data,
            _ => Shape::Foreign,
        };
    }
    match tag_and_rest(line) {
        Some((_, rest)) => Shape::Tagged(condition(rest).map(|(condition, _)| condition)),
        None => Shape::Foreign,
    }
}

/// A POP3 greeting begins like a continuation.
fn is_pop3(line: &[u8]) -> bool {
    line.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"+OK"))
        || line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"+ERR"))
}

/// The tag of ours that a line begins with, and what follows it.
pub(crate) fn tag_and_rest(line: &[u8]) -> Option<(&str, &[u8])> {
    let (tag, rest) = line.split_at_checked(5)?;
    let tag = std::str::from_utf8(tag).ok()?;
    let digits = tag.strip_prefix(TAG_LETTER)?;
    let is_ours =
        digits.bytes().all(|b| b.is_ascii_digit()) && matches!(rest.first(), None | Some(b' '));
    is_ours.then_some((tag, rest))
}

/// The text of a status line or continuation, as the server wrote it, without what the
/// shape already says.
pub(crate) fn text_of(shape: Shape, line: &[u8]) -> &[u8] {
    let text = match shape {
        Shape::Untagged(_) => {
            let rest = line.strip_prefix(b"*").unwrap_or(line);
            condition(rest).map_or(rest, |(_, text)| text)
        }
        Shape::Tagged(_) => {
            let rest = tag_and_rest(line).map_or(line, |(_, rest)| rest);
            condition(rest).map_or(rest, |(_, text)| text)
        }
        Shape::Continue => line.strip_prefix(b"+").unwrap_or(line),
        Shape::Data => line.strip_prefix(b"*").unwrap_or(line),
        Shape::Foreign => line,
    };
    let text = text.trim_ascii();
    text.get(..MAX_TEXT).unwrap_or(text)
}

/// The status word after at least one space, and the text behind it.
fn condition(rest: &[u8]) -> Option<(Condition, &[u8])> {
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (word, text) = rest.split_at_checked(end)?;
    // `NOOP` or `OK-ish` is no status word; `NO[ALERT]` is one that lost its space.
    if !matches!(text.first(), None | Some(b' ' | b'[')) {
        return None;
    }
    let condition = match word.to_ascii_uppercase().as_slice() {
        b"OK" => Condition::Ok,
        b"NO" => Condition::No,
        b"BAD" => Condition::Bad,
        b"BYE" => Condition::Bye,
        b"PREAUTH" => Condition::Preauth,
        _ => return None,
    };
    Some((condition, text))
}

/// The bracketed code at the start of a status text: its name in upper case and its
/// arguments as they came.
pub(crate) fn code(text: &[u8]) -> Option<(String, &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().position(|b| *b == b']')?;
    let (inside, _) = inside.split_at_checked(end)?;
    let name_end = inside.iter().position(|b| *b == b' ').unwrap_or(inside.len());
    let (name, arguments) = inside.split_at_checked(name_end)?;
    let name = std::str::from_utf8(name).ok()?.to_ascii_uppercase();
    Some((name, arguments.trim_ascii()))
}

/// The first word of a data response, in upper case, and what follows; for `* 12 EXISTS`
/// the word is `EXISTS`.
pub(crate) fn data_word(line: &[u8]) -> Option<(String, &[u8])> {
    let rest = line.strip_prefix(b"* ")?.trim_ascii_start();
    let (word, rest) = split_word(rest);
    let (word, rest) =
        if word.iter().all(u8::is_ascii_digit) { split_word(rest) } else { (word, rest) };
    let word = std::str::from_utf8(word).ok()?;
    Some((word.to_ascii_uppercase(), rest))
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| b" \r\n".contains(b)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, shape: Shape, text: &str) {
        let got = of(line.as_bytes());
        assert_eq!(got, shape, "{line}");
        assert_eq!(text_of(got, line.as_bytes()), text.as_bytes(), "{line}");
    }

    #[test]
    fn lines_of_real_and_odd_servers_have_a_shape() {
        use Condition::{Bad, Bye, No, Ok, Preauth};
        check("* OK [ALERT]é日本", Shape::Untagged(Ok), "[ALERT]é日本");
        check("* bye gone", Shape::Untagged(Bye), "gone");
        check("* PREAUTH", Shape::Untagged(Preauth), "");
        check("*  NO x", Shape::Untagged(No), "x");
        check("A0001  NO [ALERT]é", Shape::Tagged(Some(No)), "[ALERT]é");
        check("A0042 BAD", Shape::Tagged(Some(Bad)), "");
        check("A0042 Authentication failed", Shape::Tagged(None), "Authentication failed");
        check("+", Shape::Continue, "");
        check("+ eyJ", Shape::Continue, "eyJ");
        check("+OK POP3 ready", Shape::Foreign, "+OK POP3 ready");
        check("* 1 EXISTS", Shape::Data, "1 EXISTS");
        check("* NOOP x", Shape::Data, "NOOP x");
        check("220 mail ESMTP", Shape::Foreign, "220 mail ESMTP");
        check("A1 OK", Shape::Foreign, "A1 OK");
        check("", Shape::Foreign, "");
    }

    #[test]
    fn codes_and_data_words_are_read() {
        let (name, arguments) = code(b"[uidnext 42] ok").expect("a code");
        assert_eq!((name.as_str(), arguments), ("UIDNEXT", b"42".as_slice()));
        assert!(code(b"[unclosed").is_none());
        let word = |line: &[u8]| data_word(line).map(|(word, _)| word);
        assert_eq!(word(b"* 12 fetch (UID 3)\r\n").as_deref(), Some("FETCH"));
        assert_eq!(word(b"* SEARCH\r\n").as_deref(), Some("SEARCH"));
        assert_eq!(word(b"A0001 OK").as_deref(), None);
    }
}
