//! Opens the file and sets up every connection to it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use deadpool_sqlite::{Hook, HookError, Pool, PoolConfig, Runtime, rusqlite};
use mailfleet_model::fleet::Timestamp;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::config::Config;
use crate::error::Error;
use crate::migrate;
use crate::sqlite::Pools;
use crate::sqlite::trouble::{from_interact, from_pool};
use crate::trouble::Trouble;

/// What errors call it.
const OPERATION: &str = "open the database";

/// Times that a migration is tried: another process that opens the same new file at the
/// same moment makes one fail, and has then done the work.
const TRIES: u32 = 20;

/// Pause between two of them: a migration takes a few milliseconds.
const PAUSE: Duration = Duration::from_millis(50);

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 128;

/// Pages of the file that the writer keeps, in KiB: what dispatch reads again and again
/// stays there beside what passes by.
const CACHE_KIB: i64 = 16 * 1024;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
}

pub(super) async fn open(path: &Path, config: &Config) -> Result<Pools, Error> {
    let is_memory = path == Path::new(":memory:");
    if !is_memory {
        make(path).map_err(|error| Trouble::unavailable(error).into_error(OPERATION))?;
    }
    let writer = pool(path, 1, Role::Writer, config.deadline)?;
    migrate(&writer).await?;
    let readers = if is_memory {
        writer.clone()
    } else {
        pool(path, config.n_connections.max(1), Role::Reader, config.deadline)?
    };
    Ok(Pools { writer, readers })
}

/// Makes the file if there is none, before SQLite would, so that nobody else can read it.
/// The files beside it get the same mode from SQLite.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn pool(path: &Path, size: usize, role: Role, deadline: Duration) -> Result<Pool, Error> {
    let mut settings = PoolConfig::new(size);
    settings.timeouts.wait = Some(deadline);
    let mut config = deadpool_sqlite::Config::new(path);
    config.pool = Some(settings);
    let impossible = |error: &dyn std::fmt::Display| {
        let what = format!("the pool was refused: {error}");
        Error::Store(Trouble::Corrupt(what).into_error(OPERATION))
    };
    let builder = config.builder(Runtime::Tokio1).map_err(|error| impossible(&error))?;
    let prepare = Hook::async_fn(move |connection, _| {
        Box::pin(async move {
            let prepared = connection.interact(move |sqlite| set_up(sqlite, role, deadline)).await;
            match prepared {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(HookError::Backend(error)),
                Err(error) => Err(HookError::message(error.to_string())),
            }
        })
    });
    builder.post_create(prepare).build().map_err(|error| impossible(&error))
}

/// Sets up one connection.
///
/// `synchronous = FULL` flushes the log at every commit: what was accepted survives a power
/// cut. `secure_delete` overwrites what is deleted, since it was people's data.
fn set_up(sqlite: &mut Connection, role: Role, deadline: Duration) -> rusqlite::Result<()> {
    sqlite.busy_timeout(deadline)?;
    sqlite.set_prepared_statement_cache_capacity(STATEMENTS);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    sqlite.create_scalar_function("mailfleet_now", 0, flags, |_| Ok(now()))?;
    sqlite.pragma_update(None, "foreign_keys", true)?;
    match role {
        Role::Writer => {
            sqlite.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            sqlite.pragma_update(None, "synchronous", "FULL")?;
            sqlite.pragma_update(None, "cache_size", -CACHE_KIB)?;
            sqlite.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))
        }
        Role::Reader => sqlite.pragma_update(None, "query_only", true),
    }
}

/// The store's clock: this machine's, which all users of the file share.
fn now() -> i64 {
    i64::try_from(Timestamp::from(SystemTime::now()).0).unwrap_or(i64::MAX)
}

async fn migrate(writer: &Pool) -> Result<(), Error> {
    let mut tries = 1;
    // Switching a new file to its log fails, too, while another process does it.
    let connection = loop {
        match writer.get().await {
            Ok(connection) => break connection,
            Err(_) if tries < TRIES => tries += 1,
            Err(error) => return Err(from_pool(error).into_error(OPERATION).into()),
        }
        tokio::time::sleep(PAUSE).await;
    };
    loop {
        let done = connection.interact(|sqlite| migrate::of_sqlite().run(sqlite).map(|_| ()));
        match done.await.map_err(|error| from_interact(&error).into_error(OPERATION))? {
            Ok(()) => return Ok(()),
            Err(_) if tries < TRIES => tries += 1,
            Err(error) => return Err(Error::Migrate { source: Box::new(error) }),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
