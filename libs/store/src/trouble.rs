//! What can go wrong inside the store, before it becomes the port's error.
//!
//! Texts of the drivers may quote what a row holds (`DETAIL: Failing row contains …`), so
//! the backends keep only codes and words that do not.

use std::error::Error;
use std::fmt;

use mailfleet_model::fleet::StoreError;

type Source = Box<dyn Error + Send + Sync>;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The transaction lost against another one and may win if it is repeated.
    Conflict(Source),
    /// A row of this key was written meanwhile: whoever decides again sees it, unless the
    /// decision was wrong.
    Duplicate(String),
    /// The database cannot be reached, or did not answer in time.
    Unavailable(Source),
    /// The database is full or read-only.
    NotWritable(Source),
    /// Something makes no sense.
    Corrupt(String),
}

impl Trouble {
    pub(crate) fn corrupt(what: impl fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    pub(crate) fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable(source.into())
    }

    /// The port's error.
    pub(crate) fn into_error(self, operation: &'static str) -> StoreError {
        match self {
            Self::Conflict(source) | Self::Unavailable(source) => {
                StoreError::Unavailable { operation, source }
            }
            Self::NotWritable(source) => StoreError::NotWritable { operation, source },
            Self::Duplicate(what) | Self::Corrupt(what) => StoreError::Corrupt { operation, what },
        }
    }
}
