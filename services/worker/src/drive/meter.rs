//! What operators are told of a worker: shards, slots, takeovers, waits.
//!
//! Only looks at what the engine holds, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_engine::worker::Worker as Engine;
use mailfleet_model::fleet::ShardIndex;
use mailfleet_telemetry::metrics::{self, Limiter};

/// A shard that nobody tried to claim for so long is not being taken over any more.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// How often slots are summed up: it costs as much as there are groups.
const SUM_UP: Duration = Duration::from_secs(5);

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Shards that are wanted: since when, and when they were last tried.
    wanted: BTreeMap<ShardIndex, (Monotonic, Monotonic)>,
    limiter: Limiter,
    summed: Option<Monotonic>,
}

impl Meter {
    /// A shard is to be claimed.
    pub(super) fn claiming(&mut self, shard: ShardIndex, now: Monotonic) {
        let (since, last) = self.wanted.entry(shard).or_insert((now, now));
        if GIVEN_UP <= now.since(*last) {
            *since = now;
        }
        *last = now;
    }

    /// Looks at the engine; four times a second.
    pub(super) fn look(&mut self, engine: &Engine, now: Monotonic) {
        if !self.wanted.is_empty() {
            for (shard, held) in engine.shards() {
                if held.may_start(now)
                    && let Some((since, _)) = self.wanted.remove(&shard)
                {
                    metrics::takeover(now.since(since));
                }
            }
        }
        if self.summed.is_none_or(|summed| SUM_UP <= now.since(summed)) {
            self.summed = Some(now);
            let load = engine.load();
            metrics::holds(load.shards, load.running, load.bulk_places);
            metrics::limiters(&mut self.limiter, engine.all_states(now));
        }
    }
}
