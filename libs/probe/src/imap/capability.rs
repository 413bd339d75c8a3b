//! What an IMAP server says it can do.
//!
//! Read by ourselves, since the parser refuses a list without `IMAP4rev1`. RFC 9051
//! section 7.2.2. Bounded, and never taken over from before STARTTLS or a login.

use crate::sasl::Offer;

/// Most capabilities that are kept; real servers name up to 60.
const MAX_WORDS: usize = 200;
/// Longest capability that is kept, in bytes.
const MAX_WORD: usize = 64;

/// A server's capabilities, in its order, upper case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    words: Vec<String>,
}

impl Capabilities {
    /// Reads the words behind `CAPABILITY`.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let words = text
            .split(|b| b.is_ascii_whitespace())
            .filter(|word| (1..=MAX_WORD).contains(&word.len()))
            .filter_map(|word| std::str::from_utf8(word).ok())
            .take(MAX_WORDS)
            .map(str::to_ascii_uppercase)
            .collect();
        Self { words }
    }

    /// Whether the server names a capability (given in upper case).
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    /// The words, for the recognition of software.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// The login mechanisms offered.
    pub(crate) fn mechanisms(&self) -> Offer {
        let mut offer = Offer::default();
        offer.add(self.words.iter().filter_map(|word| word.strip_prefix("AUTH=")));
        offer
    }

    /// Whether the protocol is one that we speak: RFC 3501 or RFC 9051.
    pub(crate) fn speaks_imap4(&self) -> bool {
        self.has("IMAP4REV1") || self.has("IMAP4REV2")
    }

    /// Whether a literal of this length may be sent without asking (RFC 7888).
    pub(crate) fn takes_literal_unasked(&self, length: usize) -> bool {
        self.has("LITERAL+") || (length <= 4096 && (self.has("LITERAL-") || self.has("IMAP4REV2")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_without_regard_to_case() {
        let c = Capabilities::parse(b"imap4rev1 SASL-IR auth=plain AUTH=Login LITERAL-");
        assert!(c.speaks_imap4() && c.has("SASL-IR") && !c.has("LITERAL+"));
        assert_eq!(c.mechanisms().words(), "PLAIN, LOGIN");
        assert!(c.takes_literal_unasked(4096) && !c.takes_literal_unasked(4097));
    }

    #[test]
    fn a_list_is_bounded() {
        let long = format!("{} {}", "A".repeat(100), "B ".repeat(1000));
        assert_eq!(Capabilities::parse(long.as_bytes()).words().len(), MAX_WORDS);
    }
}
