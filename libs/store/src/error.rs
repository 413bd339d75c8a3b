//! Why a store could not be opened. What it then answers is the port's `StoreError`.

use std::fmt;

use mailfleet_model::fleet::StoreError;

/// Why a store could not be opened. Holds no part of the URL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The authorities to be trusted cannot be used.
    #[error("the authorities for the database's certificate cannot be used")]
    Roots {
        /// What is wrong with them.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tables could not be brought up to date.
    #[error("the store's tables cannot be brought up to date")]
    Migrate {
        /// What the migration said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store's URL cannot be used. Says nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUrl {
    /// It begins like no store that is known.
    Scheme,
    /// It begins like PostgreSQL's and goes on like none.
    Postgres,
    /// `sqlite:` without a file.
    File,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the store's URL is not sqlite:FILE, sqlite::memory: or postgres://…",
            Self::Postgres => "the store's URL is not postgres://USER:PASSWORD@HOST:PORT/DATABASE",
            Self::File => "the store's URL names no file after sqlite:",
        })
    }
}

impl std::error::Error for InvalidUrl {}
