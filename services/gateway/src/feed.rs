//! Feeding: batches whose items ended or that somebody asked something of, one after another.
//!
//! Every gateway feeds every batch; the store's lock puts them in a row, and what one of them
//! began the next one finds begun.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_engine::batch::{Ask, feed};
use mailfleet_engine::collect::Event;
use mailfleet_model::fleet::{BatchId, BatchState, Fed, GatewayQueue, Store, StoreError};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::gateway::Gateway;

/// Pause between two rounds: items that end in it are fed for together.
const PAUSE: Duration = Duration::from_millis(20);
/// Most looks at one batch in a round; the sweep goes on a second later.
const LOOKS: u32 = 50;
/// Open jobs that are cancelled before the batch is looked at again.
const CANCELLED: u32 = 200;

/// Batches that wait to be fed.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    waiting: Mutex<BTreeSet<BatchId>>,
    woken: Notify,
}

impl Feeds {
    /// Has batches fed soon.
    pub(crate) fn wake(&self, batches: impl IntoIterator<Item = BatchId>) {
        let mut batches = batches.into_iter().peekable();
        if batches.peek().is_some() {
            self.waiting().extend(batches);
            self.woken.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<BatchId> {
        std::mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<BatchId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Feeds for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        let batches = gateway.feeds.take();
        if batches.is_empty() {
            gateway.feeds.woken.notified().await;
            continue;
        }
        for batch in batches {
            match gateway.feed(batch).await {
                Ok(()) => gateway.troubles.feed.is_over(),
                Err(error) => gateway.troubles.feed.begins(&error),
            }
        }
        sleep(PAUSE).await;
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Asks something of a batch, and lets the rest follow. `None` if there is no such batch.
    pub(crate) async fn ask_batch(
        &self,
        batch: BatchId,
        ask: &Ask,
    ) -> Result<Option<Fed>, StoreError> {
        let fed = self.store.feed_batch(batch, |view| feed(view, ask)).await?;
        let Some(mut fed) = fed else { return Ok(None) };
        self.wakes.wake(std::mem::take(&mut fed.wake));
        if fed.moved > 0 || fed.was != fed.batch.state {
            self.batch_watchers.happened_to(batch);
        }
        if fed.was != fed.batch.state {
            let reason = fed.batch.pause.as_ref().map_or("", |pause| pause.reason.as_str());
            tracing::info!(
                batch.id = %batch, tenant = %fed.batch.tenant, from = %fed.was,
                state = %fed.batch.state, reason, "batch changed"
            );
            self.notices.written();
        }
        if *ask != Ask::Feed {
            self.feeds.wake([batch]);
        }
        Ok(Some(fed))
    }

    /// Begins what may begin, and ends what must end.
    async fn feed(&self, batch: BatchId) -> Result<(), StoreError> {
        let (mut rounds, mut moved) = (0, 0);
        for _ in 0..LOOKS {
            let Some(fed) = self.ask_batch(batch, &Ask::Feed).await? else { return Ok(()) };
            match fed.batch.state {
                BatchState::Running => {
                    let full = u64::from(fed.batch.settings.max_open) <= fed.batch.counts.open;
                    if full || fed.batch.counts.held == 0 {
                        return Ok(());
                    }
                    moved += fed.moved;
                    if !fed.more {
                        // The first round may have begun in the middle.
                        if moved == 0 && rounds > 0 {
                            return Ok(());
                        }
                        (rounds, moved) = (rounds + 1, 0);
                    }
                }
                BatchState::Cancelling => {
                    if fed.moved == 0 && !self.cancel_open(batch).await? {
                        return Ok(());
                    }
                }
                BatchState::Uploading
                | BatchState::Paused
                | BatchState::Cancelled
                | BatchState::Done => return Ok(()),
            }
        }
        Ok(())
    }

    /// Cancels open jobs of a batch; whether there were some.
    async fn cancel_open(&self, batch: BatchId) -> Result<bool, StoreError> {
        let jobs = self.store.open_items(batch, CANCELLED).await?;
        for job in &jobs {
            self.advance(*job, &Event::Cancel).await?;
        }
        Ok(!jobs.is_empty())
    }
}
