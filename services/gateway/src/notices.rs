//! Notices for other services: gives them their places, has their watchers look, and
//! publishes them where the configuration says so.
//!
//! Every gateway does both for all; the store lets one at a time. What a gateway that died had
//! in its hands is published by another one when its turn has passed.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use mailfleet_model::fleet::{GatewayQueue, NoticeTurn, QueueError, Store, StoreError, Subject};
use mailfleet_telemetry::metrics;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::gateway::Gateway;

/// Pause before places are given: what ends in it gets its place in one transaction.
const PAUSE: Duration = Duration::from_millis(100);
/// How often places are looked at that another gateway gave, or left to be given.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether another gateway lost its turn to publish.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// Pause after the broker or the store failed.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a turn to publish lasts: as long as a publication may take at most.
const HOLD: Duration = Duration::from_secs(15);
/// Notices that get their places in one transaction.
const PLACED: u32 = 500;
/// Notices of one turn, and how many of them are published at once.
const TURN: (u32, usize) = (200, 16);

/// What the loops and the streams tell each other.
#[derive(Debug)]
pub(crate) struct Notices {
    written: Notify,
    placed: watch::Sender<u64>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { written: Notify::new(), placed: watch::Sender::new(0) }
    }
}

impl Notices {
    /// Somebody wrote a notice.
    pub(crate) fn written(&self) {
        self.written.notify_one();
    }

    /// Another gateway may have written one: only streams that are open here want to know.
    pub(crate) fn written_elsewhere(&self) {
        if self.placed.receiver_count() > 0 {
            self.written.notify_one();
        }
    }

    /// Hears of every new place.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.placed.subscribe()
    }

    fn tell(&self, last: u64) {
        self.placed.send_if_modified(|placed| std::mem::replace(placed, last) != last);
    }
}

/// Gives places for ever.
pub(crate) async fn place<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let notices = &gateway.notices;
    loop {
        match gateway.place().await {
            Ok(()) => gateway.troubles.notices.is_over(),
            Err(error) => gateway.troubles.notices.begins(&error),
        }
        // Whether somebody wrote one or nobody came by: both are reason enough to look.
        let _ = timeout(LOOK, notices.written.notified()).await;
        sleep(PAUSE).await;
    }
}

/// Publishes for ever, or waits for ever where nobody wants it.
pub(crate) async fn publish<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    if !gateway.config.publish_events {
        return std::future::pending().await;
    }
    let mut placed = gateway.notices.watch();
    let mut published = 0;
    loop {
        placed.borrow_and_update();
        match gateway.publish_notices(&mut published).await {
            Ok(true) => {
                gateway.troubles.notices_out.is_over();
                let _ = timeout(TAKE_OVER, placed.changed()).await;
            }
            Ok(false) => sleep(AGAIN).await,
            Err(error) => {
                gateway.troubles.notices_out.begins(&error);
                sleep(AGAIN).await;
            }
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    async fn place(&self) -> Result<(), StoreError> {
        loop {
            match self.store.place_notices(PLACED).await? {
                Some((last, more)) => {
                    self.notices.tell(last);
                    if !more {
                        return Ok(());
                    }
                }
                // Another gateway is at it, and may have looked just before.
                None => {
                    self.notices.written();
                    return Ok(());
                }
            }
        }
    }

    /// Publishes what is this gateway's turn; whether the broker took all of it. `published` is
    /// what the store is to be told.
    async fn publish_notices(&self, published: &mut u64) -> Result<bool, StoreError> {
        loop {
            let turn = NoticeTurn {
                holder: self.id.clone(),
                published: *published,
                hold: HOLD,
                limit: TURN.0,
            };
            let notices = self.store.notices_to_publish(&turn).await?;
            if notices.is_empty() {
                return Ok(true);
            }
            let outcomes: Vec<Result<u64, QueueError>> = stream::iter(notices)
                .map(|notice| async move {
                    let sent = self.queue.publish_notice(&notice).await;
                    let event = match notice.subject {
                        Subject::Job(_) => "job",
                        Subject::Batch(_) => "batch",
                    };
                    metrics::event_published(event, sent.as_ref().err().map(QueueError::kind));
                    sent.map(|()| notice.serial)
                })
                .buffered(TURN.1)
                .collect()
                .await;
            for outcome in outcomes {
                match outcome {
                    Ok(serial) => *published = serial,
                    // What lies behind is published again: receivers know it by its id.
                    Err(error) => {
                        self.troubles.notices_out.begins(&error);
                        return Ok(false);
                    }
                }
            }
        }
    }
}
