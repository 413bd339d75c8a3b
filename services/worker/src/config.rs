//! What a worker is told at its start. Plain data.

use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use mailfleet_engine::Rules;
use mailfleet_engine::rules::HoldRules;
use mailfleet_engine::worker::Identity;
use mailfleet_model::fleet::{DEFAULT_SHARDS, LegKind, WorkerId, ZoneName};

use crate::runner::KINDS;

/// Legs of a shard that the broker lets out at once. More than the store ever has out in
/// one (`DispatchRules::shard_cap`, 1,000), so that the owner sees all of them and no
/// busy server holds up the others.
pub const PREFETCH: u16 = 1_100;

/// What a worker is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its id: the one that its queue was made with, and another one at every start.
    pub worker: WorkerId,
    /// Its zone: it can leave from every address of the zone's pools.
    pub zone: ZoneName,
    /// K: shards of the zone, the same for every process. 64 by default.
    pub shards: NonZeroU16,
    /// Legs at once. 2,000 by default.
    pub slots: NonZeroU32,
    /// Kinds of legs that it runs; others it gives back. Those of [`KINDS`] by default: fewer are
    /// for staged roll-outs, and more do not run.
    pub kinds: BTreeSet<LegKind>,
    /// How long legs may still run when it is asked to end. 30 s by default.
    pub drain: Duration,
    /// Whether there is no other worker, now or later: the embedded mode. It waits for
    /// nobody and says nothing to others' legs. No by default.
    pub alone: bool,
    /// The numbers of the engine. A deployment leaves them as they are.
    pub rules: Rules,
}

impl Config {
    /// The defaults for a worker of this name and zone.
    #[must_use]
    pub fn new(worker: WorkerId, zone: ZoneName) -> Self {
        let rules = Rules::default();
        let kind = |name: &str| name.parse().expect("the names of our kinds are names");
        Self {
            worker,
            zone,
            shards: DEFAULT_SHARDS,
            slots: NonZeroU32::new(2_000).expect("not zero"),
            kinds: KINDS.into_iter().map(kind).collect(),
            drain: rules.hold.drain,
            alone: false,
            rules,
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        let mut rules = self.rules.clone();
        rules.hold.drain = self.drain;
        rules.collect.shards = self.shards;
        if self.alone {
            let HoldRules { warm_up, settle, .. } = HoldRules::alone();
            (rules.hold.warm_up, rules.hold.settle) = (warm_up, settle);
        }
        rules
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity {
            worker: self.worker.clone(),
            zone: self.zone.clone(),
            shards: self.shards,
            capacity: self.slots.get(),
            kinds: self.kinds.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_lets_out_more_than_the_store_does() {
        assert!(Rules::default().dispatch.shard_cap < u32::from(PREFETCH));
    }

    #[test]
    fn a_worker_alone_waits_for_nobody() {
        let name = |text: &str| text.parse().expect("a name");
        let config = Config::new(name("w"), "z".parse().expect("a name"));
        assert_eq!(config.rules(), Rules::default());
        let alone = Config { alone: true, drain: Duration::from_secs(7), ..config }.rules();
        assert_eq!((alone.hold.warm_up, alone.hold.settle), (Duration::ZERO, Duration::ZERO));
        assert_eq!(alone.hold.drain, Duration::from_secs(7));
    }
}
