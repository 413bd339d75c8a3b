//! Batches that are fed: items begin, end, are paused, cancelled and begun anew.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{
    BatchChange, BatchState, BatchView, ItemFilter, ItemState, LoginTag, PauseCause, Store,
};
use mailfleet_model::{FaultCode, Verdict};

use super::Place;
use super::items::{all, begin_all, draft, item, running, to};
use crate::decisions::{cancel, collect_as, refused_as};
use crate::samples::{batch, crm, group};

/// Begins the first items that are seen.
fn begin(most: usize) -> impl Fn(&BatchView) -> BatchChange + Send + Sync {
    move |view| {
        let mut change = begin_all(view);
        change.begin.truncate(most);
        change
    }
}

pub(crate) async fn items_begin_as_the_decision_says(place: &impl Place) {
    let store = place.open().await;
    let items = [item(1, "a.test"), item(2, "a.test"), item(3, "b.test")];
    let id = running(&store, 1, &items).await;
    assert_eq!(store.live_batches(9).await.unwrap(), [id]);
    let fed = store.feed_batch(id, begin(2)).await.unwrap().expect("a batch");
    assert_eq!((fed.moved, fed.batch.counts.open, fed.batch.counts.held), (2, 2, 1));
    assert_eq!(fed.wake, [group("a")]);
    let items = all(&store, id).await;
    let states: Vec<_> = items.iter().map(|item| item.state).collect();
    assert_eq!(states, [ItemState::Open, ItemState::Open, ItemState::Held]);
    let view = store.job(&crm(), items[0].job.expect("a job")).await.unwrap().expect("a job");
    assert_eq!((view.job.batch, view.job.payload.0.as_slice()), (Some(id), &[1_u8][..]));
    assert_eq!(view.legs[0].leg.login, LoginTag([1; 32]));
    assert_eq!(super::release(&store, "a", 9).await.len(), 2);
    // What a decision sees: the first domain has open items, and one that was refused.
    let job = items[0].job.expect("a job");
    store.advance(job, refused_as(Verdict::Faulty)).await.unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let look = |view: &BatchView| {
        *seen.lock().unwrap() = vec![view.clone()];
        BatchChange::default()
    };
    store.feed_batch(id, look).await.unwrap();
    let seen = seen.into_inner().unwrap().remove(0);
    assert_eq!((seen.refusals, seen.domains.len(), seen.more), (1, 1, false));
    assert_eq!(seen.domains[0].held[0].position, 3);
}

pub(crate) async fn item_counters_equal_the_sum_of_the_items(place: &impl Place) {
    let store = place.open().await;
    let items: Vec<_> =
        (1..=60).map(|n| item(n, ["a.test", "b.test"][usize::from(n % 2)])).collect();
    let id = running(&store, 1, &items).await;
    let codes = [None, Some(FaultCode::ConnectTimeout), Some(FaultCode::TlsCertExpired)];
    for step in 1..=80_u64 {
        let random = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let open: Vec<_> = all(&store, id)
            .await
            .into_iter()
            .filter_map(|item| item.job.filter(|_| item.state == ItemState::Open))
            .collect();
        let chosen = usize::try_from(random).unwrap() % open.len().max(1);
        match (random % 6, open.get(chosen)) {
            (0, _) | (_, None) => drop(store.feed_batch(id, begin(3)).await.unwrap()),
            (1, Some(job)) => drop(store.advance(*job, cancel).await.unwrap()),
            (2, Some(job)) => {
                drop(store.advance(*job, refused_as(Verdict::Faulty)).await.unwrap());
            }
            (3, Some(_)) => {
                let until = store.now().await.unwrap();
                store.redrive(id, &ItemFilter::default(), until, 2).await.unwrap();
            }
            (n, Some(job)) => {
                let verdict = if n == 4 { Verdict::Healthy } else { Verdict::Inconclusive };
                let code = codes[usize::try_from(step % 3).unwrap()].filter(|_| n != 4);
                drop(store.advance(*job, collect_as(verdict, code)).await.unwrap());
            }
        }
    }
    assert!(all(&store, id).await.iter().any(|item| item.redrives > 0));
}

pub(crate) async fn one_login_is_open_once_over_all_batches(place: &impl Place) {
    let store = place.open().await;
    let first = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    let second = running(&store, 2, &[item(1, "a.test"), item(3, "a.test")]).await;
    store.feed_batch(first, begin_all).await.unwrap();
    let fed = store.feed_batch(second, begin_all).await.unwrap().expect("a batch");
    assert_eq!(fed.moved, 1, "the other one's login is open");
    let job = all(&store, first).await[0].job.expect("a job");
    store.advance(job, collect_as(Verdict::Healthy, None)).await.unwrap();
    let fed = store.feed_batch(second, begin_all).await.unwrap().expect("a batch");
    assert_eq!(fed.moved, 1);
}

pub(crate) async fn feeding_goes_round_the_domains(place: &impl Place) {
    let store = place.open().await;
    let items: Vec<_> = (0..100).map(|n| item(n, &format!("d{n:03}.test"))).collect();
    let id = running(&store, 1, &items).await;
    let mut seen = BTreeSet::new();
    let mut more = Vec::new();
    for _ in 0..2 {
        let look = std::sync::Mutex::new(Vec::new());
        let fed = store
            .feed_batch(id, |view| {
                *look.lock().unwrap() = view.domains.iter().map(|d| d.held[0].position).collect();
                BatchChange::default()
            })
            .await
            .unwrap();
        more.push(fed.expect("a batch").more);
        seen.extend(look.into_inner().unwrap());
    }
    assert_eq!((seen.len(), more), (100, vec![true, false]));
}

pub(crate) async fn a_pause_holds_everything_and_uses_up_no_time(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    store.feed_batch(id, begin(1)).await.unwrap();
    let pause = |_: &BatchView| BatchChange {
        pause: Some((PauseCause::Guard, "so many".to_owned())),
        ..to(BatchState::Paused)
    };
    let fed = store.feed_batch(id, pause).await.unwrap().expect("a batch");
    let paused = fed.batch.pause.expect("a pause");
    assert_eq!((paused.cause, paused.reason.as_str()), (PauseCause::Guard, "so many"));
    assert!(super::release(&store, "a", 9).await.is_empty());
    let job = all(&store, id).await[0].job.expect("a job");
    place.meddle("UPDATE jobs SET deadline = 1").await;
    assert!(store.expired(9).await.unwrap().is_empty(), "the time stands still");
    let minute = "UPDATE batches SET pause_since = pause_since - 60000000";
    place.meddle(minute).await;
    let fed = store.feed_batch(id, |_| to(BatchState::Running)).await.unwrap();
    let fed = fed.expect("a batch");
    assert_eq!((fed.wake.as_slice(), fed.batch.pause), (&[group("a")][..], None));
    let view = store.job(&crm(), job).await.unwrap().expect("a job");
    assert!(60_000_000 < view.job.deadline.0, "{:?}", view.job.deadline);
    assert_eq!(super::release(&store, "a", 9).await.len(), 1);
}

pub(crate) async fn a_cancelled_batch_ends(place: &impl Place) {
    let store = place.open().await;
    let id = running(&store, 1, &[item(1, "a.test"), item(2, "a.test")]).await;
    store.feed_batch(id, begin(1)).await.unwrap();
    let end = |_: &BatchView| BatchChange { cancel_held: true, ..to(BatchState::Cancelling) };
    let fed = store.feed_batch(id, end).await.unwrap().expect("a batch");
    assert_eq!((fed.moved, fed.batch.counts.cancelled), (1, 1));
    let open = store.open_items(id, 9).await.unwrap();
    assert_eq!(open.len(), 1);
    store.advance(open[0], cancel).await.unwrap();
    let states: Vec<_> = all(&store, id).await.iter().map(|item| item.state).collect();
    assert_eq!(states, [ItemState::Cancelled; 2]);
    let fed = store.feed_batch(id, |_| to(BatchState::Cancelled)).await.unwrap();
    assert!(fed.expect("a batch").batch.finished.is_some());
    assert!(store.live_batches(9).await.unwrap().is_empty());
    let until = store.now().await.unwrap();
    assert_eq!(store.redrive(id, &ItemFilter::default(), until, 9).await.unwrap(), None);
    assert_eq!(place.count("SELECT count(*) FROM batch_legs WHERE length(payload) > 0").await, 0);
}

pub(crate) async fn what_failed_begins_anew_but_for_refused_logins(place: &impl Place) {
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
    let expired = Some(FaultCode::TlsCertExpired);
    store.advance(job(3), collect_as(Verdict::Faulty, expired)).await.unwrap();
    store.feed_batch(id, |_| to(BatchState::Done)).await.unwrap();
    let until = store.now().await.unwrap();
    let only = ItemFilter { code: late, ..ItemFilter::default() };
    assert_eq!(store.redrive(id, &only, until, 9).await.unwrap(), Some(1));
    assert_eq!(store.redrive(id, &ItemFilter::default(), until, 9).await.unwrap(), Some(1));
    assert_eq!(store.redrive(id, &ItemFilter::default(), until, 9).await.unwrap(), Some(0));
    let items = all(&store, id).await;
    let told: Vec<_> = items.iter().map(|item| (item.state, item.redrives)).collect();
    let (done, held) = ((ItemState::Done, 0), (ItemState::Held, 1));
    assert_eq!(told, [done, done, held, held]);
    let fed = store.feed_batch(id, begin_all).await.unwrap().expect("a batch");
    assert_eq!((fed.was, fed.moved, fed.batch.finished), (BatchState::Running, 2, None));
    let again = all(&store, id).await;
    assert_ne!(again[2].job, Some(job(2)), "another job");
    let view = store.job(&crm(), again[2].job.expect("a job")).await.unwrap().expect("a job");
    assert_eq!(view.legs[0].leg.payload.0, b"sealed credential");
}

pub(crate) async fn two_feeders_begin_each_item_once(place: &impl Place) {
    let (one, other) = (place.open().await, place.open().await);
    let items: Vec<_> = (0..40).map(|number| item(number, "a.test")).collect();
    one.open_batch(&draft(batch(2), None)).await.unwrap();
    one.add_items(batch(2), &items).await.unwrap();
    one.feed_batch(batch(2), |_| to(BatchState::Running)).await.unwrap();
    let id = running(&one, 1, &items).await;
    let mut begun = 0;
    for _ in 0..10 {
        let (a, b) =
            futures::join!(one.feed_batch(id, begin(3)), other.feed_batch(batch(2), begin(3)));
        let moved = [a.unwrap(), b.unwrap()].map(|fed| fed.expect("a batch").moved);
        begun += moved.iter().sum::<u64>();
    }
    let open = "SELECT count(*) FROM batch_items WHERE state = 'OPEN'";
    assert_eq!(place.count(open).await, i64::try_from(begun).unwrap());
    assert_eq!(place.count("SELECT count(*) FROM jobs").await, i64::try_from(begun).unwrap());
    let logins = "SELECT count(DISTINCT login) FROM batch_items WHERE state = 'OPEN'";
    assert_eq!(place.count(logins).await, i64::try_from(begun).unwrap());
    all(&one, id).await;
    all(&other, batch(2)).await;
}
