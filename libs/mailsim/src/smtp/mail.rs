//! MAIL, RCPT, DATA: who may send what to whom, and the mail itself.
//!
//! Source: RFC 5321 §3.3 and §4.5.2 (dots), RFC 1870 §6 (SIZE).

use super::{MAX_RECIPIENTS, Next, Smtp, is_positive};
use crate::estate::Submitted;
use crate::personality::smtp::NeedsLoginAt;
use crate::recorder::What;
use crate::server::Role;
use crate::session::{Course, Ended};
use crate::step::Step;

/// Longest line of a mail. RFC 5321 §4.5.3.1.6 says 1,000; others send more.
const MAX_TEXT_LINE: usize = 64 * 1024;

/// The largest mail whose size limit is not exceeded.
type Body = Result<Vec<u8>, TooBig>;

struct TooBig;

impl Smtp<'_> {
    /// Tells whether this session still has to log in.
    fn lacks_login(&self) -> bool {
        self.session.host.spec.role == Role::Submission && self.session.login.is_none()
    }

    pub(super) fn mail(&mut self, rest: &str) {
        let voice = self.session.host.voice.smtp;
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.say("501 5.5.4 Syntax: MAIL FROM:<address>");
        };
        if self.from.is_some() {
            return self.say("503 5.5.1 Error: nested MAIL command");
        }
        if self.lacks_login() && !self.session.takes_credentials() {
            return self.say(voice.needs_tls);
        }
        if self.lacks_login() && voice.needs_login_at == NeedsLoginAt::Mail {
            return self.say(voice.needs_login);
        }
        let size = parameters.split(' ').find_map(|p| p.strip_prefix("SIZE="));
        let size: u64 = size.and_then(|s| s.parse().ok()).unwrap_or(0);
        if size > self.session.host.spec.size_limit {
            return self.say(voice.too_big);
        }
        self.from = Some(from);
        self.say(voice.mail_ok);
    }

    pub(super) fn rcpt(&mut self, rest: &str) {
        let voice = self.session.host.voice.smtp;
        let Some((to, _)) = path(rest, "TO:").filter(|(to, _)| !to.is_empty()) else {
            return self.say("501 5.5.4 Syntax: RCPT TO:<address>");
        };
        if self.from.is_none() {
            return self.say("503 5.5.1 Error: need MAIL command");
        }
        let estate = &self.session.host.estate;
        let answer = if self.lacks_login() {
            voice.needs_login
        } else if estate.find(&to).is_some() {
            voice.rcpt_ok
        } else if estate.serves_domain_of(&to) {
            voice.unknown_recipient
        } else if self.session.login.is_some() {
            voice.rcpt_ok
        } else {
            voice.relay_denied
        };
        if self.to.len() >= MAX_RECIPIENTS {
            return self.say("452 4.5.3 Error: too many recipients");
        }
        let text = answer.replace("{recipient}", &to);
        if is_positive(&text) {
            self.to.push(to);
        }
        self.say(&text);
    }

    pub(super) async fn data(&mut self) -> Result<Next, Ended> {
        let voice = self.session.host.voice.smtp;
        if self.to.is_empty() {
            self.say(if self.from.is_none() {
                voice.sequence
            } else {
                "554 5.5.1 Error: no valid recipients"
            });
            return Ok(Next::Command);
        }
        match self.session.at(Step::Data).await? {
            Course::Usual | Course::Special(_) => self.say(voice.data),
            Course::Reply(text) => {
                if !self.reply(&text)? || !text.starts_with('3') {
                    return Ok(Next::Command);
                }
            }
            Course::Answered => return Ok(Next::Command),
        }
        let body = self.body().await?;
        match self.session.at(Step::Body).await? {
            Course::Usual | Course::Special(_) => {
                let answer = self.file(body);
                self.say(answer);
            }
            Course::Reply(text) => {
                if self.reply(&text)? {
                    self.file(body);
                }
            }
            Course::Answered => {}
        }
        self.forget_mail();
        Ok(Next::Command)
    }

    /// Reads the mail up to the final dot. What is too big is read and forgotten.
    async fn body(&mut self) -> Result<Body, Ended> {
        let limit = usize::try_from(self.session.host.spec.size_limit).unwrap_or(usize::MAX);
        let mut body = Ok(Vec::new());
        loop {
            let line = self.session.line(MAX_TEXT_LINE).await?;
            if line == b"." {
                return Ok(body);
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            if let Ok(text) = &mut body {
                text.extend_from_slice(line);
                text.extend_from_slice(b"\r\n");
                if text.len() > limit {
                    body = Err(TooBig);
                }
            }
        }
    }

    /// Files the mail in the estate; gives the answer that belongs to it.
    fn file(&mut self, body: Body) -> &'static str {
        let voice = self.session.host.voice.smtp;
        let Ok(raw) = body else { return voice.too_big };
        let from = self.from.clone().unwrap_or_default();
        let mail = Submitted { from: &from, to: &self.to, raw: &raw };
        if self.session.host.estate.submit(&mail).is_err() {
            return "452 4.2.2 Mailbox full";
        }
        let (recipients, bytes) = (self.to.len(), raw.len());
        self.session.log.event(What::Mail { from, recipients, bytes });
        voice.queued
    }
}

/// Reads `FROM:<address> parameters`. `None` if it is something else.
fn path(rest: &str, keyword: &str) -> Option<(String, String)> {
    let (head, tail) = rest.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, parameters) = tail.trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters.trim().to_ascii_uppercase()))
}
