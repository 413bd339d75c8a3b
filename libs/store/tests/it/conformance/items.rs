//! Items of batches: uploaded, listed, summed up.

use std::time::Duration;

use mailfleet_model::fleet::{
    Added, BatchChange, BatchDraft, BatchId, BatchOpened, BatchSettings, BatchState, BatchView,
    ItemCounts, ItemDraft, ItemFilter, ItemRecord, ItemState, JobClass, LegDraft, LoginTag,
    RequestKey, Store,
};
use mailfleet_model::{FaultCode, Verdict};

use super::Place;
use crate::decisions::{collect_as, refused_as};
use crate::samples::{self, batch, crm, group, tenant};

pub(crate) fn draft(id: BatchId, request: Option<RequestKey>) -> BatchDraft {
    let hour = Duration::from_secs(3_600);
    let settings = BatchSettings {
        class: JobClass::Revalidation,
        max_open: 100,
        canaries: 3,
        stop_when: Some(20),
        item_deadline: hour,
        deadline: hour * 24,
    };
    let display_name = "March".to_owned();
    BatchDraft { id, tenant: crm(), request, display_name, settings, traceparent: None }
}

/// An item with a login of its own, in the group `a`.
pub(crate) fn item(number: u8, domain: &str) -> ItemDraft {
    let login = LoginTag([number; 32]);
    ItemDraft {
        key: format!("key-{number}"),
        address: format!("user{number}@{domain}"),
        domain: domain.to_owned(),
        login,
        payload: mailfleet_model::fleet::Payload(vec![number]),
        legs: vec![LegDraft { login, group: group("a"), ..samples::leg_draft() }],
    }
}

/// A running batch with items in one domain.
pub(crate) async fn running(store: &impl Store, number: u128, items: &[ItemDraft]) -> BatchId {
    let id = batch(number);
    store.open_batch(&draft(id, None)).await.unwrap();
    store.add_items(id, items).await.unwrap().expect("it takes items");
    let fed = store.feed_batch(id, |_| to(BatchState::Running)).await.unwrap();
    assert_eq!(fed.expect("a batch").batch.state, BatchState::Running);
    id
}

pub(crate) fn to(state: BatchState) -> BatchChange {
    BatchChange { state: Some(state), ..BatchChange::default() }
}

/// Begins everything that is seen.
pub(crate) fn begin_all(view: &BatchView) -> BatchChange {
    let held = view.domains.iter().flat_map(|domain| &domain.held);
    BatchChange { begin: held.map(|item| item.position).collect(), ..BatchChange::default() }
}

/// All items, held against the counters.
pub(crate) async fn all(store: &impl Store, id: BatchId) -> Vec<ItemRecord> {
    let items = store.items(id, &ItemFilter::default(), 0, 9_999).await.unwrap();
    let report = store.batch_report(&crm(), id).await.unwrap().expect("a batch");
    let mut sum = ItemCounts::default();
    let mut codes = std::collections::BTreeMap::new();
    for item in &items {
        *sum.of(item.state, item.verdict) += 1;
        if let Some(code) = item.code {
            *codes.entry(code).or_insert(0_u64) += 1;
        }
    }
    assert_eq!(report.batch.counts, sum, "the counters are not the sum of the items");
    let counted: std::collections::BTreeMap<_, _> = report.codes.into_iter().collect();
    assert_eq!(counted, codes, "the codes are not the sum of the items");
    items
}

pub(crate) async fn an_upload_goes_on_where_it_broke_off(place: &impl Place) {
    let store = place.open().await;
    let request = samples::request("r", 1);
    let open = async |id, body| {
        let request = RequestKey { body, ..request.clone().expect("a request") };
        store.open_batch(&draft(batch(id), Some(request))).await.unwrap()
    };
    let same = request.as_ref().expect("a request").body;
    let uploading = BatchOpened::There(batch(1), BatchState::Uploading);
    assert_eq!(open(1, same).await, uploading);
    let first = [item(1, "a.test"), item(2, "a.test")];
    let added = store.add_items(batch(1), &first).await.unwrap();
    assert_eq!(added, Some(Added { stored: 2, known: 0 }));
    assert_eq!(open(2, same).await, uploading);
    assert_eq!(
        open(3, mailfleet_model::fleet::RequestTag([9; 32])).await,
        BatchOpened::RequestIdReused
    );
    let again = [item(1, "a.test"), item(2, "a.test"), item(3, "b.test"), item(3, "b.test")];
    let added = store.add_items(batch(1), &again).await.unwrap();
    assert_eq!(added, Some(Added { stored: 1, known: 3 }));
    let items = all(&store, batch(1)).await;
    let told: Vec<(u64, &str)> = items.iter().map(|i| (i.position, i.key.as_str())).collect();
    assert_eq!(told, [(1, "key-1"), (2, "key-2"), (3, "key-3")]);
    store.feed_batch(batch(1), |_| to(BatchState::Running)).await.unwrap();
    assert_eq!(store.add_items(batch(1), &first).await.unwrap(), None);
    assert_eq!(open(4, same).await, BatchOpened::There(batch(1), BatchState::Running));
}

pub(crate) async fn nothing_begins_before_the_upload_is_complete(place: &impl Place) {
    let store = place.open().await;
    store.open_batch(&draft(batch(1), None)).await.unwrap();
    store.add_items(batch(1), &[item(1, "a.test")]).await.unwrap();
    assert!(store.live_batches(9).await.unwrap().is_empty());
    let fed = store.feed_batch(batch(1), begin_all).await.unwrap().expect("a batch");
    assert_eq!((fed.moved, fed.batch.state), (0, BatchState::Uploading));
    assert_eq!(all(&store, batch(1)).await[0].state, ItemState::Held);
    assert_eq!(place.count("SELECT count(*) FROM jobs").await, 0);
}

pub(crate) async fn a_wrong_upload_is_discarded(place: &impl Place) {
    let store = place.open().await;
    store.open_batch(&draft(batch(1), None)).await.unwrap();
    store.add_items(batch(1), &[item(1, "a.test")]).await.unwrap();
    store.discard_batch(batch(1)).await.unwrap();
    assert_eq!(store.batch_report(&crm(), batch(1)).await.unwrap(), None);
    for table in ["batch_items", "batch_legs", "batch_tallies"] {
        assert_eq!(place.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    let id = running(&store, 2, &[item(1, "a.test")]).await;
    store.discard_batch(id).await.unwrap();
    assert!(store.batch_report(&crm(), id).await.unwrap().is_some(), "one that runs stays");
}

pub(crate) async fn items_are_listed_and_summed_up(place: &impl Place) {
    let store = place.open().await;
    let items = [item(1, "a.test"), item(2, "a.test"), item(3, "b.test"), item(4, "b.test")];
    let id = running(&store, 1, &items).await;
    store.feed_batch(id, begin_all).await.unwrap();
    let begun = all(&store, id).await;
    let job = |index: usize| begun[index].job.expect("it began");
    store.advance(job(0), collect_as(Verdict::Healthy, None)).await.unwrap();
    let expired = Some(FaultCode::TlsCertExpired);
    store.advance(job(1), collect_as(Verdict::Faulty, expired)).await.unwrap();
    store.advance(job(2), collect_as(Verdict::Faulty, expired)).await.unwrap();
    let ended = all(&store, id).await;
    assert_eq!(ended[1].group.as_deref(), Some("a"));
    assert!(ended[1].finished.is_some() && ended[3].finished.is_none());
    let page = async |filter: ItemFilter, from| {
        let items = store.items(id, &filter, from, 9).await.unwrap();
        items.into_iter().map(|item| item.position).collect::<Vec<_>>()
    };
    let any = ItemFilter::default;
    assert_eq!(page(any(), 2).await, [3, 4]);
    assert_eq!(page(ItemFilter { state: Some(ItemState::Open), ..any() }, 0).await, [4]);
    assert_eq!(page(ItemFilter { verdict: Some(Verdict::Faulty), ..any() }, 0).await, [2, 3]);
    assert_eq!(page(ItemFilter { code: expired, ..any() }, 2).await, [3]);
    let domain = Some("a.test".to_owned());
    assert_eq!(page(ItemFilter { domain, ..any() }, 0).await, [1, 2]);
    let causes = store.causes(id).await.unwrap();
    let told: Vec<_> = causes.iter().map(|c| (c.domain.as_str(), c.code, c.items)).collect();
    let code = FaultCode::TlsCertExpired;
    assert_eq!(told, [("a.test", code, 1), ("b.test", code, 1)]);
    assert_eq!(store.examples(id, &causes[1], 5).await.unwrap(), ["user3@b.test"]);
    let listed = store.batches(&crm(), None, 9).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].counts.faulty, listed[0].display_name.as_str()), (2, "March"));
    assert_eq!(store.batch_report(&crm(), id).await.unwrap().expect("a batch").recent, 3);
}

pub(crate) async fn credentials_go_as_soon_as_an_item_cannot_begin_anew(place: &impl Place) {
    let store = place.open().await;
    let items: Vec<_> = (1..=4).map(|number| item(number, "a.test")).collect();
    let id = running(&store, 1, &items).await;
    store.feed_batch(id, begin_all).await.unwrap();
    let begun = all(&store, id).await;
    let job = |index: usize| begun[index].job.expect("it began");
    store.advance(job(0), collect_as(Verdict::Healthy, None)).await.unwrap();
    store.advance(job(1), refused_as(Verdict::Faulty)).await.unwrap();
    let late = Some(FaultCode::ConnectTimeout);
    store.advance(job(2), collect_as(Verdict::Inconclusive, late)).await.unwrap();
    let kept = "SELECT count(*) FROM batch_legs WHERE length(payload) > 0";
    assert_eq!(place.count(kept).await, 2, "of one that failed and of one that is open");
}

pub(crate) async fn another_tenants_items_are_unknown(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test")]).await;
    assert_eq!(store.batch_report(&tenant("other"), id).await.unwrap(), None);
    assert!(store.batches(&tenant("other"), None, 9).await.unwrap().is_empty());
}

pub(crate) async fn an_old_batch_goes_with_its_items_once_it_has_ended(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    let purge = async || store.purge(Duration::ZERO, 9).await.unwrap();
    assert_eq!(purge().await, 0);
    assert_eq!(all(&store, id).await.len(), 2, "held items are no leftovers");
    store.feed_batch(id, begin_all).await.unwrap();
    for item in all(&store, id).await {
        let job = item.job.expect("a job");
        store.advance(job, collect_as(Verdict::Healthy, None)).await.unwrap();
    }
    store.feed_batch(id, |_| to(BatchState::Done)).await.unwrap();
    assert_eq!(purge().await, 2);
    assert_eq!(store.batch_report(&crm(), id).await.unwrap(), None);
    assert_eq!(place.count("SELECT count(*) FROM batch_items").await, 0);
}

pub(crate) async fn an_erased_tenants_batches_begin_nothing_more(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    let first = |view: &BatchView| {
        let mut change = begin_all(view);
        change.begin.truncate(1);
        change
    };
    store.feed_batch(id, first).await.unwrap();
    while store.erase_tenant(&crm(), 1).await.unwrap() == mailfleet_model::fleet::Erased::Partly {
        assert!(store.live_batches(9).await.unwrap().is_empty());
    }
    for table in ["batches", "batch_items", "batch_legs", "batch_tallies", "jobs"] {
        assert_eq!(place.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}
