//! The zones: which one a leg is released to, and what part of a limit it has there.

use std::sync::Arc;

use mailfleet_model::fleet::{GatewayQueue, GroupLimits, GroupSettings, PoolName, Store, ZoneName};
use mailfleet_vault::PublicRing;

use crate::gateway::Gateway;

/// What an owner is told of a mail server where its zone may start nothing.
const NOTHING: GroupLimits =
    GroupLimits { concurrency: std::num::NonZeroU32::MIN, per_source: None, rate: None };

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Every zone of the deployment, by name.
    pub(crate) fn zones(&self) -> Vec<ZoneName> {
        let shares = &self.rules.dispatch.shares;
        if shares.is_empty() {
            vec![self.config.zone.clone()]
        } else {
            shares.zones().cloned().collect()
        }
    }

    /// The zone whose workers can leave from a pool's addresses.
    pub(crate) fn zone_of(&self, pool: &PoolName) -> &ZoneName {
        self.config.pool_zones.get(pool).unwrap_or(&self.config.zone)
    }

    /// What seals credentials for the workers of a zone.
    pub(crate) fn ring_of(&self, zone: &ZoneName) -> &Arc<PublicRing> {
        self.zone_rings.get(zone).unwrap_or(&self.ring)
    }

    /// What a zone may do at a mail server that allows this as a whole; `None`: nothing.
    pub(crate) fn part(&self, limits: &GroupLimits, zone: &ZoneName) -> Option<GroupLimits> {
        self.rules.dispatch.shares.part(limits, zone)
    }

    /// The settings as owners are told them: the part of each one's zone. Where that is
    /// nothing, the group counts as paused.
    pub(crate) fn parts(&self, settings: Vec<GroupSettings>) -> Vec<GroupSettings> {
        let part = |settings: GroupSettings| match self.part(&settings.limits, &settings.group.zone)
        {
            Some(limits) => GroupSettings { limits, ..settings },
            None => GroupSettings { limits: NOTHING, paused: true, ..settings },
        };
        settings.into_iter().map(part).collect()
    }
}
