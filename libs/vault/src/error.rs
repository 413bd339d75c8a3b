//! What can go wrong with a sealed credential. All of it is ours, never the mailbox's.
//!
//! The texts name keys and versions, never content: they may be logged.
//! Callers turn any failure to open into the fault `CREDENTIAL_UNSEAL_FAILED`.

use crate::key::KeyId;

/// Why a credential could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key of the ring has this id: it was retired, or the rings of gateway and
    /// worker differ.
    #[error("the credential is sealed to the key {0}, which this key ring does not hold")]
    UnknownKey(KeyId),
    /// The seal does not hold: bytes were damaged or changed on the way.
    #[error("the sealed credential was damaged or changed")]
    Tampered,
    /// The seal holds, but it was made for another tenant, mailbox, credential version,
    /// user, server, certificate policy or purpose.
    #[error("the credential was sealed for another use")]
    WrongBinding,
    /// The bytes are too short or too long for a sealed credential, or what was sealed
    /// is not a credential.
    #[error("the bytes are not a sealed credential")]
    Malformed,
    /// A version of the format that this program does not know, probably a newer one.
    #[error("the credential is sealed in format {0}, which this version does not know")]
    UnknownFormat(u8),
    /// The secret is longer than [`crate::Sealed::MAX_SECRET`].
    #[error("the secret is too long to be sealed")]
    SecretTooLong,
    /// The public key cannot be sealed to; only a forged key ring contains such a key.
    #[error("nothing can be sealed to the key {0}")]
    UnusableKey(KeyId),
}
