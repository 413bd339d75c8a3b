//! SQLite: one file, one writer, no server.

mod open;
mod remote;
mod transaction;
mod trouble;

use std::path::Path;
use std::time::Duration;

use deadpool_sqlite::Pool;
use mailfleet_model::fleet::StoreError;
use mailfleet_telemetry::metrics::Clock;
use tokio::time::timeout;

use crate::config::Config;
use crate::error::Error;
use crate::port::SqlStore;
use crate::sqlite::transaction::perform;
use crate::sqlite::trouble::from_pool;
use crate::told::told;
use crate::trouble::Trouble;
use crate::tx::{Access, Backend, Work};

/// The store in an SQLite file.
pub type SqliteStore = SqlStore<Sqlite>;

impl SqliteStore {
    /// Opens the file, or makes it, readable by its owner only, and brings its tables up to
    /// date. `:memory:` is a store that ends with the process.
    pub async fn open(path: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        let pools = open::open(path.as_ref(), &config).await?;
        let backend = Sqlite { pools, deadline: config.deadline };
        Ok(Self { backend, defaults: config.defaults })
    }
}

/// An open SQLite file.
pub struct Sqlite {
    pools: Pools,
    deadline: Duration,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

/// Connections: one that writes, so that writers queue here, in order, rather than in
/// SQLite, which lets them collide; and some that read meanwhile.
struct Pools {
    writer: Pool,
    /// The same pool in memory, where a second connection would be a second database.
    readers: Pool,
}

impl Backend for Sqlite {
    async fn perform<W: Work>(
        &self,
        work: W,
        decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    ) -> Result<W::Output, StoreError> {
        let clock = Clock::new();
        let (name, pool) = match W::ACCESS {
            Access::Look | Access::Snapshot => ("sqlite.readers", &self.pools.readers),
            Access::Touch | Access::Change | Access::Note => ("sqlite.writer", &self.pools.writer),
        };
        // A caller that gives up makes the transaction's thread roll back.
        let done = timeout(self.deadline, async {
            // In a task of its own: the pool throws a connection away that a caller gives up
            // on its way out, and with the only one goes a database in memory.
            let pool = pool.clone();
            let getting = tokio::spawn(async move { pool.get().await });
            let got = getting.await.map_err(Trouble::unavailable)?;
            let connection = got.map_err(from_pool)?;
            perform(&connection, work, decide, self.deadline).await
        });
        let done =
            done.await.unwrap_or_else(|_| Err(Trouble::unavailable("the deadline has passed")));
        let done = done.map_err(|trouble| trouble.into_error(W::OPERATION));
        told::<W, _>(name, pool.status(), clock, done)
    }
}
