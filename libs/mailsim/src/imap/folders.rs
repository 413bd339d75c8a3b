//! LIST, STATUS, SELECT, EXAMINE, CREATE, NAMESPACE.
//!
//! Names are Unicode in the store and modified UTF-7 on the wire (RFC 3501 §5.1.3).

use super::parse::Token;
use super::{Access, Answer, Imap, Selected, done};
use crate::estate::lock;
use crate::mailstore::Folder;
use crate::message::Message;
use crate::personality::imap::Quotes;
use crate::utf7;

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

impl Imap<'_> {
    pub(super) fn list(&mut self, args: &[Token]) -> Answer {
        let strings: Vec<String> = args.iter().filter_map(Token::text).collect();
        let [reference, pattern, ..] = strings.as_slice() else {
            return "BAD LIST needs a reference and a pattern".to_owned();
        };
        let separator = self.session.host.spec.folders().separator();
        if pattern.is_empty() {
            self.session.say(&format!("* LIST (\\Noselect) \"{separator}\" \"\""));
            return done("List");
        }
        let pattern = format!("{reference}{pattern}");
        let mut lines = Vec::new();
        if let Some(account) = &self.account {
            for folder in lock(account).folders().iter() {
                let name = utf7::encode(&folder.name);
                if matches_pattern(&pattern, &name, separator) {
                    let space = if folder.attribute.is_empty() { "" } else { " " };
                    let attributes = format!("\\HasNoChildren{space}{}", folder.attribute);
                    let name = self.quote(&name);
                    lines.push(format!("* LIST ({attributes}) \"{separator}\" {name}"));
                }
            }
        }
        lines.iter().for_each(|line| self.session.say(line));
        done("List")
    }

    fn quote(&self, name: &str) -> String {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"./-_&+,".contains(&b));
        match self.session.host.voice.imap.quotes {
            Quotes::WhereNeeded if plain => name.to_owned(),
            Quotes::WhereNeeded | Quotes::Always => {
                format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
            }
        }
    }

    pub(super) fn namespace(&mut self) -> Answer {
        let separator = self.session.host.spec.folders().separator();
        let prefix = if separator == '.' { "INBOX." } else { "" };
        self.session.say(&format!("* NAMESPACE ((\"{prefix}\" \"{separator}\")) NIL NIL"));
        done("Namespace")
    }

    pub(super) fn create(&mut self, args: &[Token]) -> Answer {
        let (Some(name), Some(account)) = (folder_name(args), &self.account) else {
            return "BAD CREATE needs a name".to_owned();
        };
        match lock(account).create(&name) {
            Some(()) => done("Create"),
            None => "NO [ALREADYEXISTS] Mailbox already exists".to_owned(),
        }
    }

    pub(super) fn status(&mut self, args: &[Token]) -> Answer {
        let (Some(name), Some(account)) = (folder_name(args), &self.account) else {
            return "BAD STATUS needs a name".to_owned();
        };
        let items = {
            let mut account = lock(account);
            let Some(folder) = account.folder(&name) else { return unknown(&name) };
            let item = |token: &Token| status_item(folder, &token.text()?.to_ascii_uppercase());
            args.iter().skip(1).filter_map(item).collect::<Vec<_>>().join(" ")
        };
        let name = self.quote(&utf7::encode(&name));
        self.session.say(&format!("* STATUS {name} ({items})"));
        done("Status")
    }

    pub(super) fn open(&mut self, args: &[Token], access: Access) -> Answer {
        self.selected = None;
        let (Some(name), Some(account)) = (folder_name(args), &self.account) else {
            return "BAD SELECT needs a name".to_owned();
        };
        let (lines, selected) = {
            let mut account = lock(account);
            let Some(folder) = account.folder(&name) else { return unknown(&name) };
            let exists = folder.messages.len();
            let selected = Selected { name: folder.name.clone(), access, exists };
            (open_lines(folder, access), selected)
        };
        self.selected = Some(selected);
        lines.iter().for_each(|line| self.session.say(line));
        match access {
            Access::ReadWrite => "OK [READ-WRITE] Select completed.".to_owned(),
            Access::ReadOnly => "OK [READ-ONLY] Examine completed.".to_owned(),
        }
    }
}

fn open_lines(folder: &Folder, access: Access) -> Vec<String> {
    let permanent = match access {
        Access::ReadWrite => format!("{FLAGS} \\*"),
        Access::ReadOnly => String::new(),
    };
    let mut lines = vec![
        format!("* FLAGS ({FLAGS})"),
        format!("* OK [PERMANENTFLAGS ({permanent})] Flags permitted."),
        format!("* {} EXISTS", folder.messages.len()),
        "* 0 RECENT".to_owned(),
    ];
    if let Some(at) = folder.messages.iter().position(|m| !m.has_flag("\\Seen")) {
        lines.push(format!("* OK [UNSEEN {}] First unseen.", at + 1));
    }
    lines.push(format!("* OK [UIDVALIDITY {}] UIDs valid", folder.uid_validity));
    lines.push(format!("* OK [UIDNEXT {}] Predicted next UID", folder.uid_next));
    lines
}

fn status_item(folder: &Folder, item: &str) -> Option<String> {
    let count = match item {
        "MESSAGES" => folder.messages.len(),
        "RECENT" => 0,
        "UIDNEXT" => folder.uid_next as usize,
        "UIDVALIDITY" => folder.uid_validity as usize,
        "UNSEEN" => folder.messages.iter().filter(|m: &&Message| !m.has_flag("\\Seen")).count(),
        "SIZE" => folder.messages.iter().map(|m| m.raw.len()).sum(),
        _ => return None,
    };
    Some(format!("{item} {count}"))
}

/// The folder that the first argument names, in Unicode.
pub(super) fn folder_name(args: &[Token]) -> Option<String> {
    let wire = args.first()?.text()?;
    Some(utf7::decode(&wire).unwrap_or(wire))
}

pub(super) fn unknown(name: &str) -> Answer {
    format!("NO [NONEXISTENT] Mailbox doesn't exist: {}", utf7::encode(name))
}

/// Matches a name with `*` (anything) and `%` (anything but the separator). Iterative, with one
/// point to come back to, so that no pattern costs more than length times length.
fn matches_pattern(pattern: &str, name: &str, separator: char) -> bool {
    let pattern: Vec<char> = pattern.chars().take(256).collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*' | '%') => {
                back = Some((p, n));
                p += 1;
                continue;
            }
            Some(c) if name.get(n).is_some_and(|m| m.eq_ignore_ascii_case(c)) => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            _ => {}
        }
        let Some((star, from)) = back else { return false };
        if pattern.get(star) == Some(&'%') && name.get(from) == Some(&separator) {
            return false;
        }
        back = Some((star, from + 1));
        (p, n) = (star + 1, from + 1);
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| matches!(c, '*' | '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_rfc_3501() {
        let cases = [
            ("*", "[Gmail]/Sent Mail", true),
            ("%", "INBOX", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a*c", "a/b/c", true),
            ("INBOX", "inbox", true),
            ("Sent", "Sent2", false),
            ("", "x", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches_pattern(pattern, name, '/'), expected, "{pattern} {name}");
        }
    }
}
