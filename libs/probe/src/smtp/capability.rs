//! What a server offers in its answer to EHLO.
//!
//! Keeps every keyword line as text, since they are evidence (mangled keywords, unknown
//! extensions tell the software); smtp-proto's reader keeps only what it knows.
//! Grammar: RFC 5321 section 4.1.1.1; SIZE: RFC 1870; AUTH: RFC 4954.

use crate::reply;
use crate::sasl::Offer;

/// Most keyword lines that are kept.
const MAX_LINES: usize = 100;

/// What a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// The keyword lines as text, without the server's name.
    lines: Vec<String>,
    /// The login mechanisms.
    pub(super) offer: Offer,
    /// The largest message, in bytes; `None` where no limit is announced.
    pub(super) size: Option<u64>,
}

impl Capabilities {
    /// Reads the lines of a positive reply to EHLO.
    pub(super) fn parse(lines: &[Vec<u8>]) -> Self {
        let mut found = Self::default();
        for line in lines.iter().skip(1).take(MAX_LINES) {
            let line = reply::decode(line);
            found.add(line.trim());
        }
        found
    }

    fn add(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        let keyword = keyword.to_ascii_uppercase();
        match keyword.as_str() {
            "AUTH" => self.offer.add(words),
            "SIZE" => {
                let limit = words.next().and_then(|word| word.parse().ok());
                // Zero means: no fixed limit (RFC 1870 section 4).
                self.size = limit.filter(|size| *size > 0);
            }
            // `AUTH=LOGIN PLAIN`: from before the standard, and still sent beside AUTH.
            _ => {
                if let Some(first) = keyword.strip_prefix("AUTH=") {
                    self.offer.add([first]);
                    self.offer.add(words);
                }
            }
        }
        self.lines.push(line.to_owned());
    }

    /// Whether a keyword is offered.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.keywords().any(|offered| offered.eq_ignore_ascii_case(keyword))
    }

    /// The keywords, in the server's order.
    pub(super) fn keywords(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_ascii_whitespace().next())
    }

    /// The keyword lines as the server wrote them.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Capabilities {
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        Capabilities::parse(&lines)
    }

    #[test]
    fn both_spellings_of_auth_are_understood() {
        let found = parse(&["mail.test", "AUTH PLAIN LOGIN", "AUTH=CRAM-MD5 PLAIN", "size 0"]);
        assert_eq!(found.offer.words(), "PLAIN, LOGIN, CRAM-MD5");
        assert_eq!(found.size, None);
        assert_eq!(parse(&["mail.test", "AUTH=LOGIN"]).offer.words(), "LOGIN");
    }

    #[test]
    fn the_first_line_is_the_name_and_no_keyword() {
        let found = parse(&["STARTTLS", "SIZE 1048576", "Pipelining"]);
        assert!(!found.has("STARTTLS") && found.has("PIPELINING"));
        assert_eq!(found.size, Some(1_048_576));
        assert_eq!(found.lines(), ["SIZE 1048576", "Pipelining"]);
    }
}
