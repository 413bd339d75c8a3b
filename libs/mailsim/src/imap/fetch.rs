//! What FETCH says about one message.
//!
//! Sections: everything, HEADER, TEXT, `HEADER.FIELDS (…)`, with or without PEEK and partial
//! ranges. No MIME parts: BODYSTRUCTURE describes every message as one text.
//! Source: RFC 3501 §6.4.5 and §7.4.2.

use time::macros::format_description;

use super::parse::Token;
use crate::message::{self, Message};

/// Writes the items of one message. `None` for an item that is not known.
pub(super) fn items(args: &[Token], message: &Message) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for token in args {
        let Some(word) = token.text() else { continue };
        for item in expand(&word) {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(&one(item, message)?);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Tells whether one of the items marks the message as read.
pub(super) fn marks_seen(args: &[Token]) -> bool {
    args.iter().filter_map(Token::text).any(|word| {
        let word = word.to_ascii_uppercase();
        word.starts_with("BODY[") || word == "RFC822" || word == "RFC822.TEXT"
    })
}

fn expand(word: &str) -> Vec<&str> {
    match word.to_ascii_uppercase().as_str() {
        "FAST" => vec!["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
        "ALL" => vec!["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"],
        "FULL" => vec!["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"],
        _ => vec![word],
    }
}

fn one(item: &str, message: &Message) -> Option<Vec<u8>> {
    let upper = item.to_ascii_uppercase();
    let text = match upper.as_str() {
        "UID" => format!("UID {}", message.uid),
        "FLAGS" => format!("FLAGS ({})", message.flags.join(" ")),
        "RFC822.SIZE" => format!("RFC822.SIZE {}", message.raw.len()),
        "INTERNALDATE" => format!("INTERNALDATE \"{}\"", date(message)),
        "ENVELOPE" => format!("ENVELOPE {}", envelope(message)),
        "BODY" | "BODYSTRUCTURE" => format!("{upper} {}", structure(message)),
        "RFC822" => return Some(string("RFC822", &message.raw)),
        "RFC822.HEADER" => return Some(string("RFC822.HEADER", message::split(&message.raw).0)),
        "RFC822.TEXT" => return Some(string("RFC822.TEXT", message::split(&message.raw).1)),
        _ => return section(item, message),
    };
    Some(text.into_bytes())
}

/// `BODY[…]<a.b>` and `BODY.PEEK[…]<a.b>`.
fn section(item: &str, message: &Message) -> Option<Vec<u8>> {
    let (head, rest) = item.split_once('[')?;
    if !head.eq_ignore_ascii_case("BODY") && !head.eq_ignore_ascii_case("BODY.PEEK") {
        return None;
    }
    let (name, partial) = rest.split_once(']')?;
    let (header, text) = message::split(&message.raw);
    let upper = name.to_ascii_uppercase();
    let content = match upper.as_str() {
        "" => message.raw.to_vec(),
        "HEADER" => header.to_vec(),
        "TEXT" | "1" => text.to_vec(),
        _ => fields(&upper, header)?,
    };
    if partial.is_empty() {
        return Some(string(&format!("BODY[{name}]"), &content));
    }
    let range = partial.strip_prefix('<')?.strip_suffix('>')?;
    let (from, len) = range.split_once('.')?;
    let (from, len): (usize, usize) = (from.parse().ok()?, len.parse().ok()?);
    let from = from.min(content.len());
    let to = from.saturating_add(len).min(content.len());
    Some(string(&format!("BODY[{name}]<{from}>"), content.get(from..to)?))
}

/// `HEADER.FIELDS (A B)` and `HEADER.FIELDS.NOT (A B)`, in upper case.
fn fields(section: &str, header: &[u8]) -> Option<Vec<u8>> {
    let (kind, list) = section.split_once(' ')?;
    let wanted = match kind {
        "HEADER.FIELDS" => true,
        "HEADER.FIELDS.NOT" => false,
        _ => return None,
    };
    let names: Vec<&str> =
        list.trim_matches(['(', ')']).split(' ').map(|n| n.trim_matches('"')).collect();
    let mut out = Vec::new();
    for (key, field) in message::fields(header) {
        let named = names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(key));
        if named == wanted {
            out.extend_from_slice(field);
        }
    }
    out.extend_from_slice(b"\r\n");
    Some(out)
}

fn string(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("{name} {{{}}}\r\n", content.len()).into_bytes();
    out.extend_from_slice(content);
    out
}

fn date(message: &Message) -> String {
    let format = format_description!(
        "[day padding:space]-[month repr:short]-[year] [hour]:[minute]:[second] \
         [offset_hour sign:mandatory][offset_minute]"
    );
    message.arrived.format(format).expect("the format has only parts that every time has")
}

fn quoted(value: Option<String>) -> String {
    value.map_or("NIL".to_owned(), |v| {
        let clean: String = v.chars().filter(|c| !c.is_control()).collect();
        format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
    })
}

fn envelope(message: &Message) -> String {
    let people = |name: &str| {
        let Some(value) = message.header(name) else { return "NIL".to_owned() };
        let address = value.rsplit_once('<').map_or(value.as_str(), |(_, a)| a);
        let address = address.trim_end_matches('>');
        let (local, host) = address.split_once('@').unwrap_or((address, ""));
        let (local, host) = (quoted(Some(local.to_owned())), quoted(Some(host.to_owned())));
        format!("((NIL NIL {local} {host}))")
    };
    let from = people("From");
    let parts = [
        quoted(message.header("Date")),
        quoted(message.header("Subject")),
        from.clone(),
        from.clone(),
        from,
        people("To"),
        people("Cc"),
        people("Bcc"),
        quoted(message.header("In-Reply-To")),
        quoted(message.header("Message-ID")),
    ];
    format!("({})", parts.join(" "))
}

fn structure(message: &Message) -> String {
    let body = message::split(&message.raw).1;
    let lines = body.iter().filter(|b| **b == b'\n').count();
    let size = body.len();
    format!("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL \"8BIT\" {size} {lines})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(items: &str) -> Option<String> {
        let message = Message {
            uid: 7,
            flags: vec!["\\Seen".into()],
            arrived: time::macros::datetime!(2026-11-02 03:04:05 UTC),
            raw: (&b"From: A <a@x>\r\nSubject: s\r\nX-T: 1\r\n\r\nbody\r\n"[..]).into(),
        };
        let mut tokens = Vec::new();
        super::super::parse::tokens(items.as_bytes(), &mut tokens)?;
        super::items(&tokens, &message).map(|b| String::from_utf8(b).unwrap())
    }

    #[test]
    fn items_are_written_as_rfc_3501_wants_them() {
        assert_eq!(fetch("(UID FLAGS)").unwrap(), "UID 7 FLAGS (\\Seen)");
        assert_eq!(fetch("INTERNALDATE").unwrap(), "INTERNALDATE \" 2-Nov-2026 03:04:05 +0000\"");
        assert_eq!(
            fetch("BODY.PEEK[HEADER.FIELDS (Subject X-T)]").unwrap(),
            "BODY[HEADER.FIELDS (Subject X-T)] {22}\r\nSubject: s\r\nX-T: 1\r\n\r\n"
        );
        assert_eq!(fetch("BODY[TEXT]<1.2>").unwrap(), "BODY[TEXT]<1> {2}\r\nod");
        assert!(
            fetch("ENVELOPE").unwrap().starts_with("ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"x\"))")
        );
        assert_eq!(fetch("NONSENSE"), None);
        assert_eq!(fetch("BODY[9.9]"), None);
    }
}
