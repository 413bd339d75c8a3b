//! The IMAP server: greeting, commands, and where the script comes in.
//!
//! Enough of RFC 3501 with SASL-IR (4959), LITERAL+ (7888), ID (2971), UIDPLUS (4315), MOVE
//! (6851), SPECIAL-USE (6154), UNSELECT (3691), NAMESPACE (2342) and IDLE (2177) to try mailboxes
//! out. No APPEND: mail comes from samples and through SMTP.

mod fetch;
mod folders;
mod login;
mod messages;
mod parse;
mod search;
mod sequence;

use std::sync::{Arc, Mutex};

use crate::fault::{Fault, Strip};
use crate::mailstore::Account;
use crate::personality::Personality;
use crate::personality::imap::Tells;
use crate::server::Tls;
use crate::session::{Course, Ended, Session};
use crate::step::Step;
use parse::{Command, Token, Wait};

pub(crate) use login::echo;

/// Longest line of a command. Dovecot's `imap_max_line_length` is 64 KiB.
const MAX_LINE: usize = 64 * 1024;

/// Longest literal. Larger than every password; there is no APPEND.
const MAX_LITERAL: usize = 64 * 1024;

/// Literals in one command.
const MAX_LITERALS: usize = 16;

/// Commands without sense after which Dovecot says goodbye.
const MAX_MISTAKES: u32 = 20;

/// The folder that is open.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    name: String,
    access: Access,
    /// How many messages the client knows of.
    exists: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
}

/// One IMAP session.
struct Imap<'a> {
    session: &'a mut Session,
    account: Option<Arc<Mutex<Account>>>,
    selected: Option<Selected>,
    mistakes: u32,
}

/// What a handler found: the text behind the tag.
type Answer = String;

/// Serves one session until it ends.
pub(crate) async fn serve(session: &mut Session) -> Result<(), Ended> {
    let mut imap = Imap { session, account: None, selected: None, mistakes: 0 };
    imap.greet().await?;
    loop {
        let Some(command) = imap.command().await? else { continue };
        if imap.obey(&command).await? == Next::Stop {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Command,
    Stop,
}

impl Imap<'_> {
    async fn greet(&mut self) -> Result<(), Ended> {
        let course = self.session.at(Step::Greeting).await?;
        if let Some(refusal) = self.session.refusal() {
            // Courier closes without a word.
            if self.session.host.spec.personality != Personality::Courier {
                self.session.say(&format!("* BYE {refusal}"));
            }
            return Err(Ended::Refused(refusal));
        }
        let voice = self.session.host.voice.imap;
        let ready = self.fill_in(voice.ready);
        let text = match voice.tells {
            Tells::Always | Tells::Greeting => {
                format!("[CAPABILITY {}] {ready}", self.capabilities())
            }
            Tells::Login => ready,
        };
        match course {
            Course::Usual => self.session.say(&format!("* OK {text}")),
            Course::Reply(reply) => {
                for line in reply.split('\n') {
                    let starred = ["OK", "NO", "BAD", "BYE", "PREAUTH"]
                        .contains(&line.split(' ').next().unwrap_or_default());
                    self.session.say(&if starred { format!("* {line}") } else { line.to_owned() });
                }
                if says_bye(&reply) {
                    return Err(Ended::ByScript("greeting".to_owned()));
                }
            }
            Course::Answered => {}
            Course::Special(rule) => {
                if rule.fault == Fault::Preauth {
                    self.session.say("* PREAUTH logged in already");
                }
            }
        }
        Ok(())
    }

    /// Fills the blanks of a personality's text.
    fn fill_in(&self, text: &str) -> String {
        let user = self.session.user.as_deref().unwrap_or_default();
        text.replace("{address}", &self.session.peer.ip().to_string()).replace("{user}", user)
    }

    /// The capabilities of this moment.
    fn capabilities(&self) -> String {
        let host = &self.session.host;
        let voice = host.voice.imap;
        if self.session.login.is_some() {
            return voice.after.to_owned();
        }
        let mut list = voice.before.to_owned();
        if self.session.can_secure() {
            match host.rules.strip(self.session.peer.ip()) {
                None => list.push_str(" STARTTLS"),
                Some(Strip::Mangled) => list.push_str(" XXXXXXXA"),
                Some(Strip::Absent) => {}
            }
        }
        if self.session.takes_credentials() {
            let mechanisms = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
            for mechanism in mechanisms {
                list.push_str(&format!(" AUTH={mechanism}"));
            }
        } else {
            list.push_str(" LOGINDISABLED");
        }
        list
    }

    /// Reads a command with all its literals. `None` when it was answered with BAD.
    async fn command(&mut self) -> Result<Option<Command>, Ended> {
        let mut tokens = Vec::new();
        let mut literals = 0;
        loop {
            let line = self.session.line(MAX_LINE).await?;
            let literal = parse::literal(&line);
            let piece = if literal.is_some() { parse::without_literal(&line) } else { &line };
            if parse::tokens(piece, &mut tokens).is_none() {
                return self.mistake(&tokens, "BAD Unterminated string");
            }
            let Some((len, wait)) = literal else { break };
            literals += 1;
            if len > MAX_LITERAL || literals > MAX_LITERALS {
                return self.mistake(&tokens, "BAD [TOOBIG] Literal too large");
            }
            if wait == Wait::ForPrompt {
                self.session.say("+ OK");
            }
            tokens.push(Token::Text(self.session.exactly(len).await?));
        }
        match parse::command(tokens.clone()) {
            Some(command) => Ok(Some(command)),
            None => self.mistake(&tokens, self.session.host.voice.imap.unknown),
        }
    }

    fn mistake(&mut self, tokens: &[Token], answer: &str) -> Result<Option<Command>, Ended> {
        let tag = tokens.first().and_then(Token::text).unwrap_or_else(|| "*".to_owned());
        self.session.say(&format!("{tag} {answer}"));
        self.mistakes += 1;
        if self.mistakes > MAX_MISTAKES {
            self.session.say("* BYE Too many invalid IMAP commands.");
            return Err(Ended::Refused("too many invalid commands"));
        }
        Ok(None)
    }

    /// Carries out a command: asks the script, then answers as it says.
    async fn obey(&mut self, command: &Command) -> Result<Next, Ended> {
        self.record(command);
        match command.name.as_str() {
            "STARTTLS" => return self.starttls(command).await,
            "LOGIN" | "AUTHENTICATE" => return self.log_in(command).await,
            "IDLE" => return self.idle(command).await,
            _ => {}
        }
        let Some(step) = step_of(&command.name) else {
            self.session.at(Step::Any).await?;
            let unknown = self.session.host.voice.imap.unknown;
            let tag = [Token::Atom(command.tag.clone().into_bytes())];
            self.mistake(&tag, unknown)?;
            return Ok(Next::Command);
        };
        let course = self.session.at(step).await?;
        match course {
            Course::Usual | Course::Special(_) => {
                let answer = self.handle(command);
                self.session.say(&format!("{} {answer}", command.tag));
            }
            Course::Reply(text) => {
                if is_positive(&text) {
                    // The usual effect, without the usual words.
                    self.handle(command);
                    self.session.out.clear();
                }
                self.reply(&command.tag, &text)?;
            }
            Course::Answered => self.put_tag(&command.tag),
        }
        Ok(if step == Step::Logout { Next::Stop } else { Next::Command })
    }

    /// Adds the lines of a scripted reply, the tag in front of those that need one.
    fn reply(&mut self, tag: &str, text: &str) -> Result<(), Ended> {
        let mut tagged = false;
        for line in text.split('\n') {
            let first = line.split(' ').next().unwrap_or_default();
            if first == "*" || first == "+" {
                self.session.say(line);
            } else {
                tagged = true;
                self.session.say(&format!("{tag} {line}"));
            }
        }
        if !tagged && says_bye(text) {
            return Err(Ended::ByScript(format!("reply {text}")));
        }
        Ok(())
    }

    /// Puts the tag into scripted bytes, which need not be UTF-8.
    fn put_tag(&mut self, tag: &str) {
        const BLANK: &[u8] = b"{tag}";
        let scripted = std::mem::take(&mut self.session.out);
        let mut rest = scripted.as_slice();
        while let Some(at) = rest.windows(BLANK.len()).position(|w| w == BLANK) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.session.out.extend_from_slice(before);
            self.session.out.extend_from_slice(tag.as_bytes());
            rest = after.get(BLANK.len()..).unwrap_or_default();
        }
        self.session.out.extend_from_slice(rest);
    }

    /// Records a command. What is not a command may be a secret gone astray, and is not kept.
    fn record(&self, command: &Command) {
        let shown = match command.name.as_str() {
            "LOGIN" | "AUTHENTICATE" => 1,
            "STARTTLS" | "IDLE" => 0,
            name if step_of(name).is_some() => usize::MAX,
            _ => return self.session.log.command(b"(unknown command)"),
        };
        let mut line = command.name.clone();
        for (at, token) in command.args.iter().enumerate() {
            line.push(' ');
            match token {
                _ if at >= shown => line.push_str("***"),
                Token::Open => line.push('('),
                Token::Close => line.push(')'),
                Token::Atom(b) | Token::Text(b) => line.push_str(&String::from_utf8_lossy(b)),
            }
        }
        self.session.log.command(line.as_bytes());
    }

    /// The usual handling: untagged lines go out, the text behind the tag comes back.
    fn handle(&mut self, command: &Command) -> Answer {
        let args = &command.args;
        match command.name.as_str() {
            "CAPABILITY" => {
                let list = self.capabilities();
                self.session.say(&format!("* CAPABILITY {list}"));
                done("Capability")
            }
            "ID" => match self.session.host.voice.imap.id {
                Some(fields) => {
                    self.session.say(&format!("* ID {fields}"));
                    done("ID")
                }
                None => self.session.host.voice.imap.unknown.to_owned(),
            },
            "LOGOUT" => {
                let bye = self.session.host.voice.imap.bye;
                self.session.say(&format!("* BYE {bye}"));
                done("Logout")
            }
            "NOOP" | "CHECK" => {
                self.announce();
                done("NOOP")
            }
            _ if self.account.is_none() => "BAD Not logged in".to_owned(),
            "LIST" | "LSUB" | "XLIST" => self.list(args),
            "STATUS" => self.status(args),
            "SELECT" => self.open(args, Access::ReadWrite),
            "EXAMINE" => self.open(args, Access::ReadOnly),
            "CREATE" => self.create(args),
            "NAMESPACE" => self.namespace(),
            "ENABLE" => {
                self.session.say("* ENABLED");
                done("Enable")
            }
            _ => self.handle_selected(command),
        }
    }
}

/// The step of a command that has one.
fn step_of(name: &str) -> Option<Step> {
    Some(match name {
        "CAPABILITY" => Step::Capability,
        "ID" => Step::Id,
        "LOGOUT" => Step::Logout,
        "NOOP" | "CHECK" => Step::Noop,
        "LIST" | "LSUB" | "XLIST" | "NAMESPACE" | "ENABLE" | "CREATE" => Step::List,
        "STATUS" => Step::Status,
        "SELECT" | "EXAMINE" | "CLOSE" | "UNSELECT" => Step::Open,
        "SEARCH" | "UID SEARCH" => Step::Search,
        "FETCH" | "UID FETCH" => Step::Fetch,
        "STORE" | "UID STORE" => Step::Store,
        "COPY" | "UID COPY" => Step::Copy,
        "MOVE" | "UID MOVE" => Step::Move,
        "EXPUNGE" | "UID EXPUNGE" => Step::Expunge,
        _ => return None,
    })
}

fn done(what: &str) -> Answer {
    format!("OK {what} completed.")
}

/// Tells whether the last line of a scripted reply begins with OK.
fn is_positive(text: &str) -> bool {
    let last = text.rsplit('\n').next().unwrap_or_default();
    last == "OK" || last.starts_with("OK ")
}

fn says_bye(text: &str) -> bool {
    text.split('\n').any(|l| l.starts_with("* BYE") || l.starts_with("BYE "))
}

/// Whether STARTTLS is possible at all is the server's mode; here for the commands around it.
fn has_tls(session: &Session) -> bool {
    session.host.spec.tls != Tls::None
}
