//! What operators are told of every method: how long it took, and how its pool is used.

use deadpool_postgres::Status;
use mailfleet_model::fleet::StoreError;
use mailfleet_telemetry::metrics::{self, Clock, Pool};

use crate::tx::Work;

/// Counts a method that is over, and hands its answer on.
pub(crate) fn told<W: Work, T>(
    pool: &'static str,
    status: Status,
    clock: Clock,
    done: Result<T, StoreError>,
) -> Result<T, StoreError> {
    let error = done.as_ref().err().map(|error| match error {
        StoreError::Unavailable { .. } => "unavailable",
        StoreError::NotWritable { .. } => "not_writable",
        StoreError::Corrupt { .. } => "corrupt",
    });
    metrics::transaction(W::OPERATION, error, clock.elapsed());
    let Status { max_size: max, size, available: idle, waiting } = status;
    metrics::pool(Pool { name: pool, max, size, idle, waiting });
    done
}
