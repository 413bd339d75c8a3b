//! AUTH. Source: RFC 4954 §4.

use std::sync::Arc;

use super::{MAX_LINE, Next, Smtp, is_positive};
use crate::exchange::Words;
use crate::imap::echo;
use crate::sasl::{Attempt, Mechanism};
use crate::server::Role;
use crate::session::{Course, Ended};
use crate::step::Step;

const SASL: Words = Words {
    challenge: "334",
    no_base64: "501 5.5.2 Invalid base64 data",
    malformed: "501 5.5.2 Invalid authentication data",
    aborted: "501 5.7.0 Authentication aborted",
    max_line: MAX_LINE,
};

impl Smtp<'_> {
    pub(super) async fn auth(&mut self, rest: &str) -> Result<Next, Ended> {
        let host = Arc::clone(&self.session.host);
        let voice = host.voice.smtp;
        let (name, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let offered = host.spec.mechanisms.as_deref().unwrap_or(host.voice.mechanisms);
        let refusal = if host.spec.role == Role::Relay {
            Some(voice.no_auth_here)
        } else if !self.session.takes_credentials() {
            Some(voice.needs_tls)
        } else if self.session.login.is_some() {
            Some("503 5.5.1 Error: already authenticated")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.say(refusal);
            return Ok(Next::Command);
        }
        let Some(mechanism) = name.parse().ok().filter(|m: &Mechanism| offered.contains(m)) else {
            self.say(voice.no_mechanism);
            return Ok(Next::Command);
        };
        let initial = (!initial.is_empty()).then_some(initial.as_bytes());
        match self.session.exchange(mechanism, initial, &SASL).await? {
            Ok(attempt) => self.log_in(name, attempt).await,
            Err(answer) => {
                self.session.say(answer);
                Ok(Next::Command)
            }
        }
    }

    async fn log_in(&mut self, mechanism: &str, attempt: Attempt) -> Result<Next, Ended> {
        self.session.note_attempt(mechanism, &attempt);
        match self.session.at(Step::Login).await? {
            Course::Usual => {
                let answer = self.let_in(&attempt);
                self.say(answer);
            }
            Course::Reply(text) => {
                if text.rsplit('\n').next().is_some_and(is_positive) {
                    self.let_in(&attempt);
                }
                self.reply(&text)?;
            }
            Course::Answered => {}
            Course::Special(_) => self.session.say(&format!("535 5.7.8 {}", echo(&attempt))),
        }
        Ok(Next::Command)
    }

    fn let_in(&mut self, attempt: &Attempt) -> &'static str {
        let voice = self.session.host.voice.smtp;
        let Some(login) = attempt.login.clone() else { return voice.refused };
        match self.session.enter(login) {
            Ok(()) => voice.logged_in,
            Err(_) => "454 4.7.0 Too many concurrent sessions of this user",
        }
    }
}
