//! Census: what waits in the store and who works, counted now and then for operators.
//!
//! Every gateway counts the same store, so that any one of them will do; dashboards take the
//! largest number, not the sum.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::fleet::{GatewayQueue, ShardIndex, Store, ZoneName};
use mailfleet_telemetry::metrics;
use tokio::time::{Instant, sleep};

use crate::gateway::Gateway;

/// How often, while it costs little.
const EVERY: Duration = Duration::from_secs(5);
/// It costs as much as there are open jobs, at every gateway: the pause is so many times as long
/// as the count took.
const COST: u32 = 50;
/// Longest pause: after a minute operators are told that nobody counts.
const SELDOM: Duration = Duration::from_secs(45);

/// Counts for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        let began = Instant::now();
        match gateway.store.census().await {
            Ok(census) => {
                gateway.troubles.census.is_over();
                let (workers, unowned) = gateway.around();
                metrics::census(&census, workers, unowned);
            }
            Err(error) => gateway.troubles.census.begins(&error),
        }
        sleep(pause(began.elapsed())).await;
    }
}

/// How long to wait after a count that took so long.
fn pause(took: Duration) -> Duration {
    took.saturating_mul(COST).clamp(EVERY, SELDOM)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_much_is_counted_seldom() {
        let after = |ms| pause(Duration::from_millis(ms)).as_secs();
        assert_eq!([after(0), after(100), after(400), after(60_000)], [5, 5, 20, 45]);
    }
}
