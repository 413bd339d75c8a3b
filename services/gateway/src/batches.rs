//! Who watches which batch, in this process: one look serves all watchers of a batch.
//!
//! A look is made when something happened that may concern the batch, at most twice a second,
//! and now and then for what nobody told. It ends with the last watcher.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mailfleet_model::fleet::{BatchId, BatchReport, GatewayQueue, Store, TenantId};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::gateway::Gateway;
use crate::status;

/// Shortest time between two looks at one batch.
const LOOK: Duration = Duration::from_millis(500);
/// Longest time between them: what was told is told at most once, and may be lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

/// What a look found.
pub(crate) type Seen = Result<Arc<BatchReport>, Status>;

/// The watched batches.
#[derive(Debug, Default)]
pub(crate) struct BatchWatchers(Mutex<HashMap<BatchId, Weak<Looker>>>);

/// Looks at one batch for as long as somebody watches.
#[derive(Debug)]
struct Looker {
    happened: Arc<Notify>,
    seen: watch::Receiver<Option<Seen>>,
    _task: AbortOnDropHandle<()>,
}

/// One watcher of one batch.
#[derive(Debug)]
pub(crate) struct BatchWatch {
    _looker: Arc<Looker>,
    seen: watch::Receiver<Option<Seen>>,
}

impl BatchWatch {
    /// What the last look found, as soon as there is one that was not returned before.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            // The sender lives in the looker's task, and that one as long as this watch.
            if self.seen.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(seen) = self.seen.borrow_and_update().clone() {
                return seen;
            }
        }
    }
}

impl BatchWatchers {
    /// Something happened to a batch.
    pub(crate) fn happened_to(&self, batch: BatchId) {
        if let Some(looker) = self.table().get(&batch).and_then(Weak::upgrade) {
            looker.happened.notify_one();
        }
    }

    /// Something happened that may concern any batch.
    pub(crate) fn happened(&self) {
        for looker in self.table().values().filter_map(Weak::upgrade) {
            looker.happened.notify_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<BatchId, Weak<Looker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Watches a batch of a tenant from now on.
    pub(crate) fn watch_batch(self: &Arc<Self>, tenant: &TenantId, batch: BatchId) -> BatchWatch {
        let mut table = self.batch_watchers.table();
        let known = table.get(&batch).and_then(Weak::upgrade);
        let looker = known.unwrap_or_else(|| {
            table.retain(|_, looker| looker.strong_count() > 0);
            let looker = Arc::new(self.looker(tenant.clone(), batch));
            table.insert(batch, Arc::downgrade(&looker));
            looker
        });
        drop(table);
        let mut seen = looker.seen.clone();
        // What was seen before this watcher came is news to it.
        seen.mark_changed();
        BatchWatch { _looker: looker, seen }
    }

    fn looker(self: &Arc<Self>, tenant: TenantId, batch: BatchId) -> Looker {
        let (sender, seen) = watch::channel(None);
        let (happened, gateway) = (Arc::new(Notify::new()), Arc::clone(self));
        let heard = Arc::clone(&happened);
        let task = tokio::spawn(async move {
            loop {
                let next = Instant::now() + LOOK;
                let found = gateway.store.batch_report(&tenant, batch).await;
                sender.send_replace(Some(match found {
                    Ok(Some(report)) => Ok(Arc::new(report)),
                    Ok(None) => Err(status::no_such_batch(None)),
                    Err(error) => Err(status::store(&error, None)),
                }));
                sleep_until(next).await;
                let _ = timeout(LOOK_ANYWAY, heard.notified()).await;
            }
        });
        Looker { happened, seen, _task: AbortOnDropHandle::new(task) }
    }
}
