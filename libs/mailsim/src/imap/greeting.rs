//! The greeting and the capabilities: what a server says of itself.

use super::{Imap, says_bye};
use crate::fault::{Fault, Strip};
use crate::personality::Personality;
use crate::personality::imap::Tells;
use crate::session::{Course, Ended};
use crate::step::Step;

impl Imap<'_> {
    pub(super) async fn greet(&mut self) -> Result<(), Ended> {
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
    pub(super) fn fill_in(&self, text: &str) -> String {
        let user = self.session.user.as_deref().unwrap_or_default();
        text.replace("{address}", &self.session.peer.ip().to_string()).replace("{user}", user)
    }

    /// The capabilities of this moment.
    pub(super) fn capabilities(&self) -> String {
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
}
