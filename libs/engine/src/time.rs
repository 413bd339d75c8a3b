//! The clock of a worker: monotonic, and nobody else's.
//!
//! Limits, fences and waits are measured on it. It must go on while the machine is
//! suspended (`CLOCK_BOOTTIME` on Linux), so that a worker that wakes up knows at once
//! that its lock is gone. It is never compared with another process's.

use std::time::Duration;

/// Time since a moment that the process chose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// This time plus a duration; stops at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; zero if it is yet to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
