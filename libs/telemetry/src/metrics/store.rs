//! The store: its transactions and its pool of connections.

use std::time::Duration;

use opentelemetry::KeyValue;

use super::instruments::of;

/// A method of the store is over. `error` is the kind of what went wrong.
pub fn transaction(operation: &'static str, error: Option<&'static str>, took: Duration) {
    let operation = KeyValue::new("mailfleet.operation", operation);
    let took = took.as_secs_f64();
    match error {
        None => of().transactions.record(took, &[operation]),
        Some(error) => {
            of().transactions.record(took, &[operation, KeyValue::new("error.type", error)]);
        }
    }
}

/// How a pool of connections is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The pool, such as `postgres` or `sqlite.writer`.
    pub name: &'static str,
    /// Most connections.
    pub max: usize,
    /// Connections that are there.
    pub size: usize,
    /// Of these, the ones that nobody uses.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// Tells how a pool is used.
pub fn pool(pool: Pool) {
    let name = KeyValue::new("db.client.connection.pool.name", pool.name);
    let state = |state| [name.clone(), KeyValue::new("db.client.connection.state", state)];
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    of().pool_count.record(number(pool.idle), &state("idle"));
    of().pool_count.record(number(pool.size.saturating_sub(pool.idle)), &state("used"));
    of().pool_max.record(number(pool.max), std::slice::from_ref(&name));
    of().pool_pending.record(number(pool.waiting), std::slice::from_ref(&name));
}
