//! Endpoints: protocol, host, port and security, and how people write them down.

use std::fmt;
use std::str::FromStr;

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::host::{self, Host};

/// The protocol that an endpoint speaks.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", ascii_case_insensitive)]
pub enum Protocol {
    /// IMAP4rev1 or rev2 (RFC 3501, RFC 9051).
    Imap,
    /// POP3 (RFC 1939).
    Pop3,
    /// Message submission (RFC 6409).
    Smtp,
}

/// How a connection becomes confidential.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", ascii_case_insensitive)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 section 3).
    Tls,
    /// Plaintext first, then STARTTLS or STLS.
    Starttls,
    /// No TLS at all. Only when asked for by name.
    Plain,
}

/// Where a leg goes: protocol, host, port, security.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Name or address.
    pub host: Host,
    /// TCP port, never 0.
    pub port: u16,
    /// How TLS begins, if it does.
    pub security: Security,
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// CR, LF, NUL or another control character, wherever it stands.
    #[error("contains a control character")]
    Control,
    /// The host part is wrong.
    #[error("the host {0}")]
    Host(host::Error),
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// What follows the slash is not a security mode.
    #[error("the security is not one of tls, starttls, plain")]
    Security,
}

impl Protocol {
    /// The port that is tried when none is given: 993, 995, 465; 143, 110, 587 otherwise.
    #[must_use]
    pub fn default_port(self, security: Security) -> u16 {
        match (self, security) {
            (Self::Imap, Security::Tls) => 993,
            (Self::Imap, Security::Starttls | Security::Plain) => 143,
            (Self::Pop3, Security::Tls) => 995,
            (Self::Pop3, Security::Starttls | Security::Plain) => 110,
            (Self::Smtp, Security::Tls) => 465,
            (Self::Smtp, Security::Starttls | Security::Plain) => 587,
        }
    }

    /// The security that a well-known port implies; TLS for a port that implies none.
    ///
    /// Plaintext is never implied.
    #[must_use]
    pub fn default_security(self, port: u16) -> Security {
        match (self, port) {
            (Self::Imap, 143) | (Self::Pop3, 110) | (Self::Smtp, 25 | 587 | 2525) => {
                Security::Starttls
            }
            _ => Security::Tls,
        }
    }

    /// The ports that belong to mail. RFC 8314 section 7, RFC 5321, RFC 1939, RFC 9051.
    #[must_use]
    pub fn is_mail_port(port: u16) -> bool {
        matches!(port, 25 | 110 | 143 | 465 | 587 | 993 | 995 | 2525)
    }
}

impl Endpoint {
    /// Reads `HOST[:PORT][/tls|/starttls|/plain]`, filling what is missing by the
    /// protocol's defaults: a port implies its usual security, a security its usual port.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(protocol: Protocol, text: &str) -> Result<Self, Error> {
        if crate::text::has_control(text) {
            return Err(Error::Control);
        }
        let text = crate::text::normalise(text);
        let (rest, security) = match text.rsplit_once('/') {
            Some((rest, word)) => {
                (rest, Some(word.trim().parse::<Security>().map_err(|_| Error::Security)?))
            }
            None => (text.as_str(), None),
        };
        let (host, port) = split_port(rest)?;
        let host = host.parse::<Host>().map_err(Error::Host)?;
        Ok(Self::with_defaults(protocol, host, port, security))
    }

    /// Fills a missing port or security by the protocol's defaults.
    #[must_use]
    pub fn with_defaults(
        protocol: Protocol,
        host: Host,
        port: Option<u16>,
        security: Option<Security>,
    ) -> Self {
        let (port, security) = match (port, security) {
            (Some(port), Some(security)) => (port, security),
            (Some(port), None) => (port, protocol.default_security(port)),
            (None, Some(security)) => (protocol.default_port(security), security),
            (None, None) => (protocol.default_port(Security::Tls), Security::Tls),
        };
        Self { protocol, host, port, security }
    }
}

/// Splits `host:port`, `[v6]:port`, a bare host and a bare IPv6 address.
fn split_port(text: &str) -> Result<(&str, Option<u16>), Error> {
    let Some((host, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    let is_bare_v6 = host.contains(':') && !host.ends_with(']');
    if is_bare_v6 || text.ends_with(']') {
        return Ok((text, None));
    }
    match u16::from_str(port) {
        Ok(port) if port != 0 => Ok((host, Some(port))),
        Ok(_) | Err(_) => Err(Error::Port),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let security = match self.security {
            Security::Tls => "tls",
            Security::Starttls => "starttls",
            Security::Plain => "plain",
        };
        write!(f, "{}:{}/{security}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: Protocol, input: &str, expect: Result<&str, Error>) {
        let got = Endpoint::parse(protocol, input).map(|e| e.to_string());
        assert_eq!(got.as_deref().map_err(|e| *e), expect, "{input:?}");
    }

    #[test]
    fn defaults_follow_from_what_is_given() {
        check(Protocol::Imap, "h.test", Ok("h.test:993/tls"));
        check(Protocol::Imap, "h.test:143", Ok("h.test:143/starttls"));
        check(Protocol::Smtp, "h.test/starttls", Ok("h.test:587/starttls"));
        check(Protocol::Smtp, "h.test:25", Ok("h.test:25/starttls"));
        check(Protocol::Pop3, "h.test/plain", Ok("h.test:110/plain"));
        check(Protocol::Smtp, "h.test:2465/tls", Ok("h.test:2465/tls"));
        check(Protocol::Imap, "h.test：９９３", Ok("h.test:993/tls"));
        check(Protocol::Imap, " ｈ．ｔｅｓｔ：１４３／ｔｌｓ ", Ok("h.test:143/tls"));
    }

    #[test]
    fn ipv6_literals_keep_their_colons() {
        check(Protocol::Imap, "[2001:db8::1]:143", Ok("[2001:db8::1]:143/starttls"));
        check(Protocol::Imap, "2001:db8::1", Ok("[2001:db8::1]:993/tls"));
        check(Protocol::Imap, "[2001:db8::1]/tls", Ok("[2001:db8::1]:993/tls"));
    }

    #[test]
    fn the_wrong_part_is_named() {
        check(Protocol::Imap, "h.test:993\n", Err(Error::Control));
        check(Protocol::Imap, "h.test:0", Err(Error::Port));
        check(Protocol::Imap, "h.test:99999", Err(Error::Port));
        check(Protocol::Imap, "h.test:imap", Err(Error::Port));
        check(Protocol::Imap, "h.test/ssl3", Err(Error::Security));
        check(Protocol::Imap, "h_ t", Err(Error::Host(host::Error::Malformed)));
    }
}
