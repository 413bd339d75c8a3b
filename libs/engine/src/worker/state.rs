//! What a worker shows of itself.

use std::cmp::Reverse;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{GroupId, GroupState, HeldLeg, shard_of};

use super::Worker;
use crate::time::Monotonic;

/// Most groups that one answer names.
const MOST: usize = 500;

/// How much a worker has in its hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Shards that it holds, those that it is giving up included.
    pub shards: u32,
    /// Legs that are asked for or run.
    pub running: u32,
    /// Legs of bulk work that it runs at once at most.
    pub bulk_places: u32,
    /// Whether it has not been able to start a leg yet: it listens to the others, waits until the
    /// sockets of owners before it are closed, or for the settings that a gateway has.
    pub beginning: bool,
    /// Whether it is leaving.
    pub draining: bool,
}

impl Worker {
    /// How much it has in its hands.
    #[must_use]
    pub fn load(&self) -> Load {
        let shards = u32::try_from(self.shards().count()).unwrap_or(u32::MAX);
        let (running, bulk_places) = (self.running(), self.pace.places());
        let beginning = !self.has_begun;
        Load { shards, running, bulk_places, beginning, draining: self.draining }
    }

    /// What holds in all of its groups, in no certain order.
    pub fn all_states(&self, now: Monotonic) -> impl Iterator<Item = GroupState> {
        let zone = &self.identity.zone;
        self.shards().flat_map(move |(_, shard)| shard.states(zone, None, now))
    }

    /// Whether it has the shard of a group, also while it gives it up.
    #[must_use]
    pub fn has(&self, group: &GroupId) -> bool {
        let shard = shard_of(&group.key, self.identity.shards);
        group.zone == self.identity.zone && self.shards().any(|(index, _)| index == shard)
    }

    /// The legs of a job that it has in its hands.
    #[must_use]
    pub fn held(&self, job: JobId) -> Vec<HeldLeg> {
        self.shards().flat_map(|(_, shard)| shard.held(job)).collect()
    }

    /// What holds in its groups, or in one of them: at most 500, the sick ones first, then
    /// the busiest.
    #[must_use]
    pub fn states(&self, only: Option<&GroupId>, now: Monotonic) -> Vec<GroupState> {
        let zone = &self.identity.zone;
        if only.is_some_and(|group| group.zone != *zone) {
            return Vec::new();
        }
        let key = only.map(|group| &group.key);
        let mut states: Vec<GroupState> =
            self.shards().flat_map(|(_, shard)| shard.states(zone, key, now)).collect();
        states.sort_by_cached_key(|state| {
            let sick = state.breaker.is_some() || state.lowered.is_some();
            (Reverse((sick, state.paused)), Reverse((state.in_use, state.waiting)))
        });
        states.truncate(MOST);
        states
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU16, NonZeroU32};
    use std::time::Duration;

    use mailfleet_model::fleet::{Control, GroupLimits, LastOwner, ShardIndex};

    use super::*;
    use crate::rules::Rules;
    use crate::worker::{Claim, Effect, Event, Identity};

    #[test]
    fn it_begins_until_it_has_listened_and_may_start_what_its_shards_hold() {
        let at = |millis| Monotonic(Duration::from_millis(millis));
        let identity = Identity {
            worker: "w".parse().expect("a name"),
            zone: "z".parse().expect("a name"),
            shards: NonZeroU16::MIN,
            capacity: 1,
            kinds: std::collections::BTreeSet::new(),
            version: "1".to_owned(),
        };
        let mut worker = Worker::new(identity, Rules::default(), at(0));
        // Four times a second, as if it were never late.
        let tick = |worker: &mut Worker, from: u64, until: u64| -> Vec<Effect> {
            let ticks = (from..=until).step_by(250);
            ticks.flat_map(|now| worker.handle(Event::Tick(Duration::ZERO), at(now))).collect()
        };
        worker.handle(Event::Connected, at(100));
        tick(&mut worker, 250, 1_750);
        assert!(worker.load().beginning, "it listens");
        let claims = tick(&mut worker, 2_000, 2_000);
        let claim = claims.iter().find_map(|effect| match effect {
            Effect::Claim(_, id) => Some(*id),
            _ => None,
        });
        let claim = claim.expect("nobody else is there");
        worker.handle(Event::Claimed(ShardIndex(0), claim, Claim::Ours), at(2_010));
        tick(&mut worker, 2_250, 2_250);
        assert!(worker.load().beginning, "no gateway has sent it the settings");
        let default = GroupLimits { concurrency: NonZeroU32::MIN, per_source: None, rate: None };
        let (zone, shard) = ("z".parse().expect("a name"), ShardIndex(0));
        let last_owner = Some(LastOwner::Heard);
        let snapshot = Control::Snapshot { zone, shard, default, groups: Vec::new(), last_owner };
        worker.handle(Event::Heard(snapshot), at(2_300));
        tick(&mut worker, 2_500, 4_000);
        assert!(worker.load().beginning, "the owner before is closing its sockets");
        tick(&mut worker, 4_250, 4_250);
        assert!(!worker.load().beginning);
        worker.handle(Event::ConnectionLost, at(4_300));
        assert!(!worker.load().beginning, "it has begun, whatever comes");
    }
}
