//! The bytes of a sealed credential, as the store and the queue keep them.
//!
//! ```text
//! 1   format, now 1
//! 8   key id
//! 32  encapsulated key
//! 48  label: the SHA-256 of the binding, sealed
//! n   body: the credential, sealed
//! ```
//! Anyone may hold them; nothing here opens anything.

use std::fmt;

use crate::error::Error;
use crate::key::KeyId;
use crate::payload;

/// The version of the format.
pub(crate) const FORMAT: u8 = 1;
/// What ChaCha20-Poly1305 adds to a text.
const TAG: usize = 16;
/// An X25519 public key. RFC 9180 section 7.1.
const ENCAPSULATED: usize = 32;
/// A sealed SHA-256.
const LABEL: usize = 32 + TAG;
const SHORTEST_BODY: usize = payload::BLOCK + TAG;
const LONGEST_BODY: usize = payload::padded(Sealed::MAX_SECRET) + TAG;
const BEFORE_BODY: usize = 1 + KeyId::LENGTH + ENCAPSULATED + LABEL;

/// A sealed credential. Opaque; `Debug` prints the key id and the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) key: KeyId,
    pub(crate) encapsulated: [u8; ENCAPSULATED],
    pub(crate) label: [u8; LABEL],
    pub(crate) body: Vec<u8>,
}

impl Sealed {
    /// Longest secret that can be sealed, in bytes. The API takes passwords and tokens
    /// of less; access tokens of large providers stay under 4 KiB.
    pub const MAX_SECRET: usize = 16 * 1024;
    /// Longest sealed credential in bytes.
    pub const MAX_LENGTH: usize = BEFORE_BODY + LONGEST_BODY;

    /// The key that it was sealed to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key
    }

    /// The bytes to store or send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = self.header();
        [&header[..], &self.encapsulated, &self.label, &self.body].concat()
    }

    /// Reads stored bytes. Their length and header are checked, the seal is not.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], or [`Error::Malformed`] if the length is impossible.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (&format, rest) = bytes.split_first().ok_or(Error::Malformed)?;
        if format != FORMAT {
            return Err(Error::UnknownFormat(format));
        }
        let (key, rest) = rest.split_first_chunk().ok_or(Error::Malformed)?;
        let (encapsulated, rest) = rest.split_first_chunk().ok_or(Error::Malformed)?;
        let (label, body) = rest.split_first_chunk().ok_or(Error::Malformed)?;
        if !(SHORTEST_BODY..=LONGEST_BODY).contains(&body.len()) {
            return Err(Error::Malformed);
        }
        let key = KeyId::from_bytes(*key);
        Ok(Self { key, encapsulated: *encapsulated, label: *label, body: body.to_vec() })
    }

    /// Format and key id: what stands in front, and is sealed along.
    pub(crate) fn header(&self) -> [u8; 1 + KeyId::LENGTH] {
        header(self.key)
    }
}

/// Format and key id of a seal to this key.
pub(crate) fn header(key: KeyId) -> [u8; 1 + KeyId::LENGTH] {
    let [a, b, c, d, e, f, g, h] = *key.as_bytes();
    [FORMAT, a, b, c, d, e, f, g, h]
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = BEFORE_BODY + self.body.len();
        f.debug_struct("Sealed").field("key", &self.key).field("length", &length).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_lengths_and_unknown_formats_are_refused() {
        let bytes = |length: usize| [vec![FORMAT], vec![0; length - 1]].concat();
        let shortest = BEFORE_BODY + SHORTEST_BODY;
        assert!(Sealed::from_bytes(&bytes(shortest)).is_ok());
        assert!(Sealed::from_bytes(&bytes(Sealed::MAX_LENGTH)).is_ok());
        for length in [1, 9, 41, 89, shortest - 1, Sealed::MAX_LENGTH + 1] {
            assert_eq!(Sealed::from_bytes(&bytes(length)), Err(Error::Malformed), "{length}");
        }
        assert_eq!(Sealed::from_bytes(&[]), Err(Error::Malformed));
        assert_eq!(Sealed::from_bytes(&[2; 200]), Err(Error::UnknownFormat(2)));
    }
}
