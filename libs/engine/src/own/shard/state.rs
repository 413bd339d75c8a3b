//! What a shard shows of its groups.

use std::collections::BTreeMap;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{GroupId, GroupKey, GroupState, HeldLeg, HeldStage, LegId, ZoneName};

use super::{Shard, Stage};
use crate::own::Group;
use crate::time::Monotonic;

impl Shard {
    /// The legs of a job that it has.
    pub(crate) fn held(&self, job: JobId) -> impl Iterator<Item = HeldLeg> {
        let legs = LegId { job, index: 0 }..=LegId { job, index: u8::MAX };
        self.legs.range(legs).map(|(leg, held)| HeldLeg {
            leg: *leg,
            stage: match held.stage {
                Stage::Waiting(_) => HeldStage::Waiting,
                Stage::Asking(_) => HeldStage::Asking,
                Stage::Running => HeldStage::Running,
                Stage::Cancelled | Stage::Dropped | Stage::Leaving => HeldStage::Leaving,
            },
            source: held.offer.source,
        })
    }

    /// What holds in its groups, or in one of them. A group that nothing runs or waits in
    /// and that is well is known only by its settings, and is shown all the same.
    #[must_use]
    pub fn states(
        &self,
        zone: &ZoneName,
        only: Option<&GroupKey>,
        now: Monotonic,
    ) -> Vec<GroupState> {
        let wanted = |key: &GroupKey| only.is_none_or(|only| only == key);
        let mut waiting: BTreeMap<&GroupKey, u32> = BTreeMap::new();
        for held in self.legs.values().filter(|held| wanted(&held.offer.group)) {
            let waits = u32::from(matches!(held.stage, Stage::Waiting(_)));
            *waiting.entry(&held.offer.group).or_default() += waits;
        }
        let untouched = |key: &GroupKey| {
            let settings = self.settings.get(key);
            Some(super::made(settings, self.default?, now, &self.rules))
        };
        let keys = self.groups.keys().chain(self.settings.keys()).chain(waiting.keys().copied());
        let keys: std::collections::BTreeSet<&GroupKey> = keys.filter(|key| wanted(key)).collect();
        let state = |key: &GroupKey| {
            let status = match self.groups.get(key) {
                Some(group) => group.status(now),
                None => Group::status(&untouched(key)?, now),
            };
            Some(GroupState {
                group: GroupId { zone: zone.clone(), key: key.clone() },
                limit: status.limit,
                in_use: status.in_use,
                waiting: waiting.get(key).copied().unwrap_or(0),
                paused: status.paused,
                breaker: status.breaker,
                lowered: status.lowered,
            })
        };
        keys.into_iter().filter_map(state).collect()
    }
}
