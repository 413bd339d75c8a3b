//! Loops that never end silently: one that ends or panics is told and started again.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// First and longest pause before a loop is started again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A loop that ran for so long is not to be paused for what it did before.
const STEADY: Duration = Duration::from_secs(60);

/// Runs what `make` makes until `end`, over and over.
pub(crate) fn supervise<F>(
    loops: &mut JoinSet<()>,
    end: &CancellationToken,
    name: &'static str,
    make: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let end = end.clone();
    loops.spawn(async move {
        let mut pause = PAUSE.0;
        loop {
            let began = Instant::now();
            // A task of its own, so that a panic ends only it.
            let task = AbortOnDropHandle::new(tokio::spawn(make()));
            let ended = tokio::select! {
                ended = task => ended,
                () = end.cancelled() => return,
            };
            match ended {
                Ok(()) => tracing::error!(name, "a loop has ended, starting it again"),
                Err(error) => {
                    tracing::error!(name, error = %error, "a loop has died, starting it again");
                }
            }
            if STEADY <= began.elapsed() {
                pause = PAUSE.0;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = end.cancelled() => return,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_dies_is_started_again_after_growing_pauses() {
        let (mut loops, end) = (JoinSet::new(), CancellationToken::new());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervise(&mut loops, &end, "test", move || {
            let counted = Arc::clone(&counted);
            async move {
                if counted.fetch_add(1, Ordering::SeqCst) == 1 {
                    panic!("on purpose");
                }
            }
        });
        // 0, 100 ms, 300 ms, 700 ms, 1.5 s: five starts within two seconds.
        sleep(Duration::from_secs(2)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 5);
        end.cancel();
        assert!(loops.join_next().await.is_some_and(|ended| ended.is_ok()));
    }
}
