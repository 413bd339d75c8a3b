//! The address of a mailbox, as wide as real mailboxes are.
//!
//! Japanese mobile carriers handed out addresses such as `a..b@docomo.ne.jp`
//! that no RFC allows; they exist, so they are accepted. What is refused is
//! what could be smuggled into a command.

use std::fmt;
use std::str::FromStr;

use crate::host::{self, Host};
use crate::text;

/// Longest address in octets. RFC 5321 section 4.5.3.1.3, without the angle brackets.
const MAX_ADDRESS: usize = 254;
/// Longest local part in octets. RFC 5321 section 4.5.3.1.1.
const MAX_LOCAL: usize = 64;

/// An e-mail address: local part as given (NFKC), domain in A-labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress {
    local: String,
    domain: String,
}

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// CR, LF, NUL or another control character.
    #[error("contains a control character")]
    Control,
    /// No `@`, or nothing before it.
    #[error("is not of the form name@domain")]
    Malformed,
    /// A character that would end or quote the address in an SMTP command.
    #[error("has a space, quote, bracket or comma, which mailbox names do not have")]
    Character,
    /// The part after the `@` is not a domain name.
    #[error("has a domain that is not a host name")]
    Domain,
    /// Longer than SMTP allows.
    #[error("is longer than an address may be")]
    TooLong,
}

impl EmailAddress {
    /// The part before the `@`, in NFKC; may be non-ASCII, which needs SMTPUTF8.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, lower case, in A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether the address can only be used with SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl FromStr for EmailAddress {
    type Err = Error;

    fn from_str(input: &str) -> Result<Self, Error> {
        if text::has_control(input) {
            return Err(Error::Control);
        }
        let text = text::normalise(input);
        let (local, domain) = text.rsplit_once('@').ok_or(Error::Malformed)?;
        if local.is_empty() || domain.is_empty() {
            return Err(Error::Malformed);
        }
        if local.chars().any(|c| c.is_whitespace() || "\"<>()[]\\,;:@".contains(c)) {
            return Err(Error::Character);
        }
        let domain = match domain.parse::<Host>() {
            Ok(Host::Name(name)) => name,
            Ok(Host::Ip(_)) | Err(host::Error::Malformed | host::Error::Zone) => {
                return Err(Error::Domain);
            }
            Err(host::Error::Empty) => return Err(Error::Malformed),
            Err(host::Error::Control) => return Err(Error::Control),
            Err(host::Error::TooLong) => return Err(Error::TooLong),
        };
        if local.len() > MAX_LOCAL || local.len() + 1 + domain.len() > MAX_ADDRESS {
            return Err(Error::TooLong);
        }
        Ok(Self { local: local.to_owned(), domain })
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, Error>) {
        let got = input.parse::<EmailAddress>().map(|a| a.to_string());
        assert_eq!(got.as_deref().map_err(|e| *e), expect, "{input:?}");
    }

    #[test]
    fn real_addresses_are_accepted() {
        check("taro@Example.com", Ok("taro@example.com"));
        check("a..b@docomo.ne.jp", Ok("a..b@docomo.ne.jp"));
        check(".a.@docomo.ne.jp", Ok(".a.@docomo.ne.jp"));
        check("ｔａｒｏ１＠example.com", Ok("taro1@example.com"));
        check("太郎@日本.example", Ok("太郎@xn--wgv71a.example"));
        check("o'neil+tag=x@example.co", Ok("o'neil+tag=x@example.co"));
    }

    #[test]
    fn command_injection_and_nonsense_are_refused() {
        check("a@b.test\r\nRCPT TO:<x@y>", Err(Error::Control));
        check("a b@c.test", Err(Error::Character));
        check("\"a\nb\"@c.test", Err(Error::Control));
        check("<a@b.test>", Err(Error::Character));
        check("a@[192.0.2.1]", Err(Error::Domain));
        check("no-at-sign", Err(Error::Malformed));
        check("@b.test", Err(Error::Malformed));
        check(&format!("{}@b.test", "a".repeat(65)), Err(Error::TooLong));
    }

    #[test]
    fn only_a_non_ascii_local_part_needs_smtputf8() {
        let needs = |a: &str| a.parse::<EmailAddress>().map(|a| a.needs_smtputf8());
        assert_eq!(needs("太郎@example.jp"), Ok(true));
        assert_eq!(needs("taro@日本.example"), Ok(false));
    }
}
