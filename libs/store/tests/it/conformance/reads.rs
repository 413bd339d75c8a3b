//! What callers and watchers read.

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{JobClass, JobDraft, JobFilter, JobState, Store, StoreError, Usage};

use super::{Place, batches, numbers, read, release, submit};
use crate::decisions::{cancel, collect};
use crate::samples::{self, crm, draft, job, tenant};

pub(crate) async fn another_tenants_job_is_unknown(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    assert_eq!(store.job(&tenant("other"), job(1)).await.unwrap(), None);
    assert_eq!(store.job(&crm(), job(2)).await.unwrap(), None);
    let page = store.jobs(&tenant("other"), &JobFilter::default(), None, 9).await.unwrap();
    assert_eq!((page.jobs.len(), page.next), (0, None));
}

pub(crate) async fn pages_have_the_newest_first(place: &impl Place) {
    let store = place.open().await;
    for number in [2, 5, 1, 4, 3] {
        submit(&store, &draft(number)).await;
    }
    submit(&store, &JobDraft { tenant: tenant("other"), ..draft(6) }).await;
    store.advance(job(4), collect(0, Verdict::Healthy)).await.unwrap();
    let page = async |from, limit| {
        let page = store.jobs(&crm(), &JobFilter::default(), from, limit).await.unwrap();
        assert!(page.jobs.iter().all(|job| job.report.is_none()), "reports are left out");
        (numbers(page.jobs.into_iter().map(|job| job.id)), page.next)
    };
    assert_eq!(page(None, 2).await, (vec![5, 4], Some(job(4))));
    assert_eq!(page(Some(job(4)), 2).await, (vec![3, 2], Some(job(2))));
    assert_eq!(page(Some(job(2)), 2).await, (vec![1], None));
    assert_eq!(page(None, 5).await, (vec![5, 4, 3, 2, 1], None));
    assert_eq!(page(Some(job(1)), 5).await, (vec![], None));
    // A list says what the job itself says.
    let listed = store.jobs(&crm(), &JobFilter::default(), None, 9).await.unwrap().jobs;
    let mut whole = read(&store, 4).await.job;
    whole.report = None;
    assert_eq!(listed[1], whole);
}

pub(crate) async fn lists_are_filtered(place: &impl Place) {
    let store = place.open().await;
    batches::make(&store, &crm(), samples::batch(1)).await;
    submit(&store, &draft(1)).await;
    submit(&store, &JobDraft { class: JobClass::Sync, ..draft(2) }).await;
    submit(&store, &samples::of_batch(3, samples::batch(1))).await;
    submit(&store, &samples::of_batch(4, samples::batch(1))).await;
    store.advance(job(1), collect(0, Verdict::Healthy)).await.unwrap();
    store.advance(job(4), cancel).await.unwrap();
    let list = async |states: &[JobState], classes: &[JobClass], batch| {
        let filter = JobFilter { states: states.to_vec(), classes: classes.to_vec(), batch };
        let page = store.jobs(&crm(), &filter, None, 9).await.unwrap();
        numbers(page.jobs.into_iter().map(|job| job.id))
    };
    assert_eq!(list(&[JobState::Open], &[], None).await, [3, 2]);
    assert_eq!(list(&[JobState::Done, JobState::Cancelled], &[], None).await, [4, 1]);
    assert_eq!(list(&[], &[JobClass::Sync, JobClass::Interactive], None).await, [2, 1]);
    assert_eq!(list(&[], &[], Some(samples::batch(1))).await, [4, 3]);
    assert_eq!(list(&[JobState::Open], &[], Some(samples::batch(1))).await, [3]);
    assert!(list(&[], &[], Some(samples::batch(2))).await.is_empty());
}

pub(crate) async fn versions_are_read_many_at_once(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=3 {
        submit(&store, &draft(number)).await;
    }
    release(&store, "a", 1).await;
    store.advance(job(2), cancel).await.unwrap();
    let mut versions = store.versions(&[job(3), job(1), job(9), job(2)]).await.unwrap();
    versions.sort_by_key(|(job, ..)| *job);
    let expect = [
        (job(1), 2, JobState::Open),
        (job(2), 2, JobState::Cancelled),
        (job(3), 1, JobState::Open),
    ];
    assert_eq!(versions, expect);
    for (job, version, _) in versions {
        assert_eq!(read(&store, job.0.as_u128()).await.job.version, version);
    }
    assert!(store.versions(&[]).await.unwrap().is_empty());
    let many: Vec<_> = (1..=1_000).map(job).collect();
    assert_eq!(store.versions(&many).await.unwrap().len(), 3);
}

pub(crate) async fn a_jobs_row_is_read_without_its_legs(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=2 {
        submit(&store, &draft(number)).await;
    }
    release(&store, "a", 2).await;
    store.advance(job(2), collect(0, Verdict::Healthy)).await.unwrap();
    for number in 1..=2 {
        let record = store.record(&crm(), job(number)).await.unwrap();
        assert_eq!(record, Some(read(&store, number).await.job));
        assert_eq!(record.is_some_and(|job| job.report.is_some()), number == 2);
    }
    assert_eq!(store.record(&tenant("other"), job(1)).await.unwrap(), None);
    assert_eq!(store.record(&crm(), job(3)).await.unwrap(), None);
}

pub(crate) async fn usage_is_counted_by_class(place: &impl Place) {
    let store = place.open().await;
    let usage = async || store.usage(&crm()).await.unwrap();
    assert_eq!(usage().await, Usage::default());
    for number in 1..=40 {
        let class = [JobClass::Interactive, JobClass::Revalidation, JobClass::Sync];
        let class = class[usize::try_from(number % 3).unwrap()];
        submit(&store, &JobDraft { class, ..draft(number) }).await;
    }
    submit(&store, &JobDraft { tenant: tenant("other"), ..draft(41) }).await;
    assert_eq!(usage().await, Usage { interactive: 13, bulk: 27 });
    store.advance(job(3), collect(0, Verdict::Healthy)).await.unwrap();
    store.advance(job(4), cancel).await.unwrap();
    store.advance(job(4), cancel).await.unwrap();
    assert_eq!(usage().await, Usage { interactive: 12, bulk: 26 });
}

pub(crate) async fn the_clock_goes_on(place: &impl Place) {
    let store = place.open().await;
    let first = store.now().await.unwrap();
    let second = place.open().await.now().await.unwrap();
    assert!(first < second);
    let here = mailfleet_model::fleet::Timestamp::from(std::time::SystemTime::now());
    assert!(here.since(second).as_secs() < 60 && second.since(here).as_secs() < 60);
}

pub(crate) async fn names_that_make_no_sense_are_corrupt(place: &impl Place) {
    let store = place.open().await;
    let wrong = [
        ("legs", "state", "'WAITING'"),
        ("legs", "tenant", "'Ä b'"),
        ("legs", "gate", "'AFTER_LEG'"),
        ("legs", "shard", "70000"),
        ("legs", "since", "-1"),
        ("legs", "end_login", "'ACCEPTED'"),
        ("legs", "idx", "3"),
        ("jobs", "state", "'LOST'"),
        ("jobs", "class", "'canary'"),
        ("jobs", "verdict", "'FINE'"),
    ];
    for (number, (table, column, value)) in (1..).zip(wrong) {
        submit(&store, &draft(number)).await;
        let key = if table == "legs" { "job" } else { "id" };
        let id = job(number).0.simple();
        let id = place.id(&id.to_string());
        place.meddle(&format!("UPDATE {table} SET {column} = {value} WHERE {key} = {id}")).await;
        match store.job(&crm(), job(number)).await {
            Err(StoreError::Corrupt { operation, what }) => {
                assert_eq!(operation, "read a job");
                assert!(!what.contains("canary"), "{what}");
            }
            other => panic!("{table}.{column} = {value}: {other:?}"),
        }
    }
}
