//! A SASL exchange as the lines of IMAP, POP3 and SMTP carry it: in base64, and a lone `*` ends it.
//!
//! What a protocol says meanwhile comes from its [`Words`]; what the exchange means is `sasl`'s.
//! Sources: RFC 3501 §6.2.2, RFC 5034 §4, RFC 4954 §4.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::sasl::{Attempt, Exchange, Mechanism, Turn};
use crate::session::{Ended, Session};
use crate::step::Step;

/// What a protocol says in an exchange.
pub(crate) struct Words {
    /// Stands before a challenge.
    pub(crate) challenge: &'static str,
    /// To what is no base64.
    pub(crate) no_base64: &'static str,
    /// To what the mechanism cannot read.
    pub(crate) malformed: &'static str,
    /// To a client that gives up.
    pub(crate) aborted: &'static str,
    /// Longest line of a client.
    pub(crate) max_line: usize,
}

impl Session {
    /// Runs an exchange, from the initial response if there is one; gives the attempt, or the
    /// refusal of what is none.
    pub(crate) async fn exchange(
        &mut self,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
        words: &Words,
    ) -> Result<Result<Attempt, &'static str>, Ended> {
        let host = Arc::clone(&self.host);
        let mut exchange = Exchange::new(mechanism);
        // A lone `=` is an empty initial response (RFC 4959 §3).
        let mut answer = initial.map(|text| if text == b"=" { Vec::new() } else { text.to_vec() });
        loop {
            let Ok(input) = answer.as_deref().map(|text| BASE64.decode(text)).transpose() else {
                return Ok(Err(words.no_base64));
            };
            match exchange.step(input.as_deref(), &host.logins) {
                Turn::Done(attempt) => return Ok(Ok(attempt)),
                Turn::Malformed => return Ok(Err(words.malformed)),
                Turn::Challenge(challenge) => {
                    self.at(Step::Any).await?;
                    self.say(&format!("{} {}", words.challenge, BASE64.encode(challenge)));
                }
            }
            let line = self.line(words.max_line).await?;
            if line == b"*" {
                return Ok(Err(words.aborted));
            }
            answer = Some(line);
        }
    }
}
