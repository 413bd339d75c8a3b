//! What can go wrong with key rings and their files. Texts name paths and ids, never keys.

use std::io;
use std::path::PathBuf;

use super::text::Syntax;
use crate::key::KeyId;

/// Why a key ring could not be read, written or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("there is no key file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be opened or read.
    #[error("cannot read the key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may read or change the file.
    #[error(
        "the key file {} may be used by others (its mode is {mode:04o}): set it to 0600",
        path.display()
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key ring.
    #[error("the key file {} is wrong", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        source: Syntax,
    },
    /// The file is already there; a key file is never overwritten.
    #[error("{} is already there", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written. What was there before is still there.
    #[error("cannot write the key file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else is changing a key file in the same folder at this moment.
    #[error("the key file {} is being changed by somebody else", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The ring holds as many keys as it may: [`super::MAX_KEYS`].
    #[error("the key ring is full: retire old keys first")]
    Full,
    /// The ring holds no key with this id.
    #[error("the key ring holds no key {0}")]
    UnknownKey(KeyId),
    /// The primary key cannot be retired: nothing could be sealed any more.
    #[error("the key {0} is the primary one: rotate first")]
    Primary(KeyId),
}
