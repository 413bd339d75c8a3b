//! What is forgotten, and what must not be.

use std::time::Duration;

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{Erased, JobDraft, JobFilter, Store, Usage};

use super::{Place, batches, numbers, read, release, submit};
use crate::decisions::{cancel, collect, note_refusal};
use crate::samples::{self, batch, crm, draft, job, tenant};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) async fn old_jobs_are_deleted(place: &impl Place) {
    let store = place.open().await;
    batches::make(&store, &crm(), batch(1)).await;
    for number in 1..=5 {
        submit(&store, &samples::of_batch(number, batch(1))).await;
    }
    for number in [1, 2, 3] {
        store.advance(job(number), collect(0, Verdict::Healthy)).await.unwrap();
    }
    store.advance(job(4), cancel).await.unwrap();
    assert_eq!(store.purge(Duration::ZERO, 2).await.unwrap(), 2, "no more than asked for");
    assert_eq!(store.job(&crm(), job(1)).await.unwrap(), None);
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 2);
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 0);
    let left = store.jobs(&crm(), &JobFilter::default(), None, 9).await.unwrap();
    assert_eq!(numbers(left.jobs.iter().map(|job| job.id)), [5]);
    batches::end(&store, batch(1)).await;
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 0);
    assert!(batches::is_there(&store, &crm(), batch(1)).await, "a job of it is left");
    // The request id is free again.
    submit(&store, &draft(1)).await;
    // A batch goes with the last of its jobs.
    store.advance(job(5), cancel).await.unwrap();
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 1);
    assert!(!batches::is_there(&store, &crm(), batch(1)).await);
}

pub(crate) async fn young_and_open_jobs_stay(place: &impl Place) {
    let store = place.open().await;
    batches::make(&store, &crm(), batch(1)).await;
    batches::end(&store, batch(1)).await;
    submit(&store, &draft(1)).await;
    submit(&store, &draft(2)).await;
    store.advance(job(2), note_refusal(0)).await.unwrap();
    store.advance(job(2), collect(0, Verdict::Faulty)).await.unwrap();
    assert_eq!(store.purge(HOUR, 9).await.unwrap(), 0);
    assert_eq!(read(&store, 2).await.legs[0].budget.refusals, 1);
    assert!(batches::is_there(&store, &crm(), batch(1)).await);
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 1);
    assert_eq!(read(&store, 1).await.legs[0].budget.refusals, 0);
}

pub(crate) async fn old_refusals_are_forgotten(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    submit(&store, &draft(2)).await;
    for number in [1, 2] {
        store.advance(job(number), note_refusal(0)).await.unwrap();
    }
    let first = place.id(&job(1).0.simple().to_string());
    place.meddle(&format!("UPDATE ledger SET at = at - 7200000000 WHERE job = {first}")).await;
    assert_eq!(store.purge(HOUR, 9).await.unwrap(), 0);
    assert_eq!(read(&store, 1).await.legs[0].budget.refusals, 1);
}

pub(crate) async fn a_tenant_is_erased_wholly(place: &impl Place) {
    let store = place.open().await;
    let other = tenant("other");
    batches::make(&store, &crm(), batch(1)).await;
    batches::make(&store, &other, batch(2)).await;
    for number in 1..=5 {
        submit(&store, &samples::of_batch(number, batch(1))).await;
    }
    submit(&store, &JobDraft { tenant: other.clone(), batch: Some(batch(2)), ..draft(6) }).await;
    for number in [1, 6] {
        store.advance(job(number), note_refusal(0)).await.unwrap();
        store.advance(job(number), collect(0, Verdict::Faulty)).await.unwrap();
    }
    let released = release(&store, "a", 1).await;
    assert_eq!(store.erase_tenant(&crm(), 2).await.unwrap(), Erased::Partly);
    assert_eq!(store.usage(&crm()).await.unwrap(), Usage { interactive: 0, bulk: 3 });
    assert_eq!(store.erase_tenant(&crm(), 9).await.unwrap(), Erased::Wholly);
    assert_eq!(store.erase_tenant(&crm(), 9).await.unwrap(), Erased::Wholly);
    let left = store.jobs(&crm(), &JobFilter::default(), None, 9).await.unwrap();
    assert_eq!((left.jobs, left.next), (Vec::new(), None));
    assert_eq!(store.usage(&crm()).await.unwrap(), Usage::default());
    assert!(!batches::is_there(&store, &crm(), batch(1)).await);
    // What still ran finds nothing.
    let late = store.advance(released[0].id.job, collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(late, None);
    store.mark_published(&[(released[0].id, released[0].dispatch)]).await.unwrap();
    // Nobody else has lost anything.
    let view = store.job(&other, job(6)).await.unwrap().expect("a job");
    assert_eq!(view.legs[0].budget.refusals, 1);
    assert!(batches::is_there(&store, &other, batch(2)).await);
    assert_eq!(place.count("SELECT count(*) FROM turns").await, 0);
    assert_eq!(place.count("SELECT count(*) FROM tenant_counts WHERE tenant = 'crm'").await, 0);
    assert_eq!(place.count("SELECT count(*) FROM ledger WHERE tenant = 'crm'").await, 0);
}

pub(crate) async fn an_erased_tenant_may_begin_anew(place: &impl Place) {
    let store = place.open().await;
    let named = JobDraft { request: samples::request("r", 1), ..draft(1) };
    submit(&store, &named).await;
    assert_eq!(store.erase_tenant(&crm(), 9).await.unwrap(), Erased::Wholly);
    submit(&store, &JobDraft { id: job(2), ..named }).await;
    assert_eq!(store.usage(&crm()).await.unwrap(), Usage { interactive: 1, bulk: 0 });
    assert_eq!(release(&store, "a", 9).await.len(), 1);
}
