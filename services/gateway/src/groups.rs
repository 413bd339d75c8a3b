//! Limit groups as operators see and change them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mailfleet_api::fleet::{self, GroupListing, Known};
use mailfleet_api::v1;
use mailfleet_api::v1::limit_group::Condition;
use mailfleet_model::fleet::{
    Control, GatewayQueue, GroupId, GroupKey, GroupLimits, GroupOccupancy, GroupSettings,
    GroupState, ShardIndex, Store, StoreError, ZoneName, shard_of,
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

/// The sickest and busiest groups.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// Them, the sick ones first.
    pub(crate) groups: Vec<v1::LimitGroup>,
    /// How many there is something to say about.
    pub(crate) total: usize,
    /// How many of these are sick.
    pub(crate) sick: usize,
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// The groups of a shard whose owner must not take them for the usual ones: those that an
    /// operator has set, and those of the configuration. With their limits as a whole.
    pub(crate) async fn settings(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
    ) -> Result<Vec<GroupSettings>, StoreError> {
        let mut all = self.store.groups(zone, shard).await?;
        let named = self.config.group_limits.iter();
        for (key, limits) in named.filter(|(key, _)| self.shard(key) == shard) {
            if all.iter().all(|settings| settings.group.key != *key) {
                all.push(configured(key, *limits, zone));
            }
        }
        Ok(all)
    }

    /// All that is known about a group.
    pub(crate) async fn known(&self, group: &GroupId) -> Result<Known, StoreError> {
        let occupancy = self.occupancy(group).await?;
        let owner = self.state(group).await;
        Ok(self.closer(occupancy, owner))
    }

    /// How full a group is.
    pub(crate) async fn occupancy(&self, group: &GroupId) -> Result<GroupOccupancy, StoreError> {
        let mut found = self.store.occupancy(std::slice::from_ref(group)).await?;
        found.pop().ok_or_else(|| StoreError::Corrupt {
            operation: "look how full a group is",
            what: "no look at it".to_owned(),
        })
    }

    fn closer(&self, occupancy: GroupOccupancy, owner: Option<GroupState>) -> Known {
        let GroupOccupancy { settings, out, waiting } = occupancy;
        let shard = self.shard(&settings.group.key);
        let part = self.part(&settings.limits, &settings.group.zone);
        Known { settings, part, shard, out, waiting, owner }
    }

    /// One page of the groups that there is something to say about.
    pub(crate) async fn groups(
        &self,
        listing: &GroupListing,
    ) -> Result<v1::ListLimitGroupsResponse, StoreError> {
        let mut seen = self.seen().await?;
        seen.retain(|(key, zone), seen| {
            let conditions = self.conditions(zone, seen);
            let is_after =
                listing.after.as_ref().is_none_or(|after| (&after.key, &after.zone) < (key, zone));
            is_after && listing.wants(key, &conditions)
        });
        let more = listing.page_size < seen.len();
        let page = seen.into_iter().take(listing.page_size);
        let page: Vec<_> =
            page.map(|((key, zone), seen)| (GroupId { zone, key }, seen.owner)).collect();
        let last = page.last().map(|(group, _)| fleet::group_name(group)).unwrap_or_default();
        let groups = self.shown(page).await?;
        let next_page_token = if more { last } else { String::new() };
        Ok(v1::ListLimitGroupsResponse { groups, next_page_token })
    }

    /// The sickest and busiest groups by what their owners say, at most so many.
    pub(crate) async fn ranked_groups(&self, most: usize) -> Result<Ranked, StoreError> {
        let seen = self.seen().await?;
        let total = seen.len();
        let mut ranked: Vec<_> = seen
            .into_iter()
            .map(|((key, zone), seen)| {
                let is_sick = fleet::is_sick(self.conditions(&zone, &seen).into_iter());
                let owner = seen.owner.as_ref();
                let busy = owner.map_or(0, |owner| owner.waiting.saturating_add(owner.in_use));
                ((is_sick, seen.waiting, busy), GroupId { zone, key }, seen)
            })
            .collect();
        let sick = ranked.iter().filter(|((is_sick, ..), ..)| *is_sick).count();
        ranked.sort_by_key(|(rank, ..)| Reverse(*rank));
        let first = ranked.into_iter().take(most);
        let groups = self.shown(first.map(|(_, group, seen)| (group, seen.owner)).collect());
        Ok(Ranked { groups: groups.await?, total, sick })
    }

    fn conditions(&self, zone: &ZoneName, seen: &Seen) -> Vec<Condition> {
        let paused = seen.settings.as_ref().is_some_and(|settings| settings.paused);
        let set = seen.settings.as_ref().map_or(&self.config.limits, |set| &set.limits);
        let is_shut_out = self.part(set, zone).is_none();
        fleet::conditions(paused, seen.waiting, is_shut_out, seen.owner.as_ref())
    }

    /// Groups with what their owners say of them, in their order.
    async fn shown(
        &self,
        groups: Vec<(GroupId, Option<GroupState>)>,
    ) -> Result<Vec<v1::LimitGroup>, StoreError> {
        let ids: Vec<GroupId> = groups.iter().map(|(group, _)| group.clone()).collect();
        let found = self.store.occupancy(&ids).await?;
        let mut found: BTreeMap<GroupId, GroupOccupancy> =
            found.into_iter().map(|look| (look.settings.group.clone(), look)).collect();
        let show = |(group, owner)| Some(fleet::group(&self.closer(found.remove(&group)?, owner)));
        Ok(groups.into_iter().filter_map(show).collect())
    }

    /// In the order of a list: by key, then by zone.
    async fn seen(&self) -> Result<BTreeMap<(GroupKey, ZoneName), Seen>, StoreError> {
        let place = |group: &GroupId| (group.key.clone(), group.zone.clone());
        let (mut all, zones) = (BTreeMap::<_, Seen>::new(), self.zones());
        for settings in self.store.set_groups().await? {
            let place = place(&settings.group);
            all.entry(place).or_default().settings = Some(settings);
        }
        // What the configuration names holds where no operator has said otherwise.
        for (key, limits) in &self.config.group_limits {
            for zone in &zones {
                let seen = all.entry((key.clone(), zone.clone())).or_default();
                seen.settings.get_or_insert_with(|| configured(key, *limits, zone));
            }
        }
        let age = std::time::Duration::ZERO;
        for group in self.store.waiting(age, WAITING).await? {
            all.entry(place(&group)).or_default().waiting = true;
        }
        for state in self.states().await {
            let place = place(&state.group);
            all.entry(place).or_default().owner = Some(state);
        }
        all.retain(|(_, zone), _| zones.contains(zone));
        Ok(all)
    }

    /// Sets what a mail server allows as a whole, in every zone.
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

    /// Pauses or resumes a mail server, in every zone.
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
        let (zones, key) = (self.zones(), &group.key);
        let set = self.store.set_group(&zones, key, self.shard(key), limits, paused).await?;
        tracing::info!(group = %key, ?limits, paused, "an operator changed a limit group");
        let groups: Vec<GroupId> = set.iter().map(|settings| settings.group.clone()).collect();
        self.link.broadcast(&Control::Settings(self.parts(set))).await;
        // There may be room now.
        self.wakes.wake(groups);
        Ok(())
    }

    fn shard(&self, key: &GroupKey) -> ShardIndex {
        shard_of(key, self.rules.collect.shards)
    }
}

/// What the configuration says of a group.
fn configured(key: &GroupKey, limits: GroupLimits, zone: &ZoneName) -> GroupSettings {
    let group = GroupId { zone: zone.clone(), key: key.clone() };
    // Version 0: whatever an operator sets is newer.
    GroupSettings { group, limits, paused: false, version: 0 }
}
