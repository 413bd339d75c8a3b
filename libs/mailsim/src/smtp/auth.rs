//! AUTH. Source: RFC 4954 §4.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{MAX_LINE, Next, Smtp, is_positive};
use crate::imap::echo;
use crate::sasl::{Attempt, Exchange, Mechanism, Turn};
use crate::server::Role;
use crate::session::{Course, Ended};
use crate::step::Step;

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
        match self.exchange(mechanism, initial).await? {
            Ok(attempt) => self.log_in(name, attempt).await,
            Err(answer) => {
                self.session.say(answer);
                Ok(Next::Command)
            }
        }
    }

    /// Runs the exchange; gives the attempt, or the refusal of what is not one.
    async fn exchange(
        &mut self,
        mechanism: Mechanism,
        initial: &str,
    ) -> Result<Result<Attempt, &'static str>, Ended> {
        let host = Arc::clone(&self.session.host);
        let mut exchange = Exchange::new(mechanism);
        let mut answer = (!initial.is_empty()).then(|| initial.as_bytes().to_vec());
        if answer.as_deref() == Some(b"=") {
            answer = Some(Vec::new());
        }
        loop {
            let Ok(input) = answer.as_deref().map(|a| BASE64.decode(a)).transpose() else {
                return Ok(Err("501 5.5.2 Invalid base64 data"));
            };
            match exchange.step(input.as_deref(), &host.logins) {
                Turn::Done(attempt) => return Ok(Ok(attempt)),
                Turn::Malformed => return Ok(Err("501 5.5.2 Invalid authentication data")),
                Turn::Challenge(challenge) => {
                    self.session.at(Step::Any).await?;
                    self.session.say(&format!("334 {}", BASE64.encode(challenge)));
                }
            }
            let line = self.session.line(MAX_LINE).await?;
            if line == b"*" {
                return Ok(Err("501 5.7.0 Authentication aborted"));
            }
            answer = Some(line);
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
