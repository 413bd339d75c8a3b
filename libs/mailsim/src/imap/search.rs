//! SEARCH: the keys that mail clients use to find one message again.
//!
//! Keys are joined by AND; OR, NOT and parentheses are refused, so there is no recursion.
//! Source: RFC 3501 §6.4.4.

use super::parse::Token;
use super::sequence::Set;
use crate::message::{self, Message};

/// One condition.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    All,
    Numbers(Set),
    Uids(Set),
    Flag(String),
    NoFlag(String),
    Header(String, String),
    Body(String),
    Text(String),
    Larger(usize),
    Smaller(usize),
}

/// Finds the messages; gives their position (from 1) and UID. `None` for an unknown key.
pub(super) fn find(args: &[Token], messages: &[Message]) -> Option<Vec<(u32, u32)>> {
    let last = messages.last().map_or(0, |m| m.uid);
    let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let keys = keys(args, count, last)?;
    let numbered = (1..).zip(messages);
    let fits = |(n, m): &(u32, &Message)| keys.iter().all(|key| holds(key, *n, m));
    Some(numbered.filter(fits).map(|(n, m)| (n, m.uid)).collect())
}

fn keys(args: &[Token], count: u32, last_uid: u32) -> Option<Vec<Key>> {
    let mut words = args.iter().map(Token::text);
    let mut keys = Vec::new();
    while let Some(word) = words.next() {
        let word = word?;
        let mut next = || words.next().flatten();
        let key = match word.to_ascii_uppercase().as_str() {
            "CHARSET" => {
                next()?;
                continue;
            }
            "ALL" => Key::All,
            "UID" => Key::Uids(Set::parse(&next()?, last_uid)?),
            "SEEN" | "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" => Key::Flag(format!("\\{word}")),
            "UNSEEN" | "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" => {
                Key::NoFlag(format!("\\{}", word.get(2..)?))
            }
            "KEYWORD" => Key::Flag(next()?),
            "UNKEYWORD" => Key::NoFlag(next()?),
            "HEADER" => Key::Header(next()?, next()?),
            "SUBJECT" | "FROM" | "TO" | "CC" | "BCC" => Key::Header(word, next()?),
            "BODY" => Key::Body(next()?),
            "TEXT" => Key::Text(next()?),
            "LARGER" => Key::Larger(next()?.parse().ok()?),
            "SMALLER" => Key::Smaller(next()?.parse().ok()?),
            _ => Key::Numbers(Set::parse(&word, count)?),
        };
        keys.push(key);
    }
    (!keys.is_empty()).then_some(keys)
}

fn holds(key: &Key, number: u32, message: &Message) -> bool {
    match key {
        Key::All => true,
        Key::Numbers(set) => set.contains(number),
        Key::Uids(set) => set.contains(message.uid),
        Key::Flag(flag) => message.has_flag(flag),
        Key::NoFlag(flag) => !message.has_flag(flag),
        Key::Header(name, part) => {
            message.header(name).is_some_and(|value| contains(value.as_bytes(), part))
        }
        Key::Body(part) => contains(message::split(&message.raw).1, part),
        Key::Text(part) => contains(&message.raw, part),
        Key::Larger(size) => message.raw.len() > *size,
        Key::Smaller(size) => message.raw.len() < *size,
    }
}

fn contains(text: &[u8], part: &str) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    text.contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::mailstore::{Account, Shape};

    #[test]
    fn keys_are_joined_by_and() {
        let mut account = Account::new(Layout::InboxOnly, Shape::Final);
        let inbox = account.folder("INBOX").unwrap();
        inbox.add((&b"Subject: Token abc\r\n\r\none"[..]).into(), vec!["\\Seen".into()]);
        inbox.add((&b"Subject: token ABC\r\nX-Id: 7\r\n\r\ntwo"[..]).into(), vec![]);
        inbox.add((&b"Subject: other\r\n\r\nabc"[..]).into(), vec![]);
        let find = |line: &str| {
            let mut tokens = Vec::new();
            super::super::parse::tokens(line.as_bytes(), &mut tokens).unwrap();
            let found = find(&tokens, &inbox.messages)?;
            Some(found.into_iter().map(|(_, uid)| uid).collect::<Vec<_>>())
        };
        assert_eq!(find("SUBJECT \"token abc\""), Some(vec![1, 2]));
        assert_eq!(find("SUBJECT token UNSEEN"), Some(vec![2]));
        assert_eq!(find("HEADER X-Id \"\""), Some(vec![2]));
        assert_eq!(find("UID 2:* TEXT abc"), Some(vec![2, 3]));
        assert_eq!(find("CHARSET UTF-8 BODY abc"), Some(vec![3]));
        assert_eq!(find("1:2"), Some(vec![1, 2]));
        assert_eq!(find("OR 1 2"), None);
        assert_eq!(find(""), None);
    }
}
