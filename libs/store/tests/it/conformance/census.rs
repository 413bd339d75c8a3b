//! What operators count over all tenants.

use std::time::Duration;

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    BatchState, Census, ItemState, JobClass, JobDraft, JobState, Recent, Store,
};

use super::items::{begin_all, item, running};
use super::{Place, release, submit};
use crate::decisions::{cancel, collect, refused_as};
use crate::samples::{draft, in_group, job, tenant};

const WINDOW: Duration = Duration::from_secs(60);

pub(crate) async fn what_waits_is_counted_over_all_tenants(place: &impl Place) {
    let store = place.open().await;
    let empty = store.census().await.unwrap();
    let classes = [JobClass::Interactive, JobClass::Revalidation, JobClass::Sync];
    assert_eq!(empty.open, classes.map(|class| (class, 0)), "zeros are told as well");
    assert_eq!((empty.ready, empty.released, empty.oldest), (0, 0, Duration::ZERO));
    submit(&store, &in_group(1, "a")).await;
    submit(&store, &in_group(2, "a")).await;
    submit(&store, &JobDraft { tenant: tenant("other"), ..in_group(3, "b") }).await;
    submit(&store, &JobDraft { class: JobClass::Sync, ..in_group(4, "c") }).await;
    let before = store.census().await.unwrap();
    let legs = before.ready;
    assert_eq!(before.open, [(classes[0], 3), (classes[1], 0), (classes[2], 1)]);
    let released = release(&store, "a", 1).await;
    assert_eq!(released.len(), 1);
    place.meddle("UPDATE legs SET since = since - 7000000 WHERE state = 'RELEASED'").await;
    let Census { ready, released, oldest, .. } = store.census().await.unwrap();
    assert_eq!((ready, released), (legs - 1, 1));
    assert!((7..60).contains(&oldest.as_secs()), "{oldest:?}");
}

pub(crate) async fn items_of_batches_are_counted_until_they_end(place: &impl Place) {
    let store = place.open().await;
    let items: Vec<_> = (1..=3).map(|number| item(number, "a.test")).collect();
    let id = running(&store, 1, &items).await;
    let items = async || store.census().await.unwrap();
    let count = |census: &Census, state| {
        census.items.iter().find(|(known, _)| *known == state).map(|(_, items)| *items)
    };
    let held = items().await;
    assert_eq!(count(&held, ItemState::Held), Some(3));
    assert_eq!(held.batches, [(BatchState::Running, 1)]);
    store.feed_batch(id, begin_all).await.unwrap();
    let begun = items().await;
    assert_eq!([ItemState::Held, ItemState::Open].map(|s| count(&begun, s)), [Some(0), Some(3)]);
    let all = super::items::all(&store, id).await;
    store.advance(all[0].job.expect("a job"), refused_as(Verdict::Faulty)).await.unwrap();
    let one = items().await;
    assert_eq!([ItemState::Open, ItemState::Done].map(|s| count(&one, s)), [Some(2), Some(1)]);
    // Each item has a trace of its own.
    let mut traces = Vec::new();
    for item in all {
        let view = store.job(&crate::samples::crm(), item.job.expect("a job")).await.unwrap();
        traces.push(view.expect("a job").job.traceparent.expect("a trace"));
    }
    let digits = |text: &String| text.split('-').nth(1).map(ToOwned::to_owned);
    traces.sort_by_key(digits);
    traces.dedup_by_key(|text| digits(text));
    assert_eq!(traces.len(), 3, "{traces:?}");
}

pub(crate) async fn what_has_just_ended_is_counted(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.recent(WINDOW).await.unwrap(), Recent::default());
    for number in 1..=5 {
        submit(&store, &draft(number)).await;
    }
    store.advance(job(1), collect(0, Verdict::Healthy)).await.unwrap();
    store.advance(job(2), collect(0, Verdict::Healthy)).await.unwrap();
    store.advance(job(3), refused_as(Verdict::Faulty)).await.unwrap();
    store.advance(job(4), cancel).await.unwrap();
    let Recent { jobs, codes, open } = store.recent(WINDOW).await.unwrap();
    assert_eq!(open, 1, "the fifth");
    let done = |verdict| jobs.iter().find(|job| (job.0, job.1) == (JobState::Done, verdict));
    assert_eq!(done(Some(Verdict::Healthy)).map(|job| job.2), Some(2));
    assert_eq!(done(Some(Verdict::Faulty)).map(|job| job.2), Some(1));
    assert_eq!(jobs.iter().map(|job| job.2).sum::<u64>(), 4, "{jobs:?}");
    assert!(codes.iter().any(|(code, _)| code.is_some()), "{codes:?}");
    place.meddle("UPDATE jobs SET finished = finished - 120000000 WHERE state = 'DONE'").await;
    let later = store.recent(WINDOW).await.unwrap();
    assert_eq!(later.jobs.iter().map(|job| job.2).sum::<u64>(), 1, "only the cancelled one");
}
