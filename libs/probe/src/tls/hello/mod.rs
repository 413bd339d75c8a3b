//! Old TLS on the wire: just enough to ask a server what it would speak, and no more.
//!
//! The TLS library knows 1.2 and 1.3 only, so a server that speaks less can but refuse it.
//! Here a ClientHello of any version from SSL 3 to TLS 1.2 is written and the first answer
//! read. No key is ever agreed on, so that nothing can be sent over such a connection.
//!
//! Pure: bytes in, bytes out. Formats: RFC 5246 (TLS 1.2), RFC 4346 (1.1), RFC 2246 (1.0),
//! RFC 6101 (SSL 3).

mod offer;
pub(super) mod reply;
mod suites;

use std::fmt;

pub(super) use offer::client_hello;
pub(super) use reply::{Choice, Reader, Reply};
pub(super) use suites::{Kind, kind, name};

/// A version of the protocol, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// SSL 3.0, RFC 6101; prohibited by RFC 7568.
    Ssl3,
    /// TLS 1.0, RFC 2246; deprecated by RFC 8996.
    Tls10,
    /// TLS 1.1, RFC 4346; deprecated by RFC 8996.
    Tls11,
    /// TLS 1.2, RFC 5246.
    Tls12,
}

impl Version {
    /// The two bytes on the wire.
    fn wire(self) -> [u8; 2] {
        match self {
            Self::Ssl3 => [3, 0],
            Self::Tls10 => [3, 1],
            Self::Tls11 => [3, 2],
            Self::Tls12 => [3, 3],
        }
    }

    /// The version of two bytes on the wire, if it is one that we ask for.
    fn of(wire: [u8; 2]) -> Option<Self> {
        [Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12].into_iter().find(|v| v.wire() == wire)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
        })
    }
}
