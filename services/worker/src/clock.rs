//! The worker's clock, and the line behind which nobody may dial.
//!
//! `CLOCK_BOOTTIME` goes on while the machine sleeps, unlike the clock of the runtime's
//! timers: a worker that was suspended knows with its first look that its locks are gone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use mailfleet_engine::Monotonic;
use nix::time::{ClockId, clock_gettime};

/// The time now.
pub(crate) fn now() -> Monotonic {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    Monotonic(Duration::from(time))
}

/// When all sockets have to be closed, as the engine said last; shared with every leg.
#[derive(Debug, Clone, Default)]
pub(crate) struct FenceLine(Arc<AtomicU64>);

impl FenceLine {
    /// Takes over what the engine says; `None`: there is no connection to the broker.
    pub(crate) fn set(&self, abort_at: Option<Monotonic>) {
        let nanos = |at: Monotonic| u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(abort_at.map_or(0, nanos), Ordering::Release);
    }

    /// Whether a leg may still say something to a server.
    pub(crate) fn is_open(&self) -> bool {
        now().0 < Duration::from_nanos(self.0.load(Ordering::Acquire))
    }
}

/// Lets a leg go on in front of the line only: behind it, it is never polled again, and so says
/// nothing more to its server, whatever wakes up first after a suspension. It waits there to be
/// ended from outside.
pub(crate) async fn fenced<T>(line: &FenceLine, leg: impl Future<Output = T>) -> T {
    let mut leg = pin!(leg);
    poll_fn(|context| if line.is_open() { leg.as_mut().poll(context) } else { Poll::Pending }).await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_leg_does_nothing_more_behind_the_line() {
        let (line, said) = (FenceLine::default(), AtomicU64::new(0));
        line.set(Some(now().plus(Duration::from_secs(60))));
        let leg = poll_fn(|_| {
            said.fetch_add(1, Ordering::Relaxed);
            Poll::<()>::Pending
        });
        let mut leg = Box::pin(fenced(&line, leg));
        assert!(leg.as_mut().now_or_never().is_none());
        line.set(Some(now()));
        assert!(leg.as_mut().now_or_never().is_none());
        assert_eq!(said.load(Ordering::Relaxed), 1, "it was polled behind the line");
    }

    #[test]
    fn the_line_is_open_until_its_time_and_closed_without_one() {
        let line = FenceLine::default();
        assert!(!line.is_open());
        line.set(Some(now().plus(Duration::from_secs(60))));
        assert!(line.is_open());
        line.set(Some(now()));
        assert!(!line.is_open());
    }
}
