//! Notices for other services: never lost, never early, each in its place.

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_model::fleet::{
    BatchState, BatchTurned, Erased, Forgotten, JobClass, JobState, Notice, NoticeAges, NoticeTurn,
    PauseCause, Store, Subject,
};
use mailfleet_model::{FaultCode, Verdict};

use super::items::{all, begin_all, item, running, to};
use super::{Place, assert_corrupt, submit};
use crate::decisions::{cancel, collect, collect_as, refused_as};
use crate::samples::{crm, draft, job, tenant};

const HOLD: Duration = Duration::from_secs(10);

/// Gives all their places.
async fn place_all(store: &impl Store) -> u64 {
    loop {
        if let Some((last, false)) = store.place_notices(3).await.unwrap() {
            return last;
        }
    }
}

async fn told(store: &impl Store) -> Vec<Notice> {
    place_all(store).await;
    store.notices(&crm(), 0, 999).await.unwrap().notices
}

fn turn(holder: &str, published: u64, limit: u32) -> NoticeTurn {
    NoticeTurn { holder: holder.parse().expect("a name"), published, hold: HOLD, limit }
}

/// The places that a gateway is handed.
async fn handed(store: &impl Store, turn: &NoticeTurn) -> Vec<u64> {
    let notices = store.notices_to_publish(turn).await.unwrap();
    notices.iter().map(|notice| notice.serial).collect()
}

/// Ends jobs with these numbers.
async fn end(store: &impl Store, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        submit(store, &draft(number)).await;
        store.advance(job(number), collect(0, Verdict::Healthy)).await.unwrap();
    }
}

pub(crate) async fn the_end_of_a_job_is_told_once(place: &impl Place) {
    let store = place.open().await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    let traced =
        mailfleet_model::fleet::JobDraft { traceparent: Some(traceparent.clone()), ..draft(1) };
    submit(&store, &traced).await;
    submit(&store, &draft(2)).await;
    assert!(told(&store).await.is_empty(), "nothing has ended");
    let late = Some(FaultCode::ConnectTimeout);
    store.advance(job(1), collect_as(Verdict::Inconclusive, late)).await.unwrap();
    store.advance(job(1), collect(0, Verdict::Healthy)).await.unwrap();
    store.advance(job(2), cancel).await.unwrap();
    store.advance(job(2), cancel).await.unwrap();
    let notices = told(&store).await;
    let places: Vec<u64> = notices.iter().map(|notice| notice.serial).collect();
    assert_eq!(places, [1, 2]);
    let subjects: Vec<Subject> = notices.iter().map(|notice| notice.subject).collect();
    let (Subject::Job(first), Subject::Job(second)) = (subjects[0], subjects[1]) else {
        panic!("{subjects:?}")
    };
    assert_eq!((first.job, first.class, first.batch), (job(1), JobClass::Interactive, None));
    assert_eq!(
        (first.state, first.verdict, first.code),
        (JobState::Done, Some(Verdict::Inconclusive), late)
    );
    assert_eq!((second.job, second.state), (job(2), JobState::Cancelled));
    assert_eq!((second.verdict, second.code), (None, None));
    assert_eq!(notices[0].traceparent, Some(traceparent));
    let now = store.now().await.unwrap();
    assert!(first.created <= notices[0].at && notices[0].at <= now);
}

pub(crate) async fn a_batch_tells_its_turns_and_its_items_ends(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    store.feed_batch(id, begin_all).await.unwrap();
    let jobs: Vec<_> = all(&store, id).await.iter().map(|i| i.job.expect("a job")).collect();
    store.advance(jobs[0], refused_as(Verdict::Faulty)).await.unwrap();
    let pause = |_: &_| mailfleet_model::fleet::BatchChange {
        pause: Some((PauseCause::Guard, "so many".to_owned())),
        ..to(BatchState::Paused)
    };
    store.feed_batch(id, pause).await.unwrap();
    store.feed_batch(id, |_| to(BatchState::Running)).await.unwrap();
    store.feed_batch(id, |_| to(BatchState::Running)).await.unwrap();
    let late = Some(FaultCode::ConnectTimeout);
    store.advance(jobs[1], collect_as(Verdict::Inconclusive, late)).await.unwrap();
    store.feed_batch(id, |_| to(BatchState::Done)).await.unwrap();
    let until = store.now().await.unwrap();
    store.redrive(id, &Default::default(), until, 9).await.unwrap();
    let notices = told(&store).await;
    let turns: Vec<_> = notices
        .iter()
        .filter_map(|notice| match notice.subject {
            Subject::Batch(BatchTurned { batch, state, pause }) => {
                assert_eq!(batch, id);
                Some((state, pause))
            }
            Subject::Job(_) => None,
        })
        .collect();
    use BatchState::{Done, Paused, Running};
    let guard = Some(PauseCause::Guard);
    let expect = [(Running, None), (Paused, guard), (Running, None), (Done, None), (Running, None)];
    assert_eq!(turns, expect);
    let ends: Vec<_> = notices
        .iter()
        .filter_map(|notice| match notice.subject {
            Subject::Job(ended) => Some((ended.batch, ended.code)),
            Subject::Batch(_) => None,
        })
        .collect();
    assert_eq!(ends, [(Some(id), Some(FaultCode::AuthInvalidCredentials)), (Some(id), late)]);
}

pub(crate) async fn what_is_not_committed_is_not_told(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    // A decision that the store refuses after it has written other things.
    let half = |view: &_| {
        let (mut change, _) = collect(0, Verdict::Healthy)(view);
        change.job.as_mut().expect("it ends").report = None;
        (change, ())
    };
    assert_corrupt(store.advance(job(1), half).await);
    assert!(told(&store).await.is_empty());
    assert_eq!(place.count("SELECT count(*) FROM notices").await, 0);
}

pub(crate) async fn readers_go_on_where_they_were(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=5).await;
    assert_eq!(store.notices(&crm(), 0, 9).await.unwrap().next, 0, "none has a place yet");
    place_all(&store).await;
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store.notices(&crm(), after, 2).await.unwrap();
        seen.extend(page.notices.iter().map(|notice| notice.serial));
        after = page.next;
        if page.notices.is_empty() {
            break;
        }
    }
    assert_eq!((seen, after), (vec![1, 2, 3, 4, 5], 5));
    let other = store.notices(&tenant("erp"), 0, 9).await.unwrap();
    assert_eq!((other.notices.len(), other.next), (0, 5), "another tenant sees none of them");
}

pub(crate) async fn places_given_by_several_are_seen_in_their_order(place: &impl Place) {
    let (one, other) = (place.open().await, place.open().await);
    let reader = place.open().await;
    let mut seen = Vec::new();
    let mut after = 0;
    for round in 0..12_u128 {
        let (first, second) = (round * 2 + 1, round * 2 + 2);
        let (_, _, a, b) = futures::join!(
            end(&one, [first]),
            end(&other, [second]),
            one.place_notices(9),
            other.place_notices(9),
        );
        let (_, _) = (a.unwrap(), b.unwrap());
        let page = reader.notices(&crm(), after, 99).await.unwrap();
        seen.extend(page.notices.iter().map(|notice| notice.serial));
        after = page.next;
    }
    place_all(&one).await;
    let page = reader.notices(&crm(), after, 99).await.unwrap();
    seen.extend(page.notices.iter().map(|notice| notice.serial));
    assert_eq!(seen, (1..=24).collect::<Vec<_>>(), "none twice, none passed over");
}

pub(crate) async fn one_gateway_publishes_at_a_time(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=5).await;
    assert!(handed(&store, &turn("a", 0, 2)).await.is_empty(), "none has a place yet");
    place_all(&store).await;
    assert_eq!(handed(&store, &turn("a", 0, 2)).await, [1, 2]);
    assert!(handed(&store, &turn("b", 0, 9)).await.is_empty(), "the other one has the turn");
    assert_eq!(handed(&store, &turn("a", 2, 2)).await, [3, 4]);
    // What could not be published is handed out again.
    assert_eq!(handed(&store, &turn("a", 3, 9)).await, [4, 5]);
    assert!(handed(&store, &turn("a", 5, 9)).await.is_empty());
    end(&store, [6]).await;
    place_all(&store).await;
    assert_eq!(handed(&store, &turn("b", 0, 9)).await, [6], "the turn was given back");
}

pub(crate) async fn what_a_dead_gateway_held_is_handed_out_again(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=3).await;
    place_all(&store).await;
    let first = store.notices_to_publish(&turn("a", 0, 9)).await.unwrap();
    place.meddle("UPDATE notice_board SET held_until = 1").await;
    let again = store.notices_to_publish(&turn("b", 0, 9)).await.unwrap();
    assert_eq!(first, again, "the same ids: receivers know them");
    // It was not dead after all, and what it has published counts.
    assert!(handed(&store, &turn("a", 3, 9)).await.is_empty());
    assert!(handed(&store, &turn("b", 0, 9)).await.is_empty());
    let ids: BTreeSet<_> = first.iter().map(|notice| notice.id).collect();
    assert_eq!(ids.len(), 3);
}

pub(crate) async fn old_notices_are_forgotten_and_that_is_told(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=4).await;
    place_all(&store).await;
    place.meddle("UPDATE notices SET at = 1 WHERE serial <= 3").await;
    end(&store, [5]).await;
    let hour = Duration::from_secs(3_600);
    let ages = NoticeAges { published: hour, unpublished: hour };
    let forget = async |limit| store.forget_notices(ages, limit).await.unwrap().gone;
    assert_eq!(forget(2).await, 2, "no more than asked for");
    assert_eq!([forget(9).await, forget(9).await], [1, 0]);
    let page = store.notices(&crm(), 1, 9).await.unwrap();
    assert_eq!((page.notices.len(), page.next, page.forgotten), (1, 4, 3));
    assert_eq!(place.count("SELECT count(*) FROM notices").await, 2, "one has no place yet");
}

pub(crate) async fn what_waits_to_be_published_is_kept_longer(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=4).await;
    place_all(&store).await;
    assert_eq!(handed(&store, &turn("a", 0, 9)).await, [1, 2, 3, 4]);
    // The broker took one, and then nothing more for two hours.
    handed(&store, &turn("a", 1, 9)).await;
    place.meddle("UPDATE notices SET at = at - 7200000000").await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let ages = |published, waits| NoticeAges { published: hours(published), unpublished: waits };
    let kept = store.forget_notices(ages(1, hours(3)), 9).await.unwrap();
    assert_eq!(kept, Forgotten { gone: 1, unpublished: 0 }, "only what is published");
    place.meddle("UPDATE notice_board SET held_until = 1").await;
    assert_eq!(handed(&store, &turn("b", 0, 9)).await, [2, 3, 4], "the others are still there");
    let lost = store.forget_notices(ages(1, hours(2)), 2).await.unwrap();
    assert_eq!(lost, Forgotten { gone: 2, unpublished: 2 }, "in the end they go, and are counted");
}

pub(crate) async fn an_erased_tenants_notices_are_gone(place: &impl Place) {
    let store = place.open().await;
    end(&store, 1..=2).await;
    place_all(&store).await;
    end(&store, [3]).await;
    while store.erase_tenant(&crm(), 9).await.unwrap() == Erased::Partly {}
    assert_eq!(place.count("SELECT count(*) FROM notices").await, 0);
    end(&store, [4]).await;
    assert_eq!(place_all(&store).await, 3, "no place is given twice");
}
