//! The POP3 server: RFC 1939 with CAPA (2449), STLS (2595), AUTH (5034) and response codes
//! (2449, 3206).
//!
//! The maildrop is INBOX as it was at the login; DELE marks and QUIT deletes.

use std::sync::{Arc, Mutex};

use crate::estate::lock;
use crate::exchange::Words;
use crate::fault::{Fault, Strip};
use crate::imap::echo;
use crate::mailstore::{Account, Shape};
use crate::message::{self, Message};
use crate::personality::pop3::Sasl;
use crate::sasl::{Attempt, Mechanism};
use crate::session::{Course, Ended, Session};
use crate::step::Step;

/// Longest line of a client. RFC 2449 §4 allows 255 bytes; AUTH needs more (RFC 5034 §4).
const MAX_LINE: usize = 12 * 1024;

const SASL: Words = Words {
    challenge: "+",
    no_base64: "-ERR Invalid base64 data",
    malformed: "-ERR Invalid authentication data",
    aborted: "-ERR Authentication aborted by client.",
    max_line: MAX_LINE,
};

/// One message of the maildrop.
struct Drop {
    message: Message,
    deleted: bool,
}

/// One POP3 session.
struct Pop3<'a> {
    session: &'a mut Session,
    account: Option<Arc<Mutex<Account>>>,
    drops: Vec<Drop>,
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

    async fn stls(&mut self) -> Result<Next, Ended> {
        let course = self.session.at(Step::Starttls).await?;
        if !self.session.can_secure() {
            self.session.say("-ERR TLS is not available or already active");
            return Ok(Next::Command);
        }
        let text = self.session.host.voice.pop3.stls;
        match course {
            Course::Usual => self.session.say(text),
            Course::Special(rule) => {
                self.session.say(text);
                if let Fault::Inject(bytes) = &rule.fault {
                    self.session.out.extend_from_slice(bytes);
                }
            }
            Course::Reply(reply) => {
                if !self.session.say_lines(&reply, is_positive) {
                    return Ok(Next::Command);
                }
            }
            Course::Answered => return Ok(Next::Command),
        }
        self.session.flush().await?;
        self.session.secure().await?;
        Ok(Next::Command)
    }

    fn user(&mut self, line: &[u8]) -> &'static str {
        let voice = self.session.host.voice.pop3;
        if !self.session.takes_credentials() {
            return voice.needs_tls;
        }
        self.user = line.get(5..).map(<[u8]>::to_vec);
        voice.user_ok
    }

    async fn pass(&mut self, line: &[u8]) -> Result<Next, Ended> {
        let voice = self.session.host.voice.pop3;
        if !self.session.takes_credentials() {
            self.session.say(voice.needs_tls);
            return Ok(Next::Command);
        }
        let Some(user) = self.user.take() else {
            self.session.say("-ERR No username given.");
            return Ok(Next::Command);
        };
        // The password is the rest of the line, spaces included (RFC 1939 §7).
        let password = line.get(5..).unwrap_or_default();
        let attempt = self.session.host.logins.check(&user, password);
        self.log_in("PASS", attempt).await
    }

    async fn auth(&mut self, rest: &str) -> Result<Next, Ended> {
        let host = Arc::clone(&self.session.host);
        if !self.session.takes_credentials() {
            self.session.say(host.voice.pop3.needs_tls);
            return Ok(Next::Command);
        }
        let (name, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let offered = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
        let Some(mechanism) = name.parse().ok().filter(|m: &Mechanism| offered.contains(m)) else {
            self.session.say("-ERR Unsupported authentication mechanism.");
            return Ok(Next::Command);
        };
        let initial = (!initial.is_empty()).then_some(initial.as_bytes());
        match self.session.exchange(mechanism, initial, &SASL).await? {
            Ok(attempt) => self.log_in(name, attempt).await,
            Err(refusal) => {
                self.session.say(refusal);
                Ok(Next::Command)
            }
        }
    }

    async fn log_in(&mut self, mechanism: &str, attempt: Attempt) -> Result<Next, Ended> {
        self.session.note_attempt(mechanism, &attempt);
        match self.session.at(Step::Login).await? {
            Course::Usual => {
                let answer = self.let_in(&attempt);
                self.session.say(&answer);
            }
            Course::Reply(text) => {
                if is_positive(&text) {
                    self.let_in(&attempt);
                }
                self.session.say_lines(&text, is_positive);
            }
            Course::Answered => {}
            Course::Special(_) => self.session.say(&format!("-ERR {}", echo(&attempt))),
        }
        Ok(Next::Command)
    }

    fn let_in(&mut self, attempt: &Attempt) -> String {
        let voice = self.session.host.voice.pop3;
        let Some(login) = attempt.login.clone() else { return voice.refused.to_owned() };
        let address = Arc::clone(&login.address);
        if let Err((limit, _)) = self.session.enter(login) {
            return voice.limit.replace("{limit}", &limit.to_string());
        }
        let host = &self.session.host;
        let account = host.estate.open(&address, host.spec.folders(), Shape::Provisional, 0);
        if let Some(inbox) = lock(&account).folder("INBOX") {
            self.uid_validity = inbox.uid_validity;
            let drop = |m: &Message| Drop { message: m.clone(), deleted: false };
            self.drops = inbox.messages.iter().map(drop).collect();
        }
        self.account = Some(account);
        voice.logged_in.to_owned()
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

    /// The messages that are not marked as deleted, with their numbers.
    fn kept(&self) -> impl Iterator<Item = (usize, &Drop)> {
        (1..).zip(&self.drops).filter(|(_, d)| !d.deleted)
    }

    fn find(&self, number: &str) -> Option<usize> {
        let number: usize = number.parse().ok()?;
        self.kept().any(|(n, _)| n == number).then_some(number)
    }

    fn listing(&mut self, rest: &str, head: &str, what: impl Fn(u32, &Message) -> String) {
        let line = |(n, d): (usize, &Drop)| format!("{n} {}", what(self.uid_validity, &d.message));
        if rest.is_empty() {
            let lines: Vec<String> = self.kept().map(line).collect();
            self.session.say(head);
            lines.iter().for_each(|l| self.session.say(l));
            self.session.say(".");
            return;
        }
        let found = self.find(rest).and_then(|n| self.kept().find(|(m, _)| *m == n)).map(line);
        match found {
            Some(line) => self.session.say(&format!("+OK {line}")),
            None => self.session.say("-ERR No such message"),
        }
    }

    fn content(&mut self, name: &str, rest: &str) {
        let (number, lines) = rest.split_once(' ').unwrap_or((rest, ""));
        let found = self.find(number).and_then(|n| self.drops.get(n - 1));
        let Some(raw) = found.map(|d| Arc::clone(&d.message.raw)) else {
            return self.session.say("-ERR No such message");
        };
        let (header, body) = message::split(&raw);
        let limit = match (name, lines.parse::<usize>()) {
            ("RETR", _) => usize::MAX,
            (_, Ok(limit)) => limit,
            (_, Err(_)) => return self.session.say("-ERR TOP needs a message and a number"),
        };
        self.session.say("+OK");
        let shown = body.split_inclusive(|b| *b == b'\n').take(limit);
        for line in header.split_inclusive(|b| *b == b'\n').chain(shown) {
            if line.starts_with(b".") {
                self.session.out.push(b'.');
            }
            self.session.out.extend_from_slice(line);
        }
        if !self.session.out.ends_with(b"\n") {
            self.session.say("");
        }
        self.session.say(".");
    }

    fn mark(&mut self, rest: &str) {
        let found = self.find(rest).and_then(|n| self.drops.get_mut(n - 1));
        match found {
            Some(drop) => {
                drop.deleted = true;
                self.session.say("+OK Marked to be deleted.");
            }
            None => self.session.say("-ERR No such message"),
        }
    }

    fn delete(&mut self) {
        let gone: Vec<u32> =
            self.drops.iter().filter(|d| d.deleted).map(|d| d.message.uid).collect();
        let Some(account) = &self.account else { return };
        if let Some(inbox) = lock(account).folder("INBOX") {
            inbox.messages.retain(|m| !gone.contains(&m.uid));
        }
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
