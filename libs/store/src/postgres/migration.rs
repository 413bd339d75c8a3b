//! Brings the tables up to date, one gateway at a time.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Error;
use crate::migrate;
use crate::postgres::trouble::from_postgres;
use crate::trouble::Trouble;

/// What errors call it.
const OPERATION: &str = "bring the tables up to date";

/// Longest migration, waiting for another gateway's included.
const LONGEST: Duration = Duration::from_secs(600);

/// One lock for each schema, so that several deployments may share a database.
const LOCK: &str = "SELECT pg_advisory_lock(hashtext('mailfleet'), hashtext(current_schema()))";

/// Uses a connection of its own: the lock ends with it, whatever happens.
pub(super) async fn run(
    settings: &tokio_postgres::Config,
    tls: MakeRustlsConnect,
    deadline: Duration,
) -> Result<(), Error> {
    let connected = timeout(deadline, settings.connect(tls)).await;
    let connected = connected
        .map_err(|_| Trouble::unavailable("the database did not answer in time"))
        .and_then(|connected| connected.map_err(from_postgres));
    let (mut client, connection) = connected.map_err(|trouble| trouble.into_error(OPERATION))?;
    let line = tokio::spawn(connection);
    let done = timeout(LONGEST, migrate(&mut client)).await;
    drop(client);
    line.abort();
    done.unwrap_or_else(|_| {
        let late = Trouble::unavailable("another migration is running for too long");
        Err(Error::Store(late.into_error(OPERATION)))
    })
}

async fn migrate(client: &mut Client) -> Result<(), Error> {
    let locked = client.batch_execute(LOCK).await;
    locked.map_err(|error| from_postgres(error).into_error(OPERATION))?;
    let done = migrate::of_postgres().run_async(client).await;
    done.map(|_| ()).map_err(|error| Error::Migrate { source: Box::new(error) })
}
