//! What a POP3 server offers in its answer to CAPA (RFC 2449).
//!
//! CAPA is younger than the protocol: a server without it is no fault, and a keyword
//! that is missing proves little.

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

    /// The keywords, in the server's order.
    pub(super) fn keywords(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_ascii_whitespace().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
