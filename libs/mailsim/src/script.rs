//! The readable form of servers: one line per server, mailbox, limit or fault.
//!
//! ```text
//! # Mail of this estate ends up in the spam folder after two seconds.
//! deliver to=junk after=2s
//! mailbox user@example.test password=secret
//! server imap tls=implicit certificate=expired personality=dovecot
//! at greeting delay 200ms
//! at login first=1 reply NO [UNAVAILABLE] Try again
//! server smtp tls=starttls
//! at ehlo strip-starttls
//! ```
//! A mailbox above the first server belongs to all of them. What is read here and what `write`
//! writes agree: tests read back what was written.

mod fault;
mod words;
mod write;

use std::str::FromStr;

use crate::estate::{Delivery, Fate};
use crate::fault::Rule;
use crate::limits::Limits;
use crate::scenario::Scenario;
use crate::server::{Mailbox, OldTls, Spec, Versions};
use words::{Words, duration, number};

pub(crate) use write::{fault_text, rule_text, scenario as write};

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// What a reader of one line finds wrong.
pub(crate) type Problem = String;

/// Reads a script with any number of servers.
pub(crate) fn parse(script: &str) -> Result<Scenario, ScriptError> {
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(script.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        reader.line(line).map_err(|problem| ScriptError { line: number, problem })?;
    }
    let Reader { delivery, common, mut servers } = reader;
    for server in &mut servers {
        server.mailboxes.splice(0..0, common.iter().cloned());
    }
    Ok(Scenario { delivery, servers })
}

/// Reads a script with exactly one server.
pub(crate) fn parse_one(script: &str) -> Result<Spec, ScriptError> {
    let mut servers = parse(script)?.servers;
    match (servers.pop(), servers.len()) {
        (Some(spec), 0) => Ok(spec),
        _ => Err(ScriptError { line: 1, problem: "there must be exactly one server".to_owned() }),
    }
}

#[derive(Default)]
struct Reader {
    delivery: Delivery,
    common: Vec<Mailbox>,
    servers: Vec<Spec>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Problem> {
        let mut words = Words::new(line);
        let keyword = words.plain()?;
        match keyword.as_str() {
            "server" => {
                self.servers.push(server(&mut words)?);
                Ok(())
            }
            "mailbox" => {
                let mailbox = mailbox(&mut words)?;
                match self.servers.last_mut() {
                    Some(server) => server.mailboxes.push(mailbox),
                    None => self.common.push(mailbox),
                }
                Ok(())
            }
            "deliver" => {
                self.delivery = delivery(&mut words)?;
                Ok(())
            }
            "limit" => {
                self.server()?.limits = limits(&mut words)?;
                Ok(())
            }
            "at" => {
                let rule = rule(&mut words)?;
                let server = self.server()?;
                if !rule.fault.fits(rule.step, server.protocol) {
                    let (fault, step) = (fault_text(&rule.fault), rule.step);
                    return Err(format!("{fault} cannot happen at {step} of {}", server.protocol));
                }
                server.rules.push(rule);
                Ok(())
            }
            _ => Err(format!(
                "{keyword} is none of server, mailbox, limit, at, deliver and # for a comment"
            )),
        }
    }

    fn server(&mut self) -> Result<&mut Spec, Problem> {
        self.servers.last_mut().ok_or_else(|| "there is no server above this line".to_owned())
    }
}

fn server(words: &mut Words<'_>) -> Result<Spec, Problem> {
    let mut spec = Spec::new(one_of(&words.plain()?, "protocol")?);
    while let Some((key, value)) = words.pair()? {
        let value = value.as_str();
        match key.as_str() {
            "tls" => spec.tls = one_of(value, &key)?,
            "certificate" => spec.certificate = one_of(value, &key)?,
            "versions" => spec.versions = versions(value)?,
            "client-certificate" => spec.client_certificate = one_of(value, &key)?,
            "plaintext-login" => spec.plaintext_login = one_of(value, &key)?,
            "personality" => spec.personality = one_of(value, &key)?,
            "role" => spec.role = one_of(value, &key)?,
            "folders" => spec.layout = Some(one_of(value, &key)?),
            "address" => spec.address = one_of(value, &key)?,
            "port" => spec.port = one_of(value, &key)?,
            "host" => spec.host = Some(value.to_owned()),
            "mechanisms" => {
                let names = value.split(',').filter(|n| !n.is_empty());
                let list: Result<_, _> = names.map(|n| one_of(n, &key)).collect();
                spec.mechanisms = Some(list?);
            }
            "size-limit" => spec.size_limit = number(value)?,
            "history" => spec.history = one_of(value, &key)?,
            _ => return Err(format!("a server has no {key}")),
        }
    }
    Ok(spec)
}

fn versions(value: &str) -> Result<Versions, Problem> {
    let all = [
        Versions::Modern,
        Versions::Tls12,
        Versions::Legacy(OldTls::Tls11),
        Versions::Legacy(OldTls::Tls10),
        Versions::Legacy(OldTls::Ssl3),
        Versions::Legacy(OldTls::Ciphers),
    ];
    let found = all.into_iter().find(|v| write::versions(*v) == value);
    found.ok_or_else(|| format!("versions cannot be {value}"))
}

fn mailbox(words: &mut Words<'_>) -> Result<Mailbox, Problem> {
    let address = words.plain()?;
    let mut mailbox = Mailbox { address, login: None, password: None, token: None, messages: 0 };
    while let Some((key, value)) = words.pair()? {
        match key.as_str() {
            "login" => mailbox.login = Some(value),
            "password" => mailbox.password = Some(value.into()),
            "token" => mailbox.token = Some(value.into()),
            "messages" => mailbox.messages = one_of(&value, &key)?,
            _ => return Err(format!("a mailbox has no {key}")),
        }
    }
    Ok(mailbox)
}

fn limits(words: &mut Words<'_>) -> Result<Limits, Problem> {
    let mut limits = Limits::default();
    while let Some((key, value)) = words.pair()? {
        let value = Some(one_of(&value, &key)?);
        match key.as_str() {
            "sessions" => limits.sessions = value,
            "per-address" => limits.per_address = value,
            "per-user-and-address" => limits.per_user_and_address = value,
            _ => return Err(format!("there is no limit {key}")),
        }
    }
    Ok(limits)
}

fn delivery(words: &mut Words<'_>) -> Result<Delivery, Problem> {
    let mut delivery = Delivery::default();
    while let Some((key, value)) = words.pair()? {
        match key.as_str() {
            "to" => {
                let all = [Fate::Inbox, Fate::Junk, Fate::Archive, Fate::Lost, Fate::Bounced];
                let found = all.into_iter().find(|f| write::fate(*f) == value);
                delivery.fate =
                    found.ok_or_else(|| format!("mail cannot be delivered to {value}"))?;
            }
            "after" => delivery.delay = duration(&value)?,
            "from" => delivery.rewrite_from = Some(value),
            "sent-copy" => delivery.sent_copy = one_of(&value, &key)?,
            _ => return Err(format!("a delivery has no {key}")),
        }
    }
    Ok(delivery)
}

fn rule(words: &mut Words<'_>) -> Result<Rule, Problem> {
    let step = one_of(&words.plain()?, "step")?;
    let (mut from, mut user, mut times) = (None, None, None);
    while let Some((key, value)) = words.pair_ahead()? {
        match key.as_str() {
            "from" => from = Some(one_of(&value, &key)?),
            "user" => user = Some(value),
            "first" => times = Some(one_of(&value, &key)?),
            _ => return Err(format!("a rule has no condition {key}")),
        }
    }
    Ok(Rule { step, fault: fault::read(words)?, from, user, times })
}

fn one_of<T: FromStr>(value: &str, what: &str) -> Result<T, Problem> {
    value.parse().map_err(|_| format!("{what} cannot be {value}"))
}

#[cfg(test)]
mod tests;
