//! Whichever database the URL names.

use mailfleet_model::Secret;
use mailfleet_model::fleet::StoreError;

use crate::config::Config;
use crate::error::{Error, InvalidUrl};
use crate::port::SqlStore;
use crate::postgres::{Postgres, PostgresStore};
use crate::sqlite::{Sqlite, SqliteStore};
use crate::tx::{Backend, Work};

/// The store that a URL names.
pub type AnyStore = SqlStore<AnyDatabase>;

impl AnyStore {
    /// Opens `sqlite:FILE`, `sqlite::memory:` or `postgres://…`
    /// ([`PostgresStore::open`]).
    pub async fn open(url: &Secret, config: Config) -> Result<Self, Error> {
        let text = str::from_utf8(url.expose()).map_err(|_| InvalidUrl::Scheme)?;
        if let Some(file) = text.strip_prefix("sqlite:") {
            if file.is_empty() {
                return Err(InvalidUrl::File.into());
            }
            let SqlStore { backend, defaults } = SqliteStore::open(file, config).await?;
            return Ok(Self { backend: AnyDatabase(Either::Sqlite(backend)), defaults });
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(InvalidUrl::Scheme.into());
        }
        let SqlStore { backend, defaults } = PostgresStore::open(url, config).await?;
        Ok(Self { backend: AnyDatabase(Either::Postgres(backend)), defaults })
    }
}

/// One of the databases.
#[derive(Debug)]
pub struct AnyDatabase(Either);

#[derive(Debug)]
enum Either {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Backend for AnyDatabase {
    async fn perform<W: Work>(
        &self,
        work: W,
        decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    ) -> Result<W::Output, StoreError> {
        match &self.0 {
            Either::Sqlite(sqlite) => sqlite.perform(work, decide).await,
            Either::Postgres(postgres) => postgres.perform(work, decide).await,
        }
    }
}
