//! Items of a batch, sealed: what the store keeps of a validation until it begins.

use std::collections::HashMap;

use mailfleet_api::order;
use mailfleet_api::request::batch::Item;
use mailfleet_model::fleet::{Gate, GatewayQueue, GroupId, GroupKey, ItemDraft, Store};
use mailfleet_model::{Endpoint, Outline};

use crate::gateway::Gateway;
use crate::submit::{Planned, SubmitError, plan};
use crate::tenants::Tenant;

/// Most endpoints whose groups an upload remembers: a bound, and many more than most have.
const KNOWN: usize = 20_000;

/// The limit groups of endpoints that an upload has met.
#[derive(Debug, Default)]
pub(crate) struct KnownGroups(HashMap<Endpoint, GroupId>);

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Finds the limit groups of the items' endpoints, each host once.
    pub(crate) async fn meet(&self, tenant: &Tenant, items: &[Item], known: &mut KnownGroups) {
        if KNOWN < known.0.len() {
            known.0.clear();
        }
        let settings = items
            .iter()
            .flat_map(|item| item.validation.incoming.iter().chain(&item.validation.outgoing));
        let mut new: Vec<Endpoint> = Vec::new();
        for settings in settings {
            if !known.0.contains_key(&settings.endpoint) && !new.contains(&settings.endpoint) {
                new.push(settings.endpoint.clone());
            }
        }
        let zone = self.zone_of(&tenant.pool);
        for some in new.chunks(32) {
            let groups = some.iter().map(|at| self.group(at, zone));
            let groups = futures::future::join_all(groups).await;
            known.0.extend(some.iter().cloned().zip(groups));
        }
    }

    /// Seals an item. Takes some CPU: not for a thread that others wait for.
    pub(crate) fn item(
        &self,
        tenant: &Tenant,
        item: Item,
        known: &KnownGroups,
    ) -> Result<ItemDraft, SubmitError> {
        let Item { key, validation } = item;
        let egress = self.config.pools.get(&tenant.pool).cloned().unwrap_or_default();
        let outline = Outline::of(&validation, egress, |login| self.ring.login_tag(login));
        let mut legs = Vec::new();
        for (index, planned) in plan(&validation).into_iter().enumerate() {
            // The first leg's answer decides whether the password is worth another try. The
            // store keeps it back then: legs that wait need not listen to each other.
            let gate = if index == 0 { Gate::Open } else { Gate::AfterLeg(0) };
            let planned = Planned { gate, pair: order::Pair::Alone, ..planned };
            let group = known.0.get(&planned.spec.endpoint).cloned();
            let group = group.unwrap_or_else(|| GroupId {
                zone: self.zone_of(&tenant.pool).clone(),
                key: group_by_name(&planned.spec.endpoint),
            });
            legs.push(self.leg(tenant, planned, group)?);
        }
        let login = legs.first().map(|leg| leg.login);
        Ok(ItemDraft {
            key,
            address: validation.mailbox.to_string(),
            domain: validation.mailbox.domain().to_owned(),
            login: login.expect("a checked validation has a leg"),
            payload: order::outline_payload(&outline),
            legs,
        })
    }
}

/// The limit group of an endpoint whose addresses nobody knows.
pub(crate) fn group_by_name(endpoint: &Endpoint) -> GroupKey {
    mailfleet_engine::grouping::group_key(endpoint.protocol, &endpoint.host, &[], &[])
}
