//! Batches as what jobs belong to: made, paused, resumed.

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    BatchChange, BatchDraft, BatchId, BatchState, GroupId, JobDraft, PauseCause, Store, TenantId,
};

use super::items::{draft, to};
use super::{Place, submit};
use crate::decisions::collect;
use crate::samples::{self, batch, crm, group, job, of_batch, tenant};

/// Makes a batch without items that runs.
pub(crate) async fn make(store: &impl Store, tenant: &TenantId, batch: BatchId) {
    store.open_batch(&BatchDraft { tenant: tenant.clone(), ..draft(batch, None) }).await.unwrap();
    turn(store, batch, to(BatchState::Running)).await;
}

/// Pauses a batch.
pub(crate) async fn pause(store: &impl Store, batch: BatchId) {
    let pause = Some((PauseCause::Operator, "reason".to_owned()));
    turn(store, batch, BatchChange { pause, ..to(BatchState::Paused) }).await;
}

/// Lets a batch go on; the groups that are to be dispatched.
pub(crate) async fn resume(store: &impl Store, batch: BatchId) -> Vec<GroupId> {
    turn(store, batch, to(BatchState::Running)).await
}

/// Ends a batch.
pub(crate) async fn end(store: &impl Store, batch: BatchId) {
    turn(store, batch, to(BatchState::Done)).await;
}

async fn turn(store: &impl Store, batch: BatchId, change: BatchChange) -> Vec<GroupId> {
    let fed = store.feed_batch(batch, |_| change.clone()).await.unwrap();
    fed.expect("a batch").wake
}

/// Whether a tenant has a batch.
pub(crate) async fn is_there(store: &impl Store, tenant: &TenantId, batch: BatchId) -> bool {
    store.batch_report(tenant, batch).await.unwrap().is_some()
}

pub(crate) async fn another_tenants_batch_is_unknown(place: &impl Place) {
    let store = place.open().await;
    make(&store, &crm(), batch(1)).await;
    assert!(is_there(&store, &crm(), batch(1)).await);
    assert!(!is_there(&store, &tenant("other"), batch(1)).await);
    assert!(!is_there(&store, &crm(), batch(2)).await);
    let fed = store.feed_batch(batch(2), |_| to(BatchState::Paused)).await.unwrap();
    assert_eq!(fed, None);
}

pub(crate) async fn a_resumed_batch_names_its_groups(place: &impl Place) {
    let store = place.open().await;
    for number in [1, 2] {
        make(&store, &crm(), batch(number)).await;
    }
    let item = |number, of, key| JobDraft {
        legs: samples::in_group(number, key).legs,
        ..of_batch(number, batch(of))
    };
    for (number, of, key) in [(1, 1, "c"), (2, 1, "a"), (3, 1, "a"), (4, 2, "b")] {
        submit(&store, &item(number, of, key)).await;
    }
    let paused = async || {
        let report = store.batch_report(&crm(), batch(1)).await.unwrap().expect("a batch");
        report.batch.pause.map(|pause| pause.reason)
    };
    assert_eq!(paused().await, None);
    pause(&store, batch(1)).await;
    assert_eq!(paused().await.as_deref(), Some("reason"));
    assert!(super::release(&store, "a", 9).await.is_empty());
    assert_eq!(resume(&store, batch(1)).await, [group("a"), group("c")]);
    assert_eq!(paused().await, None);
    assert_eq!(super::release(&store, "a", 9).await.len(), 2);
    // What is out comes to its end, and does not count as waiting.
    pause(&store, batch(1)).await;
    store.advance(job(2), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(resume(&store, batch(1)).await, [group("c")]);
}
