//! PostgreSQL 15 and newer: row locks, and transactions that are repeated when they lose.

mod connect;
mod migration;
mod session;
mod tls;
mod transaction;
mod trouble;
mod url;

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Pool;
use mailfleet_model::Secret;
use mailfleet_model::fleet::StoreError;
use mailfleet_telemetry::metrics::Clock;

use crate::config::Config;
use crate::error::Error;
use crate::port::SqlStore;
use crate::postgres::transaction::perform;
use crate::told::told;
use crate::tx::{Backend, Work};

/// The store in a PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

impl PostgresStore {
    /// Connects, and brings the tables up to date, in the first schema of the search path.
    ///
    /// The URL is `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…` with the parameters that
    /// libpq knows. Certificates are always verified, names included, where TLS is spoken:
    /// with `sslmode=require` and stricter, with `prefer` where the server offers it, and
    /// without the parameter to every host but loopback ones and Unix sockets.
    pub async fn open(url: &Secret, config: Config) -> Result<Self, Error> {
        let settings = url::parse(url)?;
        let tls = tls::connector(config.roots_pem.as_deref())?;
        migration::run(&settings, tls.clone(), config.deadline).await?;
        let pool = connect::pool(settings, tls, &config)?;
        let backend = Postgres { pool, deadline: config.deadline };
        Ok(Self { backend, defaults: config.defaults })
    }
}

/// A PostgreSQL database.
pub struct Postgres {
    pool: Pool,
    deadline: Duration,
}

/// Shows nothing of the URL.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Backend for Postgres {
    async fn perform<W: Work>(
        &self,
        work: W,
        decide: impl Fn(&W::View) -> W::Answer + Send + Sync,
    ) -> Result<W::Output, StoreError> {
        let clock = Clock::new();
        // Boxed: it is by far the largest part of every future that waits for the store.
        let done = Box::pin(perform(&self.pool, &work, decide, self.deadline)).await;
        let done = done.map_err(|trouble| trouble.into_error(W::OPERATION));
        told::<W, _>("postgres", self.pool.status(), clock, done)
    }
}
