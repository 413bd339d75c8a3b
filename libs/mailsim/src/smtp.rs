//! The SMTP server: RFC 5321 with STARTTLS (3207), AUTH (4954), SIZE (1870), PIPELINING (2920),
//! enhanced codes (2034) and SMTPUTF8 (6531, as far as bytes are passed on).
//!
//! A submission server takes mail from users who log in; a relay takes mail for its own users
//! and offers no AUTH. Mail is filed in the estate.

mod auth;
mod mail;

use crate::fault::{Fault, Strip};
use crate::sasl::Mechanism;
use crate::server::Role;
use crate::session::{Course, Ended, Session};
use crate::step::Step;

/// Longest command line. RFC 5321 §4.5.3.1.4 says 512; RFC 4954 §4 wants 12,288 for AUTH.
const MAX_LINE: usize = 12 * 1024;

/// Recipients of one mail. RFC 5321 §4.5.3.1.8 asks for 100 at least.
const MAX_RECIPIENTS: usize = 100;

/// One SMTP session.
struct Smtp<'a> {
    session: &'a mut Session,
    /// The sender, once MAIL was taken; empty for a bounce.
    from: Option<String>,
    to: Vec<String>,
    /// A greeting that refused the session: only QUIT works.
    turned_away: bool,
}

/// Serves one session until it ends.
pub(crate) async fn serve(session: &mut Session) -> Result<(), Ended> {
    let mut smtp = Smtp { session, from: None, to: Vec::new(), turned_away: false };
    smtp.greet().await?;
    loop {
        let line = smtp.session.line(MAX_LINE).await?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let name = name.to_ascii_uppercase();
        smtp.record(&name, rest);
        if smtp.obey(&name, rest).await? == Next::Stop {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Command,
    Stop,
}

impl Smtp<'_> {
    async fn greet(&mut self) -> Result<(), Ended> {
        let course = self.session.at(Step::Greeting).await?;
        let voice = self.session.host.voice.smtp;
        if let Some(refusal) = self.session.refusal() {
            self.say(voice.limit);
            return Err(Ended::Refused(refusal));
        }
        match course {
            Course::Usual | Course::Special(_) => self.say(voice.greeting),
            Course::Reply(text) => {
                self.turned_away = !self.reply(&text)?;
            }
            Course::Answered => {}
        }
        Ok(())
    }

    /// Adds one of the personality's texts, its blanks filled in.
    fn say(&mut self, text: &str) {
        let text = self.fill_in(text);
        self.session.say(&text);
    }

    fn fill_in(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let host = &self.session.host;
        text.replace("{host}", &host.name)
            .replace("{size}", &host.spec.size_limit.to_string())
            .replace("{address}", &self.session.peer.ip().to_string())
            .replace("{id}", &format!("{:010X}", rand::random::<u32>()))
    }

    /// Adds a scripted reply; tells whether it is positive. A 421 ends the session.
    fn reply(&mut self, text: &str) -> Result<bool, Ended> {
        let positive = self.session.say_lines(text, is_positive);
        if text.starts_with("421") {
            return Err(Ended::ByScript(format!("reply {text}")));
        }
        Ok(positive)
    }

    /// Records a command. What is not a command may be a secret gone astray, and is not kept.
    fn record(&self, name: &str, rest: &str) {
        let line = match name {
            "AUTH" => format!("AUTH {} ***", rest.split(' ').next().unwrap_or_default()),
            "STARTTLS" | "DATA" | "VRFY" | "HELP" => name.to_owned(),
            _ if step_of(name).is_some() => format!("{name} {rest}"),
            _ => "(unknown command)".to_owned(),
        };
        self.session.log.command(line.trim_end().as_bytes());
    }

    async fn obey(&mut self, name: &str, rest: &str) -> Result<Next, Ended> {
        if self.turned_away && name != "QUIT" {
            self.session.say("503 5.5.1 Only QUIT is allowed");
            return Ok(Next::Command);
        }
        match name {
            "STARTTLS" => return self.starttls().await,
            "AUTH" => return self.auth(rest).await,
            "DATA" => return self.data().await,
            _ => {}
        }
        let Some(step) = step_of(name) else {
            self.session.at(Step::Any).await?;
            let unknown = self.session.host.voice.smtp.unknown;
            self.say(match name {
                "VRFY" => "252 2.0.0 Cannot verify",
                "HELP" => "214 2.0.0 mailsim",
                _ => unknown,
            });
            return Ok(Next::Command);
        };
        match self.session.at(step).await? {
            Course::Usual | Course::Special(_) => self.handle(name, rest),
            Course::Reply(text) => {
                if self.reply(&text)? {
                    let out = std::mem::take(&mut self.session.out);
                    self.handle(name, rest);
                    self.session.out = out;
                }
            }
            Course::Answered => {}
        }
        Ok(if step == Step::Logout { Next::Stop } else { Next::Command })
    }

    fn handle(&mut self, name: &str, rest: &str) {
        let voice = self.session.host.voice.smtp;
        match name {
            "EHLO" => self.ehlo(),
            "HELO" => self.say(&format!("250 {}", voice.hello)),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "RSET" => {
                self.forget_mail();
                self.session.say("250 2.0.0 Ok");
            }
            "NOOP" => self.session.say("250 2.0.0 Ok"),
            _ => self.say(voice.bye),
        }
    }

    fn ehlo(&mut self) {
        let host = std::sync::Arc::clone(&self.session.host);
        let voice = host.voice.smtp;
        self.forget_mail();
        let mut lines = vec![voice.hello.to_owned()];
        lines.extend(voice.extensions.iter().map(|&e| e.to_owned()));
        if self.session.can_secure() {
            match host.rules.strip(self.session.peer.ip()) {
                None => lines.push("STARTTLS".to_owned()),
                Some(Strip::Mangled) => lines.push("XXXXXXXA".to_owned()),
                Some(Strip::Absent) => {}
            }
        }
        if host.spec.role == Role::Submission && self.session.takes_credentials() {
            let list = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
            let names: Vec<String> = list.iter().map(Mechanism::to_string).collect();
            if !names.is_empty() {
                lines.push(format!("AUTH {}", names.join(" ")));
            }
        }
        let last = lines.len() - 1;
        for (at, line) in lines.iter().enumerate() {
            let dash = if at == last { ' ' } else { '-' };
            self.say(&format!("250{dash}{line}"));
        }
    }

    fn forget_mail(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn starttls(&mut self) -> Result<Next, Ended> {
        let course = self.session.at(Step::Starttls).await?;
        if !self.session.can_secure() {
            self.session.say("502 5.5.1 TLS is not available or already active");
            return Ok(Next::Command);
        }
        let text = self.session.host.voice.smtp.starttls;
        match course {
            Course::Usual => self.say(text),
            Course::Special(rule) => {
                self.say(text);
                if let Fault::Inject(bytes) = &rule.fault {
                    self.session.out.extend_from_slice(bytes);
                }
            }
            Course::Reply(reply) => {
                if !self.reply(&reply)? {
                    return Ok(Next::Command);
                }
            }
            Course::Answered => return Ok(Next::Command),
        }
        self.session.flush().await?;
        self.session.secure().await?;
        self.forget_mail();
        Ok(Next::Command)
    }
}

/// The step of a command that is answered at once.
fn step_of(name: &str) -> Option<Step> {
    Some(match name {
        "EHLO" | "HELO" => Step::Ehlo,
        "MAIL" => Step::Mail,
        "RCPT" => Step::Rcpt,
        "RSET" => Step::Rset,
        "NOOP" => Step::Noop,
        "QUIT" => Step::Logout,
        _ => return None,
    })
}

fn is_positive(line: &str) -> bool {
    line.starts_with('2') || line.starts_with('3')
}
