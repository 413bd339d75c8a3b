//! Trouble that lasts is told once when it begins and once when it is over.
//!
//! A store that is away fails every loop many times a second; a log that repeats it hides
//! everything else.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use mailfleet_telemetry::chain;

/// Whether something works that should.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What does not work, such as `collecting results`.
    what: &'static str,
    lasts: AtomicBool,
}

impl Trouble {
    pub(crate) fn with(what: &'static str) -> Self {
        Self { what, lasts: AtomicBool::new(false) }
    }

    /// It failed. Told if it worked before.
    pub(crate) fn begins(&self, error: &(dyn Error + 'static)) {
        let what = self.what;
        if self.lasts.swap(true, Ordering::Relaxed) {
            tracing::debug!(what, error = %chain(error), "still failing");
        } else {
            tracing::warn!(what, error = %chain(error), "failing, trying again until it works");
        }
    }

    /// It worked. Told if it failed before.
    pub(crate) fn is_over(&self) {
        if self.lasts.swap(false, Ordering::Relaxed) {
            tracing::info!(what = self.what, "working again");
        }
    }

    /// Whether it failed the last time.
    pub(crate) fn lasts(&self) -> bool {
        self.lasts.load(Ordering::Relaxed)
    }
}
