//! Notes what the broker has confirmed: many legs in one transaction.
//!
//! Never in anybody's way: a leg that is not marked is published again, to be asked for.

use std::sync::{Arc, Mutex, PoisonError};

use mailfleet_model::fleet::{Dispatch, GatewayQueue, LegId, Store};
use tokio::sync::Notify;

use crate::gateway::Gateway;

/// Most legs that wait to be marked: more than are ever out at once.
const MOST: usize = 100_000;
/// Most legs of one transaction.
const TOGETHER: usize = 256;

/// Legs that are to be marked.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    legs: Mutex<Vec<(LegId, Dispatch)>>,
    added: Notify,
}

impl Marks {
    pub(crate) fn add(&self, leg: LegId, dispatch: Dispatch) {
        let mut legs = self.legs.lock().unwrap_or_else(PoisonError::into_inner);
        if legs.len() < MOST {
            legs.push((leg, dispatch));
        }
        drop(legs);
        self.added.notify_one();
    }

    /// What is to be marked together next. Cancel-safe. For one caller at a time.
    async fn next(&self) -> Vec<(LegId, Dispatch)> {
        loop {
            let next = self.take();
            if !next.is_empty() {
                return next;
            }
            self.added.notified().await;
        }
    }

    fn take(&self) -> Vec<(LegId, Dispatch)> {
        let mut legs = self.legs.lock().unwrap_or_else(PoisonError::into_inner);
        let together = legs.len().min(TOGETHER);
        let rest = legs.split_off(together);
        std::mem::replace(&mut *legs, rest)
    }
}

/// Marks for ever. What arrives during one transaction is the next one's.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        let legs = gateway.marks.next().await;
        if let Err(error) = gateway.store.mark_published(&legs).await {
            gateway.troubles.mark.begins(&error);
        } else {
            gateway.troubles.mark.is_over();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use mailfleet_model::JobId;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn legs_are_marked_together_in_their_order_and_each_once() {
        let marks = Marks::default();
        let leg = |number| LegId { job: JobId(Uuid::from_u128(number)), index: 0 };
        for number in 0..300 {
            marks.add(leg(number), Dispatch(1));
        }
        let first = marks.next().await;
        assert_eq!(first.len(), TOGETHER);
        assert_eq!(first.first(), Some(&(leg(0), Dispatch(1))));
        let second = marks.next().await;
        assert_eq!(second.len(), 300 - TOGETHER);
        assert_eq!(second.last(), Some(&(leg(299), Dispatch(1))));
        assert!(marks.next().now_or_never().is_none(), "nothing is left");
    }
}
