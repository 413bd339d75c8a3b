//! The commands on the open folder: FETCH, SEARCH, STORE, COPY, MOVE, EXPUNGE, IDLE, CLOSE.
//!
//! Message numbers are positions in the folder as it is now. Two sessions that delete in one
//! folder at the same time may disagree about numbers; UIDs never do.

use super::parse::{Command, Token};
use super::sequence::{self, Set};
use super::{Access, Answer, Imap, MAX_LINE, Next, done, fetch, folders, search};
use crate::estate::lock;
use crate::mailstore::Folder;
use crate::message::Message;
use crate::session::{Course, Ended};
use crate::step::Step;

/// Whether a command counts messages or UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Number,
    Uid,
}

impl Imap<'_> {
    /// The commands that need an open folder.
    pub(super) fn handle_selected(&mut self, command: &Command) -> Answer {
        let Some(selected) = self.selected.clone() else {
            return "BAD No mailbox selected".to_owned();
        };
        let (name, by) = match command.name.strip_prefix("UID ") {
            Some(name) => (name, By::Uid),
            None => (command.name.as_str(), By::Number),
        };
        let args = command.args.as_slice();
        let writes = !matches!(name, "FETCH" | "SEARCH" | "COPY" | "CLOSE" | "UNSELECT");
        if writes && selected.access == Access::ReadOnly {
            return "NO [READ-ONLY] Mailbox is read-only".to_owned();
        }
        let answer = match name {
            "SEARCH" => self.search(args, by),
            "FETCH" => self.fetch(args, by),
            "STORE" => self.store(args, by),
            "COPY" => self.copy(args, by, Then::Keep),
            "MOVE" => self.copy(args, by, Then::Remove),
            "EXPUNGE" => self.expunge(args, by),
            _ => {
                self.close(name, selected.access);
                return done("Close");
            }
        };
        self.announce();
        answer
    }

    /// Runs `work` on the open folder.
    fn on_folder<T>(&mut self, work: impl FnOnce(&mut Folder) -> T) -> Option<T> {
        let (account, selected) = (self.account.as_ref()?, self.selected.as_ref()?);
        let mut account = lock(account);
        account.folder(&selected.name).map(work)
    }

    /// Tells the client of new mail.
    pub(super) fn announce(&mut self) {
        let Some(now) = self.on_folder(|f| f.messages.len()) else { return };
        let Some(selected) = self.selected.as_mut() else { return };
        if selected.exists != now {
            selected.exists = now;
            self.session.say(&format!("* {now} EXISTS"));
        }
    }

    fn close(&mut self, name: &str, access: Access) {
        if name == "CLOSE" && access == Access::ReadWrite {
            self.on_folder(|f| f.messages.retain(|m| !m.has_flag("\\Deleted")));
        }
        self.selected = None;
    }

    fn search(&mut self, args: &[Token], by: By) -> Answer {
        let found = self.on_folder(|f| search::find(args, &f.messages)).flatten();
        let Some(found) = found else { return "BAD Unknown search key".to_owned() };
        let mut line = "* SEARCH".to_owned();
        for (number, uid) in found {
            line.push_str(&format!(" {}", if by == By::Uid { uid } else { number }));
        }
        self.session.say(&line);
        done("Search")
    }

    fn fetch(&mut self, args: &[Token], by: By) -> Answer {
        let Some((set, items)) = args.split_first() else { return "BAD FETCH what?".to_owned() };
        let set = set.text().unwrap_or_default();
        let named_uid = items.iter().filter_map(Token::text).any(|t| t.eq_ignore_ascii_case("UID"));
        let mut wanted = items.to_vec();
        if by == By::Uid && !named_uid {
            wanted.insert(0, Token::Atom(b"UID".to_vec()));
        }
        let writable = self.selected.as_ref().is_some_and(|s| s.access == Access::ReadWrite);
        let mark = writable && fetch::marks_seen(items);
        let lines = self.on_folder(|folder| {
            let chosen = choose(folder, &set, by)?;
            let mut out = Vec::new();
            for (number, message) in (1_u32..).zip(&mut folder.messages) {
                if chosen.binary_search(&number).is_ok() {
                    if mark && !message.has_flag("\\Seen") {
                        message.flags.push("\\Seen".to_owned());
                    }
                    out.extend_from_slice(format!("* {number} FETCH (").as_bytes());
                    out.extend_from_slice(&fetch::items(&wanted, message)?);
                    out.extend_from_slice(b")\r\n");
                }
            }
            Some(out)
        });
        let Some(lines) = lines.flatten() else { return "BAD Invalid FETCH".to_owned() };
        self.session.out.extend_from_slice(&lines);
        done("Fetch")
    }

    fn store(&mut self, args: &[Token], by: By) -> Answer {
        let words: Vec<String> = args.iter().filter_map(Token::text).collect();
        let [set, how, flags @ ..] = words.as_slice() else { return "BAD STORE what?".to_owned() };
        let how = how.to_ascii_uppercase();
        let (how, silent) = match how.strip_suffix(".SILENT") {
            Some(how) => (how, true),
            None => (how.as_str(), false),
        };
        let lines = self.on_folder(|folder| {
            let chosen = choose(folder, set, by)?;
            let mut lines = Vec::new();
            for (number, message) in (1_u32..).zip(&mut folder.messages) {
                if chosen.binary_search(&number).is_ok() {
                    set_flags(message, how, flags)?;
                    let flags = message.flags.join(" ");
                    let uid = message.uid;
                    lines.push(format!("* {number} FETCH (UID {uid} FLAGS ({flags}))"));
                }
            }
            Some(lines)
        });
        let Some(lines) = lines.flatten() else { return "BAD Invalid STORE".to_owned() };
        if !silent {
            lines.iter().for_each(|line| self.session.say(line));
        }
        done("Store")
    }

    fn copy(&mut self, args: &[Token], by: By, then: Then) -> Answer {
        let (Some(set), Some(target)) = (
            args.first().and_then(Token::text),
            folders::folder_name(args.get(1..).unwrap_or_default()),
        ) else {
            return "BAD COPY what, and where to?".to_owned();
        };
        let Some((numbers, copies)) = self
            .on_folder(|folder| {
                let chosen = choose(folder, &set, by)?;
                let all = (1_u32..).zip(&folder.messages);
                let copies = all.filter(|(n, _)| chosen.binary_search(n).is_ok());
                let copies: Vec<Message> = copies.map(|(_, m)| m.clone()).collect();
                Some((chosen, copies))
            })
            .flatten()
        else {
            return "BAD Invalid set".to_owned();
        };
        let Some(account) = &self.account else { return "BAD Not logged in".to_owned() };
        let (validity, new) = {
            let mut account = lock(account);
            let Some(folder) = account.folder(&target) else {
                return format!("NO [TRYCREATE] {}", folders::unknown(&target));
            };
            let add = |m: &Message| folder.add(m.raw.clone(), m.flags.clone());
            let new: Vec<u32> = copies.iter().map(add).collect();
            (folder.uid_validity, new)
        };
        if new.is_empty() {
            return done("Copy");
        }
        let old: Vec<u32> = copies.iter().map(|m| m.uid).collect();
        let code =
            format!("[COPYUID {validity} {} {}]", sequence::write(&old), sequence::write(&new));
        if then == Then::Keep {
            return format!("OK {code} Copy completed.");
        }
        self.session.say(&format!("* OK {code} Moved UIDs."));
        self.remove(&numbers);
        done("Move")
    }

    fn expunge(&mut self, args: &[Token], by: By) -> Answer {
        let set = args.first().and_then(Token::text).unwrap_or_else(|| "1:*".to_owned());
        let doomed = self.on_folder(|folder| {
            let chosen = choose(folder, &set, by)?;
            let all = (1_u32..).zip(&folder.messages);
            let deleted =
                all.filter(|(n, m)| chosen.binary_search(n).is_ok() && m.has_flag("\\Deleted"));
            Some(deleted.map(|(n, _)| n).collect::<Vec<u32>>())
        });
        let Some(doomed) = doomed.flatten() else { return "BAD Invalid set".to_owned() };
        self.remove(&doomed);
        done("Expunge")
    }

    /// Takes messages out of the open folder, from the last to the first, so that each number
    /// is right when the client reads it.
    fn remove(&mut self, numbers: &[u32]) {
        self.on_folder(|folder| {
            for number in numbers.iter().rev() {
                let index = *number as usize - 1;
                if index < folder.messages.len() {
                    folder.messages.remove(index);
                }
            }
        });
        for number in numbers.iter().rev() {
            self.session.say(&format!("* {number} EXPUNGE"));
        }
        if let Some(selected) = self.selected.as_mut() {
            selected.exists = selected.exists.saturating_sub(numbers.len());
        }
    }

    /// IDLE: tells of new mail when the client comes back. Real servers tell at once; nobody
    /// here needs that, and a waiting session costs nothing this way.
    pub(super) async fn idle(&mut self, command: &Command) -> Result<Next, Ended> {
        match self.session.at(Step::Noop).await? {
            Course::Usual | Course::Special(_) => {}
            Course::Reply(text) => {
                self.reply(&command.tag, &text)?;
                return Ok(Next::Command);
            }
            Course::Answered => {
                self.put_tag(&command.tag);
                return Ok(Next::Command);
            }
        }
        self.session.say("+ idling");
        self.session.line(MAX_LINE).await?;
        self.announce();
        self.session.say(&format!("{} OK Idle completed.", command.tag));
        Ok(Next::Command)
    }
}

/// What happens to the originals of copied messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Remove,
}

/// The positions (from 1, ascending) of the messages that a set names.
fn choose(folder: &Folder, set: &str, by: By) -> Option<Vec<u32>> {
    let last = match by {
        By::Uid => folder.messages.last().map_or(0, |m| m.uid),
        By::Number => u32::try_from(folder.messages.len()).ok()?,
    };
    let set = Set::parse(set, last)?;
    let all = (1_u32..).zip(&folder.messages);
    let chosen = all.filter(|(n, m)| set.contains(if by == By::Uid { m.uid } else { *n }));
    Some(chosen.map(|(n, _)| n).collect())
}

fn set_flags(message: &mut Message, how: &str, flags: &[String]) -> Option<()> {
    match how {
        "FLAGS" => message.flags = flags.to_vec(),
        "+FLAGS" => {
            for flag in flags {
                if !message.has_flag(flag) && message.flags.len() < 64 {
                    message.flags.push(flag.clone());
                }
            }
        }
        "-FLAGS" => {
            message.flags.retain(|f| !flags.iter().any(|gone| gone.eq_ignore_ascii_case(f)));
        }
        _ => return None,
    }
    Some(())
}
