//! What a POP3 server offers in its answer to CAPA (RFC 2449).
//!
//! CAPA is younger than the protocol: a server without it is no fault, and a keyword
//! that is missing proves little.

use std::time::Duration;

use crate::reply;
use crate::sasl::Offer;

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// The lines as text.
    pub(super) lines: Vec<String>,
    /// The login mechanisms; empty where only USER and PASS remain.
    pub(super) offer: Offer,
}

impl Capabilities {
    /// Reads the lines of the answer.
    pub(super) fn parse(lines: &[Vec<u8>]) -> Self {
        let mut found = Self::default();
        for line in lines {
            let line = reply::decode(line).trim().to_owned();
            let mut words = line.split_ascii_whitespace();
            if words.next().is_some_and(|word| word.eq_ignore_ascii_case("SASL")) {
                found.offer.add(words);
            }
            found.lines.push(line);
        }
        found
    }

    /// Whether a keyword is offered.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.keywords().any(|offered| offered.eq_ignore_ascii_case(keyword))
    }

    /// The shortest time between logins that the server wants (RFC 2449 section 6.5).
    pub(super) fn login_delay(&self) -> Duration {
        let delays = self.lines.iter().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let is_delay = words.next()?.eq_ignore_ascii_case("LOGIN-DELAY");
            words.next()?.parse().ok().filter(|_| is_delay)
        });
        Duration::from_secs(delays.max().unwrap_or(0))
    }

    /// The keywords, in the server's order.
    pub(super) fn keywords(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_ascii_whitespace().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_between_logins_is_read() {
        let delay = |line: &str| Capabilities::parse(&[line.as_bytes().to_vec()]).login_delay();
        assert_eq!(delay("LOGIN-DELAY 10"), Duration::from_secs(10));
        assert_eq!(delay("login-delay 900 USER"), Duration::from_secs(900));
        assert_eq!(delay("LOGIN-DELAY x"), Duration::ZERO);
    }

    #[test]
    fn mechanisms_come_from_the_sasl_line_only() {
        let lines = ["TOP", "sasl PLAIN LOGIN", "IMPLEMENTATION Cyrus POP3", "STLS"];
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        let found = Capabilities::parse(&lines);
        assert_eq!(found.offer.words(), "PLAIN, LOGIN");
        assert!(found.has("stls") && !found.has("PLAIN"));
        assert!(Capabilities::parse(&[b"SASL".to_vec()]).offer.is_empty(), "Dovecot before TLS");
    }
}
