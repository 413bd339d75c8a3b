//! Notes what the broker has confirmed: many legs in one transaction.
//!
//! Never in anybody's way: a leg that is not marked is published again, to be asked for. And
//! never in haste: of a leg that ends meanwhile nothing is noted, and most do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_model::fleet::{Dispatch, GatewayQueue, LegId, Store};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::gateway::Gateway;

/// Most legs that wait to be marked: more than are ever out at once.
const MOST: usize = 100_000;
/// Most legs of one transaction.
const TOGETHER: usize = 256;
/// How long the first of a transaction's legs waits for others, or for its end: a small part of
/// the time after which a leg would be published again.
const PAUSE: Duration = Duration::from_millis(500);

/// Legs that are to be marked.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    legs: Mutex<Vec<(LegId, Dispatch)>>,
    added: Notify,
}

impl Marks {
    pub(crate) fn add(&self, leg: LegId, dispatch: Dispatch) {
        let mut legs = self.legs();
        if legs.len() < MOST {
            legs.push((leg, dispatch));
        }
        drop(legs);
        self.added.notify_one();
    }

    /// What is to be marked together next. Cancel-safe. For one caller at a time.
    async fn next(&self) -> Vec<(LegId, Dispatch)> {
        let mut has_paused = false;
        loop {
            let n_waiting = self.legs().len();
            if n_waiting == 0 {
                self.added.notified().await;
            } else if n_waiting < TOGETHER && !has_paused {
                sleep(PAUSE).await;
                has_paused = true;
            } else {
                return self.take();
            }
        }
    }

    fn take(&self) -> Vec<(LegId, Dispatch)> {
        let mut legs = self.legs();
        let together = legs.len().min(TOGETHER);
        let rest = legs.split_off(together);
        std::mem::replace(&mut *legs, rest)
    }

    fn legs(&self) -> MutexGuard<'_, Vec<(LegId, Dispatch)>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks for ever. What arrives during one transaction is the next one's.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        let legs = gateway.marks.next().await;
        gateway.mark(&legs).await;
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Marks at once what still waits: a gateway that leaves has no time to.
    pub(crate) async fn mark_the_rest(&self) {
        loop {
            let legs = self.marks.take();
            if legs.is_empty() {
                return;
            }
            self.mark(&legs).await;
        }
    }

    async fn mark(&self, legs: &[(LegId, Dispatch)]) {
        match self.store.mark_published(legs).await {
            Ok(()) => self.troubles.mark.is_over(),
            Err(error) => self.troubles.mark.begins(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use mailfleet_model::JobId;
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn legs_are_marked_together_in_their_order_and_each_once() {
        let marks = Marks::default();
        let leg = |number| LegId { job: JobId(Uuid::from_u128(number)), index: 0 };
        for number in 0..300 {
            marks.add(leg(number), Dispatch(1));
        }
        let first = marks.next().await;
        assert_eq!(first.len(), TOGETHER);
        assert_eq!(first.first(), Some(&(leg(0), Dispatch(1))));
        assert!(marks.next().now_or_never().is_none(), "the rest waits for company");
        let second = marks.next().await;
        assert_eq!(second.len(), 300 - TOGETHER);
        assert_eq!(second.last(), Some(&(leg(299), Dispatch(1))));
        assert!(marks.next().now_or_never().is_none(), "nothing is left");
    }
}
