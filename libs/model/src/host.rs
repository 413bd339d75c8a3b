//! The host of an endpoint: a DNS name in A-label form, or an IP address.
//!
//! Parsing is strict where resolvers are generous: `127.1`, `0x7f000001` and
//! zone ids are refused, since two parsers that disagree about a host are how
//! address rules are walked around.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::text;

/// Longest DNS name in characters, without the trailing dot. RFC 1035 section 2.3.4.
const MAX_NAME: usize = 253;
/// Longest label of a DNS name. RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;

/// Host of a mail server: a lower-case DNS name (A-labels) or an IP literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name, lower case, IDN labels as A-labels, without a trailing dot.
    Name(String),
    /// An address; such an endpoint sends no SNI.
    Ip(IpAddr),
}

/// Why a text is not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// CR, LF, NUL or another control character.
    #[error("contains a control character")]
    Control,
    /// Neither a DNS name nor an address in its usual form.
    #[error("is not a host name or an IP address")]
    Malformed,
    /// An IPv6 address with a zone id, which only means something on one machine.
    #[error("has an IPv6 zone, which is not supported")]
    Zone,
    /// Longer than DNS allows.
    #[error("is longer than a DNS name may be")]
    TooLong,
}

impl Host {
    /// Returns the DNS name, or `None` for an address.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ip(_) => None,
        }
    }

    fn parse_name(text: &str) -> Result<Self, Error> {
        let ascii = idna::domain_to_ascii(text).map_err(|_| Error::Malformed)?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii).to_owned();
        if name.len() > MAX_NAME {
            return Err(Error::TooLong);
        }
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.len() <= MAX_LABEL
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !name.split('.').all(label_ok) {
            return Err(Error::Malformed);
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        // `10.1` and `0x7f.1` are addresses to some resolvers and names to others.
        if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
            return Err(Error::Malformed);
        }
        Ok(Self::Name(name))
    }
}

impl FromStr for Host {
    type Err = Error;

    fn from_str(input: &str) -> Result<Self, Error> {
        if text::has_control(input) {
            return Err(Error::Control);
        }
        let text = text::normalise(input);
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(&text);
        if bare.contains(':') {
            if bare.contains('%') {
                return Err(Error::Zone);
            }
            let ip = bare.parse::<Ipv6Addr>().map_err(|_| Error::Malformed)?;
            return Ok(Self::Ip(IpAddr::V6(ip)));
        }
        if let Ok(ip) = bare.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        Self::parse_name(bare)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expect: Result<&str, Error>) {
        let got = input.parse::<Host>().map(|h| h.to_string());
        assert_eq!(got.as_deref().map_err(|e| *e), expect, "{input:?}");
    }

    #[test]
    fn names_are_lower_case_a_labels_without_trailing_dot() {
        check("IMAP.Example.COM.", Ok("imap.example.com"));
        check("メール.example.jp", Ok("xn--4dkua4c.example.jp"));
        check("ｉｍａｐ．example．com", Ok("imap.example.com"));
        check(" imap.example.com ", Ok("imap.example.com"));
        check("_dmarc.example.com", Ok("_dmarc.example.com"));
    }

    #[test]
    fn addresses_are_taken_only_in_their_usual_form() {
        check("192.0.2.1", Ok("192.0.2.1"));
        check("１９２.0.2.1", Ok("192.0.2.1"));
        check("[2001:db8::1]", Ok("[2001:db8::1]"));
        check("2001:db8::1", Ok("[2001:db8::1]"));
        for odd in ["127.1", "0x7f.1", "0x7f000001", "2130706433", "1.2.3.4.5", "1.2.3.256"] {
            check(odd, Err(Error::Malformed));
        }
        check("fe80::1%eth0", Err(Error::Zone));
    }

    #[test]
    fn controls_spaces_and_empty_labels_are_refused() {
        check("imap.example.com\r\nA LOGIN", Err(Error::Control));
        check("imap\0.example.com", Err(Error::Control));
        check("imap..example.com", Err(Error::Malformed));
        check("imap example.com", Err(Error::Malformed));
        check("http://example.com", Err(Error::Malformed));
        check("", Err(Error::Empty));
        check(&"a.".repeat(200), Err(Error::TooLong));
    }
}
