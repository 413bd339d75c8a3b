//! What a worker shows of itself to the process around it: readiness and a few numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mailfleet_engine::fence::Standing;
use mailfleet_engine::worker::Load;
use mailfleet_telemetry::metrics;
use mailfleet_vault::Error as SealError;
use tokio::sync::watch;

/// A handle on a worker's state. Cheap to clone; outlives the worker.
#[derive(Debug, Clone)]
pub struct Health {
    state: watch::Receiver<State>,
    unsealing: Arc<Unsealing>,
}

/// How a worker is, a quarter of a second ago at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// What it may do, as far as the broker is concerned.
    pub standing: Standing,
    /// What it has in its hands.
    pub load: Load,
}

/// How often a credential could not be opened, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnsealFailures {
    /// Sealed to a key that this worker does not have: its ring is older, or the key was
    /// retired too early.
    pub unknown_key: u64,
    /// The seal holds, but for another mailbox, server or use.
    pub wrong_use: u64,
    /// The seal does not hold, or there was none.
    pub damaged: u64,
}

/// Counts what [`UnsealFailures`] shows.
#[derive(Debug, Default)]
pub(crate) struct Unsealing {
    unknown_key: AtomicU64,
    wrong_use: AtomicU64,
    damaged: AtomicU64,
}

impl State {
    /// Nothing is connected yet.
    pub(crate) const BEGINNING: Self = Self {
        standing: Standing::Lost,
        load: Load { shards: 0, running: 0, bulk_places: 0, beginning: true, draining: false },
    };
}

impl Health {
    pub(crate) fn new(state: watch::Receiver<State>, unsealing: Arc<Unsealing>) -> Self {
        Self { state, unsealing }
    }

    /// How the worker is.
    #[must_use]
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Whether it starts legs: what a readiness probe asks. A worker is ready some seconds after
    /// it has connected, once it has listened to the others and has the settings of its shards.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let State { standing, load } = self.state();
        standing == Standing::Sure && !load.beginning && !load.draining
    }

    /// Waits until the state is as wanted; `false` if the worker ended before.
    pub async fn wait_until(&mut self, wanted: impl FnMut(&State) -> bool) -> bool {
        self.state.wait_for(wanted).await.is_ok()
    }

    /// How often a credential could not be opened since the start.
    #[must_use]
    pub fn unseal_failures(&self) -> UnsealFailures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UnsealFailures {
            unknown_key: read(&self.unsealing.unknown_key),
            wrong_use: read(&self.unsealing.wrong_use),
            damaged: read(&self.unsealing.damaged),
        }
    }
}

impl Unsealing {
    pub(crate) fn count(&self, error: SealError) {
        let (why, counter) = match error {
            SealError::UnknownKey(_) => ("unknown_key", &self.unknown_key),
            SealError::WrongBinding => ("wrong_use", &self.wrong_use),
            SealError::Tampered
            | SealError::Malformed
            | SealError::UnknownFormat(_)
            | SealError::SecretTooLong
            | SealError::UnusableKey(_) => ("damaged", &self.damaged),
        };
        metrics::unseal_failed(why);
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
