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
    /// Whether it is leaving.
    pub draining: bool,
}

impl Worker {
    /// How much it has in its hands.
    #[must_use]
    pub fn load(&self) -> Load {
        let shards = u32::try_from(self.shards().count()).unwrap_or(u32::MAX);
        let (running, bulk_places) = (self.running(), self.pace.places());
        Load { shards, running, bulk_places, draining: self.draining }
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
