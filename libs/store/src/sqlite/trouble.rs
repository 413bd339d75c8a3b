//! Which answer of the port an SQLite error is.

use deadpool_sqlite::rusqlite::{self, ErrorCode, ffi};
use deadpool_sqlite::{HookError, InteractError, PoolError};

use crate::trouble::Trouble;

/// Sorts an error. SQLite's own texts name tables and columns, never what rows hold.
pub(super) fn from_sqlite(error: rusqlite::Error) -> Trouble {
    match error.sqlite_error() {
        Some(sqlite) => sort(*sqlite, error),
        // A type that does not fit, a statement that does not compile: not the database's.
        None => Trouble::Corrupt(error.to_string()),
    }
}

fn sort(sqlite: ffi::Error, error: rusqlite::Error) -> Trouble {
    match sqlite.code {
        ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            Trouble::NotWritable(Box::new(error))
        }
        ErrorCode::SystemIoFailure if is_about_writing(sqlite.extended_code) => {
            Trouble::NotWritable(Box::new(error))
        }
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::OutOfMemory
        | ErrorCode::OperationInterrupted
        | ErrorCode::FileLockingProtocolFailed => Trouble::Unavailable(Box::new(error)),
        // With one writer, what a decision saw cannot have changed: it decided wrongly.
        ErrorCode::ConstraintViolation
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::SchemaChanged => Trouble::Corrupt(said(&error)),
        _ => Trouble::Corrupt(said(&error)),
    }
}

/// The error's text alone. rusqlite adds the statement to some of them, which holds no
/// values either, but is long.
fn said(error: &rusqlite::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// A full file system shows itself in many calls.
fn is_about_writing(extended: i32) -> bool {
    [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMMAP,
        ffi::SQLITE_IOERR_SHMOPEN,
    ]
    .contains(&extended)
}

/// No connection.
pub(super) fn from_pool(error: PoolError) -> Trouble {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            from_sqlite(error)
        }
        PoolError::Timeout(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(_) => Trouble::unavailable(error.to_string()),
    }
}

/// The thread did not finish.
pub(super) fn from_interact(error: &InteractError) -> Trouble {
    match error {
        InteractError::Panic(_) => Trouble::corrupt("the store's code panicked"),
        InteractError::Cancelled => Trouble::unavailable("the runtime is shutting down"),
    }
}
