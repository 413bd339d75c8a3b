//! The POP3 server: RFC 1939 with CAPA (2449), STLS (2595), AUTH (5034) and response codes
//! (2449, 3206).
//!
//! The maildrop is INBOX as it was at the login; DELE marks and QUIT deletes.

mod login;
mod maildrop;

use std::sync::{Arc, Mutex};

use crate::fault::Strip;
use crate::mailstore::Account;
use crate::message::Message;
use crate::personality::pop3::Sasl;
use crate::sasl::Mechanism;
use crate::session::{Course, Ended, Session};
use crate::step::Step;

/// Longest line of a client. RFC 2449 §4 allows 255 bytes; AUTH needs more (RFC 5034 §4).
const MAX_LINE: usize = 12 * 1024;

/// One message of the maildrop.
struct Entry {
    message: Message,
    deleted: bool,
}

/// One POP3 session.
struct Pop3<'a> {
    session: &'a mut Session,
    account: Option<Arc<Mutex<Account>>>,
    drops: Vec<Entry>,
    uid_validity: u32,
    /// What USER named.
    user: Option<Vec<u8>>,
}

/// Serves one session until it ends.
pub(crate) async fn serve(session: &mut Session) -> Result<(), Ended> {
    let mut pop3 = Pop3 { session, account: None, drops: Vec::new(), uid_validity: 0, user: None };
    pop3.greet().await?;
    loop {
        let line = pop3.session.line(MAX_LINE).await?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let name = name.to_ascii_uppercase();
        pop3.record(&name, rest);
        if pop3.obey(&name, rest, &line).await? == Next::Stop {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Command,
    Stop,
}

impl Pop3<'_> {
    async fn greet(&mut self) -> Result<(), Ended> {
        let course = self.session.at(Step::Greeting).await?;
        if let Some(refusal) = self.session.refusal() {
            self.session.say(&format!("-ERR [IN-USE] {refusal}"));
            return Err(Ended::Refused(refusal));
        }
        let greeting = self.session.host.voice.pop3.greeting;
        let greeting = greeting.replace("{address}", &self.session.peer.ip().to_string());
        match course {
            Course::Usual | Course::Special(_) => self.session.say(&greeting),
            Course::Reply(text) => {
                self.session.say_lines(&text, is_positive);
                if text.starts_with("-ERR") {
                    return Err(Ended::ByScript("greeting".to_owned()));
                }
            }
            Course::Answered => {}
        }
        Ok(())
    }

    /// Records a command. What is not a command may be a secret gone astray, and is not kept.
    fn record(&self, name: &str, rest: &str) {
        let line = match name {
            "PASS" => "PASS ***".to_owned(),
            "AUTH" => format!("AUTH {} ***", rest.split(' ').next().unwrap_or_default()),
            "USER" | "STLS" => format!("{name} {rest}"),
            _ if step_of(name).is_some() => format!("{name} {rest}"),
            _ => "(unknown command)".to_owned(),
        };
        self.session.log.command(line.trim_end().as_bytes());
    }

    async fn obey(&mut self, name: &str, rest: &str, line: &[u8]) -> Result<Next, Ended> {
        match name {
            "STLS" => return self.stls().await,
            "USER" => {
                self.session.at(Step::Any).await?;
                let answer = self.user(line);
                self.session.say(answer);
                return Ok(Next::Command);
            }
            "PASS" => return self.pass(line).await,
            "AUTH" if !rest.is_empty() => return self.auth(rest).await,
            _ => {}
        }
        let Some(step) = step_of(name) else {
            self.session.at(Step::Any).await?;
            let unknown = self.session.host.voice.pop3.unknown;
            self.session.say(unknown);
            return Ok(Next::Command);
        };
        match self.session.at(step).await? {
            Course::Usual | Course::Special(_) => self.handle(name, rest),
            Course::Reply(text) => {
                if is_positive(&text) {
                    self.handle(name, rest);
                    self.session.out.clear();
                }
                self.session.say_lines(&text, is_positive);
            }
            Course::Answered => {}
        }
        Ok(if step == Step::Logout { Next::Stop } else { Next::Command })
    }

    fn handle(&mut self, name: &str, rest: &str) {
        let voice = self.session.host.voice.pop3;
        match name {
            "CAPA" => self.capabilities(),
            "AUTH" => {
                let list = self.mechanisms().replace(' ', "\r\n");
                self.session.say(&format!("+OK\r\n{list}\r\n."));
            }
            "QUIT" => {
                self.delete();
                self.session.say(voice.bye);
            }
            "NOOP" => self.session.say("+OK"),
            _ if self.account.is_none() => self.session.say(voice.unknown),
            "STAT" => {
                let (count, size) =
                    self.kept().fold((0, 0), |(n, s), (_, d)| (n + 1, s + d.message.raw.len()));
                self.session.say(&format!("+OK {count} {size}"));
            }
            "LIST" => self.listing(rest, "+OK", |_, m| m.raw.len().to_string()),
            "UIDL" => {
                self.listing(rest, voice.uidl, |validity, m| format!("{:08x}{validity:08x}", m.uid))
            }
            "TOP" | "RETR" => self.content(name, rest),
            "DELE" => self.mark(rest),
            _ => {
                self.drops.iter_mut().for_each(|d| d.deleted = false);
                self.session.say("+OK");
            }
        }
    }

    fn mechanisms(&self) -> String {
        let host = &self.session.host;
        let list = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
        list.iter().map(Mechanism::to_string).collect::<Vec<_>>().join(" ")
    }

    fn capabilities(&mut self) {
        let voice = self.session.host.voice.pop3;
        let mut lines: Vec<String> = vec![voice.listing.to_owned()];
        lines.extend(voice.capabilities.iter().map(|&c| c.to_owned()));
        if self.session.can_secure() {
            match self.session.host.rules.strip(self.session.peer.ip()) {
                None => lines.push("STLS".to_owned()),
                Some(Strip::Mangled) => lines.push("XXXA".to_owned()),
                Some(Strip::Absent) => {}
            }
        }
        if self.session.takes_credentials() {
            lines.push("USER".to_owned());
            if voice.sasl == Sasl::Offered {
                lines.push(format!("SASL {}", self.mechanisms()));
            }
        }
        lines.push(".".to_owned());
        lines.iter().for_each(|line| self.session.say(line));
    }
}

/// The step of a command that has one.
fn step_of(name: &str) -> Option<Step> {
    Some(match name {
        "CAPA" | "AUTH" => Step::Capability,
        "STAT" => Step::Stat,
        "LIST" => Step::List,
        "UIDL" => Step::Uidl,
        "TOP" => Step::Top,
        "RETR" => Step::Fetch,
        "DELE" => Step::Store,
        "RSET" => Step::Rset,
        "NOOP" => Step::Noop,
        "QUIT" => Step::Logout,
        _ => return None,
    })
}

fn is_positive(line: &str) -> bool {
    line.starts_with("+OK") || line == "."
}
