//! Which answer of the port a PostgreSQL error is.
//!
//! The server's details and hints quote rows (`DETAIL: Failing row contains …`) and are
//! dropped, and so are the texts of classes that quote values or logins.

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::trouble::Trouble;

/// What the server said, as far as it may be repeated.
#[derive(Debug, thiserror::Error)]
#[error("{text} ({code})")]
struct Said {
    code: String,
    text: String,
}

/// Sorts an error.
pub(super) fn from_postgres(error: Error) -> Trouble {
    match error.as_db_error() {
        Some(said) => sort(said),
        // The connection: whether anything has happened is not known.
        None => Trouble::Unavailable(Box::new(error)),
    }
}

fn sort(error: &DbError) -> Trouble {
    let code = error.code();
    let said = Box::new(repeat(error));
    let is_lost = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    if is_lost.contains(code) {
        return Trouble::Conflict(said);
    }
    if *code == SqlState::UNIQUE_VIOLATION {
        return Trouble::Duplicate(said.to_string());
    }
    let is_not_writable = [
        SqlState::DISK_FULL,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if is_not_writable.contains(code) {
        return Trouble::NotWritable(said);
    }
    match code.code().get(..2) {
        // Connections, logins, databases, resources, locks, an operator, the system.
        Some("08" | "28" | "3D" | "53" | "55" | "57" | "58" | "25" | "40") => {
            Trouble::Unavailable(said)
        }
        _ => Trouble::Corrupt(said.to_string()),
    }
}

fn repeat(error: &DbError) -> Said {
    let code = error.code().code().to_owned();
    let text = match code.get(..2) {
        Some("28") => "the server refused the login".to_owned(),
        Some("3D") => "the server has no such database".to_owned(),
        Some("22") => "the server refused a value".to_owned(),
        Some("23") => match error.constraint() {
            Some(constraint) => format!("a row breaks {constraint}"),
            None => "a row breaks a constraint".to_owned(),
        },
        _ => error.message().to_owned(),
    };
    Said { code, text }
}

/// No connection.
pub(super) fn from_pool(error: PoolError) -> Trouble {
    match error {
        PoolError::Backend(error) => from_postgres(error),
        PoolError::PostCreateHook(deadpool_postgres::HookError::Backend(error)) => {
            from_postgres(error)
        }
        PoolError::Timeout(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(_) => Trouble::unavailable("no connection became free in time"),
    }
}
