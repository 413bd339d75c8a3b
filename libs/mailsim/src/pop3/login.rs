//! STLS, USER, PASS and AUTH.
//!
//! The script's say about a login comes when the credential has arrived, as in IMAP.
//! Sources: RFC 1939 §7, RFC 2595 §4, RFC 5034 §4.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Entry, MAX_LINE, Next, Pop3, is_positive};
use crate::estate::lock;
use crate::fault::Fault;
use crate::imap::echo;
use crate::mailstore::Shape;
use crate::message::Message;
use crate::sasl::{Attempt, Exchange, Mechanism, Turn};
use crate::session::{Course, Ended};
use crate::step::Step;

impl Pop3<'_> {
    pub(super) async fn stls(&mut self) -> Result<Next, Ended> {
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

    pub(super) fn user(&mut self, line: &[u8]) -> &'static str {
        let voice = self.session.host.voice.pop3;
        if !self.session.takes_credentials() {
            return voice.needs_tls;
        }
        self.user = line.get(5..).map(<[u8]>::to_vec);
        voice.user_ok
    }

    pub(super) async fn pass(&mut self, line: &[u8]) -> Result<Next, Ended> {
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

    pub(super) async fn auth(&mut self, rest: &str) -> Result<Next, Ended> {
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
        let mut exchange = Exchange::new(mechanism);
        let mut answer = (!initial.is_empty()).then(|| initial.as_bytes().to_vec());
        if answer.as_deref() == Some(b"=") {
            answer = Some(Vec::new());
        }
        loop {
            let Ok(input) = answer.as_deref().map(|a| BASE64.decode(a)).transpose() else {
                self.session.say("-ERR Invalid base64 data");
                return Ok(Next::Command);
            };
            match exchange.step(input.as_deref(), &host.logins) {
                Turn::Done(attempt) => return self.log_in(name, attempt).await,
                Turn::Malformed => {
                    self.session.say("-ERR Invalid authentication data");
                    return Ok(Next::Command);
                }
                Turn::Challenge(challenge) => {
                    self.session.at(Step::Any).await?;
                    self.session.say(&format!("+ {}", BASE64.encode(challenge)));
                }
            }
            let line = self.session.line(MAX_LINE).await?;
            if line == b"*" {
                self.session.say("-ERR Authentication aborted by client.");
                return Ok(Next::Command);
            }
            answer = Some(line);
        }
    }

    pub(super) async fn log_in(
        &mut self,
        mechanism: &str,
        attempt: Attempt,
    ) -> Result<Next, Ended> {
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

    pub(super) fn let_in(&mut self, attempt: &Attempt) -> String {
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
            let entry = |m: &Message| Entry { message: m.clone(), deleted: false };
            self.drops = inbox.messages.iter().map(entry).collect();
        }
        self.account = Some(account);
        voice.logged_in.to_owned()
    }
}
