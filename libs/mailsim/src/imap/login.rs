//! STARTTLS, LOGIN and AUTHENTICATE.
//!
//! The script's say about a login comes when the credential has arrived, in place of the last
//! answer, so that every fault meets a client that has really submitted something.
//! Sources: RFC 3501 §6.2, RFC 4959 (initial response), RFC 5530 (response codes).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::parse::{Command, Token};
use super::{Imap, MAX_LINE, Next, has_tls, is_positive};
use crate::exchange::Words;
use crate::fault::Fault;
use crate::mailstore::Shape;
use crate::personality::imap::Tells;
use crate::sasl::{Attempt, Mechanism};
use crate::session::{Course, Ended};
use crate::step::Step;

const SASL: Words = Words {
    challenge: "+",
    no_base64: "BAD Invalid base64 data",
    malformed: "BAD Invalid authentication data",
    aborted: "BAD Authentication aborted by client.",
    max_line: MAX_LINE,
};

impl Imap<'_> {
    pub(super) async fn starttls(&mut self, command: &Command) -> Result<Next, Ended> {
        let course = self.session.at(Step::Starttls).await?;
        let tag = &command.tag;
        if !self.session.can_secure() {
            let why = if has_tls(self.session) { "TLS is already active" } else { "No TLS here" };
            self.session.say(&format!("{tag} BAD {why}."));
            return Ok(Next::Command);
        }
        let text = self.session.host.voice.imap.starttls;
        match course {
            Course::Usual => self.session.say(&format!("{tag} OK {text}")),
            Course::Special(rule) => {
                self.session.say(&format!("{tag} OK {text}"));
                if let Fault::Inject(bytes) = &rule.fault {
                    self.session.out.extend_from_slice(bytes);
                }
            }
            Course::Reply(reply) => {
                self.reply(tag, &reply)?;
                if !is_positive(&reply) {
                    return Ok(Next::Command);
                }
            }
            Course::Answered => {
                self.put_tag(tag);
                return Ok(Next::Command);
            }
        }
        self.session.flush().await?;
        self.session.secure().await?;
        Ok(Next::Command)
    }

    pub(super) async fn log_in(&mut self, command: &Command) -> Result<Next, Ended> {
        let tag = command.tag.clone();
        let attempt = if command.name == "LOGIN" {
            self.login_command(command)
        } else {
            self.authenticate(command).await?
        };
        let (mechanism, attempt) = match attempt {
            Ok(found) => found,
            Err(answer) => {
                self.session.say(&format!("{tag} {answer}"));
                return Ok(Next::Command);
            }
        };
        self.session.note_attempt(&mechanism, &attempt);
        let course = self.session.at(Step::Login).await?;
        self.answer_login(&tag, attempt, course)
    }

    /// Takes LOGIN apart, or gives the refusal.
    fn login_command(&mut self, command: &Command) -> Result<(String, Attempt), String> {
        let [user, password] = command.args.as_slice() else {
            return Err("BAD LOGIN needs a user name and a password".to_owned());
        };
        let (Some(user), Some(password)) = (user.bytes(), password.bytes()) else {
            return Err("BAD LOGIN needs two strings".to_owned());
        };
        self.may_log_in()?;
        Ok(("LOGIN".to_owned(), self.session.host.logins.check(user, password)))
    }

    fn may_log_in(&mut self) -> Result<(), String> {
        if self.session.login.is_some() {
            return Err("BAD Already logged in".to_owned());
        }
        if self.session.takes_credentials() {
            return Ok(());
        }
        Err(self.session.host.voice.imap.needs_tls.to_owned())
    }

    async fn authenticate(
        &mut self,
        command: &Command,
    ) -> Result<Result<(String, Attempt), String>, Ended> {
        if let Err(refusal) = self.may_log_in() {
            return Ok(Err(refusal));
        }
        let name = command.args.first().and_then(Token::text).unwrap_or_default();
        let host = Arc::clone(&self.session.host);
        let offered = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
        let Some(mechanism) = name.parse().ok().filter(|m: &Mechanism| offered.contains(m)) else {
            return Ok(Err(host.voice.imap.no_mechanism.to_owned()));
        };
        let initial = command.args.get(1).and_then(Token::bytes);
        let ended = self.session.exchange(mechanism, initial, &SASL).await?;
        Ok(ended.map(|attempt| (mechanism.to_string(), attempt)).map_err(str::to_owned))
    }

    fn answer_login(&mut self, tag: &str, attempt: Attempt, course: Course) -> Result<Next, Ended> {
        let voice = self.session.host.voice.imap;
        match course {
            Course::Usual => {
                let answer = self.let_in(&attempt);
                self.session.say(&format!("{tag} {answer}"));
            }
            Course::Reply(text) => {
                if is_positive(&text) {
                    self.let_in(&attempt);
                }
                self.reply(tag, &text)?;
            }
            Course::Answered => self.put_tag(tag),
            Course::Special(rule) => match &rule.fault {
                Fault::ByeAfterOk(text) => {
                    self.session.say(&format!("{tag} OK {}", voice.logged_in));
                    self.session.say(&format!("* BYE {text}"));
                    return Err(Ended::Refused("bye after ok"));
                }
                _ => {
                    let line = format!("{tag} NO {}", echo(&attempt));
                    self.session.say(&line);
                }
            },
        }
        Ok(Next::Command)
    }

    /// Opens the account of a right credential; gives the answer that belongs to it.
    fn let_in(&mut self, attempt: &Attempt) -> String {
        let voice = self.session.host.voice.imap;
        let Some(login) = attempt.login.clone() else { return voice.refused.to_owned() };
        let address = Arc::clone(&login.address);
        if let Err((limit, count)) = self.session.enter(login) {
            let text = voice.limit.replace("{limit}", &limit.to_string());
            return self.fill_in(&text.replace("{count}", &count.to_string()));
        }
        let host = &self.session.host;
        self.account = Some(host.estate.open(&address, host.spec.folders(), Shape::Final, 0));
        let text = self.fill_in(voice.logged_in);
        match voice.tells {
            Tells::Always | Tells::Login => {
                format!("OK [CAPABILITY {}] {text}", self.capabilities())
            }
            Tells::Greeting => format!("OK {text}"),
        }
    }
}

/// The secret in the two forms in which it travels, for servers that repeat it.
pub(crate) fn echo(attempt: &Attempt) -> String {
    let secret = String::from_utf8_lossy(&attempt.secret);
    let plain = BASE64.encode(format!("\0{}\0{secret}", attempt.user));
    format!("you sent {secret} and {plain}")
}
