//! Which shards exist, and how much may wait where.
//!
//! Plain data, the same for both brokers. A deployment never changes `shards` while legs
//! are out: a group would get a second owner.

use std::num::{NonZeroU16, NonZeroUsize};

use mailfleet_model::fleet::{DEFAULT_SHARDS, ShardIndex, ZoneName};

/// Most legs that wait or are out in one shard. Dispatch keeps at most 1,000 out, and may
/// pass that by as many as all dispatchers release at one moment.
const SHARD_LENGTH: NonZeroUsize = NonZeroUsize::new(4_096).expect("it is not zero");

/// Most news that wait for a gateway. Each of them stands for a leg that is out, so that
/// dispatch bounds them as well; this bound is for gateways that have stopped.
const NEWS_LENGTH: NonZeroUsize = NonZeroUsize::new(65_536).expect("it is not zero");

/// Most live events, or control messages, that one slow receiver may lag behind.
const BUFFER_LENGTH: NonZeroUsize = NonZeroUsize::new(1_024).expect("it is not zero");

/// The shards, and the lengths of what stands in front of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The zones of the deployment. A leg for another zone is refused as unroutable.
    pub zones: Vec<ZoneName>,
    /// Shards in each zone. Defaults to 64.
    pub shards: NonZeroU16,
    /// Most legs of one shard on the broker. One more is refused. Defaults to 4,096.
    pub shard_length: NonZeroUsize,
    /// Most news on the broker. One more is refused. Defaults to 65,536.
    pub news_length: NonZeroUsize,
    /// Most live events that wait for a slow gateway (further ones are dropped), and most
    /// control messages that wait for a slow receiver (the oldest ones are dropped).
    /// Defaults to 1,024.
    pub buffer_length: NonZeroUsize,
}

impl Topology {
    /// These zones, and the defaults.
    #[must_use]
    pub fn new(zones: Vec<ZoneName>) -> Self {
        Self {
            zones,
            shards: DEFAULT_SHARDS,
            shard_length: SHARD_LENGTH,
            news_length: NEWS_LENGTH,
            buffer_length: BUFFER_LENGTH,
        }
    }

    /// Whether there is such a shard.
    #[must_use]
    pub fn has(&self, zone: &ZoneName, shard: ShardIndex) -> bool {
        shard.0 < self.shards.get() && self.zones.contains(zone)
    }

    /// Every shard of every zone.
    pub fn every_shard(&self) -> impl Iterator<Item = (&ZoneName, ShardIndex)> {
        let shards = self.shards.get();
        self.zones.iter().flat_map(move |zone| (0..shards).map(move |i| (zone, ShardIndex(i))))
    }
}
