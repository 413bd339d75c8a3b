//! A line to the broker: a wire, and another one after it has ended.
//!
//! Our own supervisor, in place of the library's recovery: that one would take up a
//! consumer again behind our back and so hide that the lock was lost. It connects when
//! somebody needs it, waits longer after every failure, and runs no task.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::Settings;
use super::trouble::Trouble;
use super::wire::Wire;

/// Pause after the first failure, and the longest one. Short enough that a fleet is back
/// soon after its broker, long enough that a thousand processes do not keep it down.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A line.
pub(super) struct Line {
    settings: Arc<Settings>,
    /// What the broker's operator sees: whose line it is and what for.
    name: String,
    wire: Mutex<Option<Arc<Wire>>>,
    connecting: tokio::sync::Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    pause: Duration,
    not_before: Option<Instant>,
}

impl Line {
    pub(super) fn new(settings: &Arc<Settings>, owner: &str, purpose: &str) -> Arc<Self> {
        Arc::new(Self {
            settings: Arc::clone(settings),
            name: format!("mailfleet {owner} {purpose}"),
            wire: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// The wire that is live, if any.
    pub(super) fn live(&self) -> Option<Arc<Wire>> {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        if wire.as_ref().is_some_and(|wire| !wire.is_live()) {
            *wire = None;
        }
        wire.clone()
    }

    /// The wire that is live, or a new one. The caller bounds the wait. Cancel-safe.
    pub(super) async fn wire(&self) -> Result<Arc<Wire>, Trouble> {
        if let Some(wire) = self.live() {
            return Ok(wire);
        }
        let mut failures = self.connecting.lock().await;
        // Whoever waited for the lock may find the work done.
        if let Some(wire) = self.live() {
            return Ok(wire);
        }
        if let Some(not_before) = failures.not_before {
            tokio::time::sleep_until(not_before).await;
        }
        // Counted beforehand: an attempt that is given up has failed as well.
        failures.count();
        // Boxed: a handshake's state is large, and every call that may need one would hold it.
        match Box::pin(Wire::open(&self.settings, self.name.clone())).await {
            Ok(wire) => {
                *failures = Failures::default();
                *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&wire));
                tracing::debug!(line = self.name, "broker.connected");
                Ok(wire)
            }
            Err(trouble) => {
                let trouble_text: &dyn std::error::Error = &trouble;
                tracing::warn!(line = self.name, error = trouble_text, "broker.unreachable");
                Err(trouble)
            }
        }
    }

    /// Ends the wire that is live, at once. The next one is made when it is needed.
    pub(super) fn kill(&self) {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(wire) = wire {
            wire.kill();
        }
    }
}

impl Failures {
    fn count(&mut self) {
        let (first, longest) = PAUSES;
        self.pause = (self.pause * 2).clamp(first, longest);
        // Half of it by chance, so that processes that failed together come back apart.
        let jitter = rand::rng().random_range(0.5..=1.0);
        self.not_before = Some(Instant::now() + self.pause.mul_f64(jitter));
    }
}
