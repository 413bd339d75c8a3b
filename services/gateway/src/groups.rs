//! Limit groups as operators see and change them.

use std::collections::BTreeMap;

use mailfleet_api::fleet::{self, GroupListing, Known};
use mailfleet_api::v1;
use mailfleet_model::fleet::{
    Control, GatewayQueue, GroupId, GroupKey, GroupLimits, GroupSettings, GroupState, ShardIndex,
    Store, StoreError, shard_of,
};

use crate::gateway::Gateway;

/// Groups with waiting legs that a list looks at, at most.
const WAITING: u32 = 1_000;

/// What a list knows of a group before it looks closer.
#[derive(Debug, Default)]
struct Seen {
    settings: Option<GroupSettings>,
    waiting: bool,
    owner: Option<GroupState>,
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// The groups of a shard whose owner must not take them for the usual ones: those that an
    /// operator has set, and those of the configuration.
    pub(crate) async fn settings(
        &self,
        shard: ShardIndex,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        let mut all = self.store.groups(&self.config.zone, shard).await?;
        let named = self.config.group_limits.iter();
        for (key, limits) in named.filter(|(key, _)| self.shard(key) == shard) {
            if all.iter().all(|settings| settings.group.key != *key) {
                let group = GroupId { zone: self.config.zone.clone(), key: key.clone() };
                // Version 0: whatever an operator sets is newer.
                all.push(GroupSettings { group, limits: *limits, paused: false, version: 0 });
            }
        }
        Ok(all)
    }

    /// All that is known about a group.
    pub(crate) async fn known(&self, group: &GroupId) -> Result<Known, StoreError> {
        let settings = self.store.group(group).await?;
        let owner = self.state(group).await;
        self.closer(settings, owner).await
    }

    async fn closer(
        &self,
        settings: GroupSettings,
        owner: Option<GroupState>,
    ) -> Result<Known, StoreError> {
        let occupancy = self.occupancy(&settings.group).await?;
        let shard = self.shard(&settings.group.key);
        Ok(Known { settings, shard, out: occupancy.out, waiting: occupancy.waiting, owner })
    }

    /// One page of the groups that there is something to say about.
    pub(crate) async fn groups(
        &self,
        listing: &GroupListing,
    ) -> Result<v1::ListLimitGroupsResponse, StoreError> {
        let mut seen = self.seen().await?;
        seen.retain(|group, seen| {
            let paused = seen.settings.as_ref().is_some_and(|settings| settings.paused);
            let conditions = fleet::conditions(paused, seen.waiting, seen.owner.as_ref());
            let is_after =
                listing.after.as_ref().is_none_or(|after| after.as_str() < group.key.as_str());
            is_after && listing.wants(&group.key, &conditions)
        });
        let more = listing.page_size < seen.len();
        let (mut groups, mut last) = (Vec::new(), String::new());
        for (group, seen) in seen.into_iter().take(listing.page_size) {
            let settings = match seen.settings {
                Some(settings) => settings,
                None => self.store.group(&group).await?,
            };
            groups.push(fleet::group(&self.closer(settings, seen.owner).await?));
            last = group.key.to_string();
        }
        let next_page_token = if more { last } else { String::new() };
        Ok(v1::ListLimitGroupsResponse { groups, next_page_token })
    }

    async fn seen(&self) -> Result<BTreeMap<GroupId, Seen>, StoreError> {
        let mut all: BTreeMap<GroupId, Seen> = BTreeMap::new();
        for shard in (0..self.rules.collect.shards.get()).map(ShardIndex) {
            for settings in self.settings(shard).await? {
                let group = settings.group.clone();
                all.entry(group).or_default().settings = Some(settings);
            }
        }
        let age = std::time::Duration::ZERO;
        for group in self.store.waiting(age, WAITING).await? {
            all.entry(group).or_default().waiting = true;
        }
        for state in self.states().await {
            let group = state.group.clone();
            all.entry(group).or_default().owner = Some(state);
        }
        all.retain(|group, _| group.zone == self.config.zone);
        Ok(all)
    }

    /// Sets what a group allows.
    pub(crate) async fn set_limits(
        &self,
        group: &GroupId,
        limits: GroupLimits,
    ) -> Result<(), StoreError> {
        let now = self.store.group(group).await?;
        if now.limits == limits && 0 < now.version {
            return Ok(());
        }
        self.set_group(group, limits, now.paused).await
    }

    /// Pauses or resumes a group.
    pub(crate) async fn set_paused(&self, group: &GroupId, paused: bool) -> Result<(), StoreError> {
        let now = self.store.group(group).await?;
        if now.paused == paused {
            return Ok(());
        }
        self.set_group(group, now.limits, paused).await
    }

    async fn set_group(
        &self,
        group: &GroupId,
        limits: GroupLimits,
        paused: bool,
    ) -> Result<(), StoreError> {
        let set = self.store.set_group(group, self.shard(&group.key), limits, paused).await?;
        tracing::info!(group = %group, ?limits, paused, "an operator changed a limit group");
        self.link.broadcast(&Control::Settings(vec![set])).await;
        // There may be room now.
        self.wakes.wake([group.clone()]);
        Ok(())
    }

    fn shard(&self, key: &GroupKey) -> ShardIndex {
        shard_of(key, self.rules.collect.shards)
    }
}
