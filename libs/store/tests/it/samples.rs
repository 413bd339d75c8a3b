//! Jobs, legs and groups to test with. Ids are small numbers: every test has a store of
//! its own.

use std::num::NonZeroU32;
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, Gate, GroupId, GroupKey, GroupLimits, GroupSettings, JobClass, JobDraft, LegDraft,
    LegId, LoginTag, MailboxTag, Payload, RequestKey, RequestTag, SettingsTag, ShardIndex, Store,
    TenantId,
};
use uuid::Uuid;

pub(crate) fn tenant(name: &str) -> TenantId {
    name.parse().expect("a name")
}

/// The tenant of most tests.
pub(crate) fn crm() -> TenantId {
    tenant("crm")
}

pub(crate) fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

pub(crate) fn leg(number: u128, index: u8) -> LegId {
    LegId { job: job(number), index }
}

pub(crate) fn batch(number: u128) -> BatchId {
    BatchId(Uuid::from_u128(0xba7c_0000 + number))
}

pub(crate) fn group(key: &str) -> GroupId {
    group_in("default", key)
}

pub(crate) fn group_in(zone: &str, key: &str) -> GroupId {
    let (zone, key) = (zone.parse().expect("a name"), GroupKey::new(key).expect("a key"));
    GroupId { zone, key }
}

/// A limit.
pub(crate) fn limits(concurrency: u32) -> GroupLimits {
    let concurrency = NonZeroU32::new(concurrency).expect("not zero");
    GroupLimits { concurrency, per_source: None, rate: None }
}

/// The limit of groups without settings of their own.
pub(crate) fn default_limits() -> GroupLimits {
    limits(10)
}

pub(crate) fn login(number: u8) -> LoginTag {
    LoginTag([number; 32])
}

/// A leg that may start at once, in group `a` on shard 1.
pub(crate) fn leg_draft() -> LegDraft {
    LegDraft {
        kind: "incoming".parse().expect("a name"),
        gate: Gate::Open,
        group: group("a"),
        shard: ShardIndex(1),
        pool: "default".parse().expect("a name"),
        mailbox: MailboxTag([1; 32]),
        login: login(1),
        cap: Duration::from_secs(60),
        payload: Payload(b"sealed credential".to_vec()),
    }
}

/// An interactive job of `crm` with one leg.
pub(crate) fn draft(number: u128) -> JobDraft {
    JobDraft {
        id: job(number),
        tenant: crm(),
        class: JobClass::Interactive,
        batch: None,
        request: None,
        settings: None,
        deadline: Duration::from_secs(300),
        live_to: None,
        traceparent: None,
        payload: Payload(b"request".to_vec()),
        legs: vec![leg_draft()],
    }
}

/// The same with these legs.
pub(crate) fn with_legs(number: u128, legs: Vec<LegDraft>) -> JobDraft {
    JobDraft { legs, ..draft(number) }
}

/// The same in this group.
pub(crate) fn in_group(number: u128, key: &str) -> JobDraft {
    with_legs(number, vec![LegDraft { group: group(key), ..leg_draft() }])
}

/// A job of a batch.
pub(crate) fn of_batch(number: u128, of: BatchId) -> JobDraft {
    JobDraft { batch: Some(of), class: JobClass::Revalidation, ..draft(number) }
}

pub(crate) fn request(id: &str, body: u8) -> Option<RequestKey> {
    Some(RequestKey { id: id.to_owned(), body: RequestTag([body; 32]) })
}

pub(crate) fn settings(number: u8) -> Option<SettingsTag> {
    Some(SettingsTag([number; 32]))
}

/// Sets what a group allows in its own zone.
pub(crate) async fn set(
    store: &impl Store,
    group: &GroupId,
    shard: u16,
    limits: GroupLimits,
    paused: bool,
) -> GroupSettings {
    let zones = [group.zone.clone()];
    let set = store.set_group(&zones, &group.key, ShardIndex(shard), limits, paused).await;
    set.unwrap().remove(0)
}
