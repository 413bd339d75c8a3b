//! Census: what waits in the store and who works, counted now and then for operators.
//!
//! Every gateway counts the same store, so that any one of them will do; dashboards take the
//! largest number, not the sum.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::fleet::{GatewayQueue, ShardIndex, Store, ZoneName};
use mailfleet_telemetry::metrics;
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::Gateway;

/// How often. It costs as much as there are open jobs.
const EVERY: Duration = Duration::from_secs(5);

/// Counts for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match gateway.store.census().await {
            Ok(census) => {
                gateway.troubles.census.is_over();
                let (workers, unowned) = gateway.around();
                metrics::census(&census, workers, unowned);
            }
            Err(error) => gateway.troubles.census.begins(&error),
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// How many workers are heard, and how many shards nobody says he owns.
    fn around(&self) -> (usize, usize) {
        let (zones, now) = (self.zones(), self.now());
        let workers = self.members.all(now);
        let workers = workers.iter().filter(|member| zones.contains(&member.news.zone)).count();
        (workers, self.unowned(&zones, now))
    }

    /// How many shards of these zones nobody says he owns.
    pub(crate) fn unowned(&self, zones: &[ZoneName], now: Monotonic) -> usize {
        let shards = (0..self.rules.collect.shards.get()).map(ShardIndex);
        let unowned = zones.iter().map(|zone| {
            let is_free = |shard: &ShardIndex| self.members.owners(zone, *shard, now).is_empty();
            shards.clone().filter(is_free).count()
        });
        unowned.sum()
    }
}
