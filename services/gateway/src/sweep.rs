//! Sweep: rounds that find what a crash, a lost message or a full shard left behind.
//!
//! Each round is a task of its own, so that a slow one holds up no other; it is not made
//! again while it still runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_engine::collect::Event;
use mailfleet_engine::sweep::{Chore, Sweeper};
use mailfleet_model::fleet::{
    Control, Forgotten, GatewayQueue, LegMessage, NoticeAges, ShardIndex, StartRule, Store,
    StoreError,
};
use mailfleet_telemetry::metrics;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::gateway::Gateway;

/// Longest time of one round: what it did not come to is left to the next one.
const ROUND: Duration = Duration::from_secs(60);
/// Shortest pause between two looks at what is due.
const PAUSE: Duration = Duration::from_millis(10);
/// Most deletions in one round, in calls of as many rows as a round touches.
const PURGES: u32 = 100;

/// Events that wait to be published are kept so many times as long as others: a broker that is
/// away over a weekend loses none, and one that never comes back does not fill the disk.
const UNPUBLISHED: u32 = 7;

/// Makes the rounds for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let mut sweeper = Sweeper::new(gateway.now());
    let (mut rounds, mut running) = (JoinSet::new(), BTreeSet::new());
    loop {
        for chore in sweeper.due(gateway.now()) {
            if running.insert(chore) {
                let gateway = Arc::clone(&gateway);
                rounds.spawn(async move {
                    let done = timeout(ROUND, gateway.round(chore)).await;
                    (chore, done)
                });
            }
        }
        let pause = sweeper.next().since(gateway.now()).max(PAUSE);
        tokio::select! {
            () = sleep(pause) => {}
            Some(ended) = rounds.join_next() => match ended {
                Ok((chore, done)) => {
                    running.remove(&chore);
                    match done {
                        Ok(Ok(())) => gateway.troubles.sweep.is_over(),
                        Ok(Err(error)) => gateway.troubles.sweep.begins(&error),
                        Err(_) => tracing::warn!(?chore, "a round was cut off, it took too long"),
                    }
                }
                Err(error) => {
                    // Nobody knows which one it was: all may be made again.
                    running.clear();
                    tracing::error!(error = %error, "a round has died");
                }
            }
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    async fn round(&self, chore: Chore) -> Result<(), StoreError> {
        let rules = &self.rules.sweep;
        match chore {
            Chore::Wake => self.wakes.wake(self.store.wake(rules.rows).await?),
            Chore::Waiting => {
                self.wakes.wake(self.store.waiting(rules.waiting, rules.rows).await?);
            }
            Chore::Unpublished => {
                let legs = self.store.unpublished(rules.released, rules.rows).await?;
                let again = legs.iter().map(|leg| LegMessage::of(leg, StartRule::Ask));
                self.publish_all(again.collect(), Instant::now()).await;
            }
            Chore::Overdue => {
                for (leg, dispatch) in self.store.overdue(rules.published, rules.rows).await? {
                    tracing::warn!(job.id = %leg.job, leg = leg.index, "nothing was heard of a leg");
                    self.advance(leg.job, &Event::Overdue(leg, dispatch)).await?;
                }
            }
            Chore::Expired => {
                for job in self.store.expired(rules.rows).await? {
                    self.advance(job, &Event::Deadline).await?;
                }
            }
            Chore::Batches => self.feeds.wake(self.store.live_batches(rules.rows).await?),
            Chore::Settings => self.tell_settings().await?,
            Chore::Purge => self.purge().await?,
        }
        Ok(())
    }

    /// Tells everybody the settings of all groups that have some.
    async fn tell_settings(&self) -> Result<(), StoreError> {
        for zone in self.zones() {
            for shard in (0..self.rules.collect.shards.get()).map(ShardIndex) {
                let groups = self.settings(&zone, shard).await?;
                if !groups.is_empty() {
                    self.link.broadcast(&Control::Settings(self.parts(groups))).await;
                }
            }
        }
        Ok(())
    }

    async fn purge(&self) -> Result<(), StoreError> {
        let rows = self.rules.sweep.rows;
        for _ in 0..PURGES {
            let kept = self.config.keep_events;
            let is_on = self.config.publish_events;
            let unpublished = if is_on { kept * UNPUBLISHED } else { kept };
            let ages = NoticeAges { published: kept, unpublished };
            let Forgotten { gone, unpublished } = self.store.forget_notices(ages, rows).await?;
            if is_on && 0 < unpublished {
                metrics::events_lost(unpublished);
                tracing::error!(
                    events = unpublished,
                    "events were deleted that could not be published for too long"
                );
            }
            if gone < u64::from(rows) {
                break;
            }
        }
        for _ in 0..PURGES {
            let gone = self.store.purge(self.config.retention, rows).await?;
            if gone > 0 {
                tracing::info!(jobs = gone, "ended jobs were deleted");
            }
            if gone < u64::from(rows) {
                break;
            }
        }
        Ok(())
    }
}
