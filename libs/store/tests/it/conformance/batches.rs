//! Batches and their counters.

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{BatchCounts, BatchId, JobDraft, JobFilter, JobState, Store};

use super::{Place, submit};
use crate::decisions::{cancel, collect};
use crate::samples::{self, batch, crm, group, job, of_batch, tenant};

/// The counters, held against the jobs that are there.
pub(crate) async fn counts(store: &impl Store, batch: BatchId) -> BatchCounts {
    let (counts, _) = store.batch(&crm(), batch).await.unwrap().expect("a batch");
    let filter = JobFilter { batch: Some(batch), ..JobFilter::default() };
    let page = store.jobs(&crm(), &filter, None, 9_999).await.unwrap();
    let mut sum = BatchCounts::default();
    for job in page.jobs {
        *match (job.state, job.verdict) {
            (JobState::Open, _) => &mut sum.open,
            (JobState::Cancelled, _) => &mut sum.cancelled,
            (JobState::Done, Some(Verdict::Healthy)) => &mut sum.healthy,
            (JobState::Done, Some(Verdict::Faulty)) => &mut sum.faulty,
            (JobState::Done, Some(Verdict::Inconclusive) | None) => &mut sum.inconclusive,
        } += 1;
    }
    assert_eq!(counts, sum, "the counters are not the sum of the items");
    counts
}

pub(crate) async fn a_batch_counts_its_jobs(place: &impl Place) {
    let store = place.open().await;
    let batch = batch(1);
    for _ in 0..2 {
        store.create_batch(&crm(), batch).await.unwrap();
        assert_eq!(counts(&store, batch).await, BatchCounts::default());
    }
    for number in 1..=5 {
        submit(&store, &of_batch(number, batch)).await;
    }
    assert_eq!(counts(&store, batch).await, BatchCounts { open: 5, ..BatchCounts::default() });
    for (number, verdict) in
        [(1, Verdict::Healthy), (2, Verdict::Faulty), (3, Verdict::Inconclusive)]
    {
        store.advance(job(number), collect(0, verdict)).await.unwrap();
    }
    store.advance(job(4), cancel).await.unwrap();
    let expect = BatchCounts { open: 1, healthy: 1, faulty: 1, inconclusive: 1, cancelled: 1 };
    assert_eq!(counts(&store, batch).await, expect);
    // Making it anew does not empty it.
    store.create_batch(&crm(), batch).await.unwrap();
    assert_eq!(counts(&store, batch).await, expect);
}

pub(crate) async fn another_tenants_batch_is_unknown(place: &impl Place) {
    let store = place.open().await;
    store.create_batch(&crm(), batch(1)).await.unwrap();
    assert_eq!(store.batch(&tenant("other"), batch(1)).await.unwrap(), None);
    assert_eq!(store.batch(&crm(), batch(2)).await.unwrap(), None);
    store.create_batch(&tenant("other"), batch(1)).await.unwrap();
    assert_eq!(store.batch(&tenant("other"), batch(1)).await.unwrap(), None);
    assert!(store.batch(&crm(), batch(1)).await.unwrap().is_some());
    assert!(store.pause_batch(batch(2), Some("reason")).await.unwrap().is_empty());
    assert!(store.pause_batch(batch(2), None).await.unwrap().is_empty());
}

/// A number that looks random and is the same in every run.
fn shuffled(step: u64) -> u64 {
    step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

pub(crate) async fn counters_equal_the_sum_of_the_items(place: &impl Place) {
    let store = place.open().await;
    let batches = [batch(1), batch(2)];
    for batch in batches {
        store.create_batch(&crm(), batch).await.unwrap();
    }
    let mut newest = 0;
    for step in 1..=150 {
        let number = u128::from(shuffled(step)) % (newest + 1);
        match shuffled(step + 1_000) % 8 {
            0..=3 => {
                newest += 1;
                let batch = batches[usize::try_from(newest % 2).unwrap()];
                submit(&store, &of_batch(newest, batch)).await;
            }
            4 => drop(store.advance(job(number), collect(0, Verdict::Healthy)).await.unwrap()),
            5 => drop(store.advance(job(number), collect(0, Verdict::Faulty)).await.unwrap()),
            6 => drop(store.advance(job(number), cancel).await.unwrap()),
            _ => drop(store.purge(std::time::Duration::ZERO, 1).await.unwrap()),
        }
        if step % 25 == 0 {
            for batch in batches {
                counts(&store, batch).await;
            }
        }
    }
    assert!(10 < newest);
}

pub(crate) async fn a_resumed_batch_names_its_groups(place: &impl Place) {
    let store = place.open().await;
    for number in [1, 2] {
        store.create_batch(&crm(), batch(number)).await.unwrap();
    }
    let item = |number, of, key| JobDraft {
        legs: samples::in_group(number, key).legs,
        ..of_batch(number, batch(of))
    };
    for (number, of, key) in [(1, 1, "c"), (2, 1, "a"), (3, 1, "a"), (4, 2, "b")] {
        submit(&store, &item(number, of, key)).await;
    }
    let paused = async || store.batch(&crm(), batch(1)).await.unwrap().expect("a batch").1;
    assert_eq!(paused().await, None);
    assert!(store.pause_batch(batch(1), Some("reason")).await.unwrap().is_empty());
    assert_eq!(paused().await.as_deref(), Some("reason"));
    assert!(super::release(&store, "a", 9).await.is_empty());
    assert_eq!(store.pause_batch(batch(1), None).await.unwrap(), [group("a"), group("c")]);
    assert_eq!(paused().await, None);
    assert_eq!(super::release(&store, "a", 9).await.len(), 2);
    // What is out comes to its end, and does not count as waiting.
    store.pause_batch(batch(1), Some("again")).await.unwrap();
    store.advance(job(2), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(store.pause_batch(batch(1), None).await.unwrap(), [group("c")]);
}
