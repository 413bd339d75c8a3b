//! Keys and their ids.
//!
//! Private keys are wiped when dropped, have no `Debug` and are written out in one
//! place only: the text of a key file.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use hpke::{Deserializable as _, Kem as _, Serializable as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::suite::{Kem, PrivateKey, PublicKey};

/// Names a key: the first 8 bytes of the SHA-256 of the public key, as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

/// A text is not a key id: 16 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 16 hexadecimal digits")]
pub struct InvalidKeyId;

/// What may be told about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: KeyId,
    /// When it was made, to the second.
    pub created: SystemTime,
    /// Whether new credentials are sealed to it; the others only open.
    pub primary: bool,
}

/// The half of a key that seals.
pub(crate) struct Sealing {
    pub(crate) id: KeyId,
    /// Seconds since 1970.
    pub(crate) created: u32,
    pub(crate) public: PublicKey,
}

/// The half of a key that opens.
pub(crate) struct Opening {
    pub(crate) id: KeyId,
    pub(crate) private: PrivateKey,
}

impl KeyId {
    pub(crate) const LENGTH: usize = 8;

    pub(crate) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    fn of(public: &PublicKey) -> Self {
        let digest = Sha256::digest(public.to_bytes());
        Self(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 2 * Self::LENGTH || !text.bytes().all(digit) {
            return Err(InvalidKeyId);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| InvalidKeyId)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl Sealing {
    pub(crate) fn new(public: PublicKey, created: u32) -> Self {
        Self { id: KeyId::of(&public), created, public }
    }

    /// Reads the 32 bytes of RFC 7748; `None` if there are more or less.
    pub(crate) fn from_bytes(bytes: &[u8], created: u32) -> Option<Self> {
        Some(Self::new(PublicKey::from_bytes(bytes).ok()?, created))
    }

    pub(crate) fn to_bytes(&self) -> [u8; 32] {
        self.public.to_bytes().into()
    }
}

impl Opening {
    /// Makes a key pair from the system's randomness.
    pub(crate) fn generate(created: u32) -> (Self, Sealing) {
        let (private, public) = Kem::gen_keypair();
        let sealing = Sealing::new(public, created);
        (Self { id: sealing.id, private }, sealing)
    }

    /// Reads the 32 bytes of RFC 7748; `None` if there are more or less.
    pub(crate) fn from_bytes(bytes: &[u8], created: u32) -> Option<(Self, Sealing)> {
        let private = PrivateKey::from_bytes(bytes).ok()?;
        let sealing = Sealing::new(Kem::sk_to_pk(&private), created);
        Some((Self { id: sealing.id, private }, sealing))
    }

    /// The bytes of a key file; for nothing else.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.private.write_exact(&mut *bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_read_as_it_is_written() {
        let id = KeyId::from_bytes([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(id));
        let odd = ["", "0001", "+0010203fcfdfeff", "00010203FCFDFEFF", "00010203fcfdfeff0"];
        for text in odd {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text:?}");
        }
    }

    #[test]
    fn a_private_key_survives_its_bytes() {
        let (opening, sealing) = Opening::generate(7);
        let (again, public) = Opening::from_bytes(&*opening.to_bytes(), 7).expect("32 bytes");
        assert_eq!(again.id, opening.id);
        assert_eq!(public.to_bytes(), sealing.to_bytes());
        assert!(Opening::from_bytes(&[1; 31], 7).is_none());
        assert!(Sealing::from_bytes(&[1; 33], 7).is_none());
    }
}
