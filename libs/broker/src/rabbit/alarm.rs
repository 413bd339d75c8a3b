//! How long the broker refuses publications because of an alarm, for operators.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailfleet_telemetry::metrics;
use tokio::time::Instant;

/// Sees an alarm when something is to be published, which happens every second.
#[derive(Debug)]
pub(super) struct Alarm(Mutex<Option<Instant>>);

impl Alarm {
    pub(super) fn new() -> Self {
        metrics::blocked(false, Duration::ZERO);
        Self(Mutex::default())
    }

    /// Something is to be published now.
    pub(super) fn seen(&self, blocked: bool) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked || since.is_some() {
            metrics::blocked(blocked, since.map_or(Duration::ZERO, |since| since.elapsed()));
            *since = blocked.then(Instant::now);
        }
    }
}
