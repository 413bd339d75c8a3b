//! Several gateways at once, each with a store of its own on one database.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    Admission, GroupView, JobDraft, JobFilter, JobState, LegState, OutCount, Store, SubmitView,
    Usage,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Place, batches, read, release, submit, views};
use crate::decisions::{admit, cancel, collect, up_to};
use crate::samples::{self, batch, crm, draft, group, job, leg_draft};

/// How often a race is run: some end one way, some the other.
const ROUNDS: u128 = 20;

/// Runs the same thing on several gateways at the same moment; what each says.
async fn together<S: Store, T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    stores: &[Arc<S>],
    act: impl Fn(usize, Arc<S>) -> F,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(stores.len()));
    let mut tasks = JoinSet::new();
    for (at, store) in stores.iter().enumerate() {
        let (barrier, acting) = (Arc::clone(&barrier), act(at, Arc::clone(store)));
        tasks.spawn(async move {
            barrier.wait().await;
            acting.await
        });
    }
    tasks.join_all().await
}

async fn gateways<P: Place>(place: &P, n: usize) -> Vec<Arc<P::Store>> {
    let mut stores = Vec::new();
    for _ in 0..n {
        stores.push(Arc::new(place.open().await));
    }
    stores
}

/// Submits two jobs that are one, again and again.
async fn submit_twice(place: &impl Place, same: fn(u128, u8) -> JobDraft) {
    let stores = gateways(place, 2).await;
    let mut n_calls = 0;
    for round in 1..=ROUNDS {
        let calls = Arc::new(AtomicU32::new(0));
        let submitted = together(&stores, |at, store| {
            let number = 2 * round + u128::try_from(at).expect("a small number");
            let (draft, calls) = (same(number, u8::try_from(round).expect("small")), calls.clone());
            async move {
                let decide = |view: &SubmitView| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    admit(view)
                };
                (draft.id, store.submit(&draft, decide).await.unwrap().admission)
            }
        });
        let submitted = submitted.await;
        let winner =
            submitted.iter().find(|(_, admission)| matches!(admission, Admission::Accept { .. }));
        let (winner, _) = winner.expect("one is accepted");
        let others = submitted.iter().filter(|(id, _)| id != winner);
        for (_, admission) in others {
            let seen = [Admission::Repeated(*winner), Admission::Join(*winner)];
            assert!(seen.contains(admission), "{admission:?}");
        }
        n_calls += calls.load(Ordering::Relaxed);
    }
    assert!(2 * u32::try_from(ROUNDS).expect("small") <= n_calls);
    let open = stores[0].usage(&crm()).await.unwrap();
    assert_eq!(open, Usage { interactive: u64::try_from(ROUNDS).expect("small"), bulk: 0 });
}

pub(crate) async fn two_submissions_of_one_request_make_one_job(place: &impl Place) {
    submit_twice(place, |number, round| JobDraft {
        request: samples::request(&format!("r{round}"), 1),
        ..draft(number)
    })
    .await;
}

pub(crate) async fn two_submissions_with_the_same_settings_make_one_job(place: &impl Place) {
    submit_twice(place, |number, round| JobDraft {
        settings: samples::settings(round),
        ..draft(number)
    })
    .await;
}

pub(crate) async fn legs_that_end_at_once_end_the_job_once(place: &impl Place) {
    let stores = gateways(place, 2).await;
    for round in 1..=ROUNDS {
        submit(&*stores[0], &samples::with_legs(round, vec![leg_draft(), leg_draft()])).await;
        release(&*stores[0], "a", 99).await;
        let ends = together(&stores, |at, store| async move {
            let index = u8::try_from(at).expect("a small number");
            let done = store.advance(job(round), collect(index, Verdict::Healthy)).await;
            done.unwrap().expect("a job").0
        });
        assert_eq!(ends.await.into_iter().filter(|is_end| *is_end).count(), 1, "round {round}");
        let view = read(&*stores[0], round).await;
        assert_eq!(view.job.state, JobState::Done);
        assert!(view.legs.iter().all(|leg| leg.leg.state == LegState::Done));
    }
}

pub(crate) async fn a_cancel_and_a_result_do_not_both_win(place: &impl Place) {
    let stores = gateways(place, 2).await;
    for round in 1..=ROUNDS {
        submit(&*stores[0], &draft(round)).await;
        release(&*stores[0], "a", 99).await;
        let won = together(&stores, |at, store| async move {
            let done = if at == 0 {
                store.advance(job(round), cancel).await
            } else {
                store.advance(job(round), collect(0, Verdict::Healthy)).await
            };
            (at == 0, done.unwrap().expect("a job").0)
        });
        let won: Vec<bool> = won.await.into_iter().filter(|(_, won)| *won).map(|w| w.0).collect();
        let state = read(&*stores[1], round).await.job.state;
        let expect = if won == [true] { JobState::Cancelled } else { JobState::Done };
        assert_eq!((won.len(), state), (1, expect), "round {round}");
    }
}

pub(crate) async fn dispatchers_together_keep_to_the_window(place: &impl Place) {
    const WINDOW: u32 = 5;
    let stores = gateways(place, 4).await;
    for number in 1..=40 {
        submit(&*stores[0], &draft(number)).await;
    }
    let mut released = BTreeSet::new();
    for _ in 0..8 {
        let legs = together(&stores, |_, store| async move {
            store.release(&group("a"), up_to(WINDOW)).await.unwrap().0
        });
        let legs: Vec<_> = legs.await.into_iter().flatten().collect();
        assert_eq!(legs.len(), 5, "the window was passed, or not filled");
        assert!(legs.iter().all(|leg| released.insert(leg.id)), "a leg was released twice");
        let view = views::seen(&*stores[0], &group("a")).await;
        assert_eq!(view.out, OutCount { interactive: WINDOW, bulk: 0 });
        for leg in legs {
            stores[0].advance(leg.id.job, collect(0, Verdict::Healthy)).await.unwrap();
        }
    }
    assert_eq!(released.len(), 40);
}

pub(crate) async fn submissions_together_keep_to_the_window(place: &impl Place) {
    const WINDOW: u32 = 5;
    let stores = gateways(place, 4).await;
    submit(&*stores[0], &draft(1)).await;
    let free = |view: &SubmitView| {
        let is_free = |group: &GroupView| group.out.interactive < WINDOW;
        let at_once = if view.calm.iter().any(is_free) { vec![0] } else { Vec::new() };
        Admission::Accept { at_once }
    };
    let mut n_released = release(&*stores[0], "a", 1).await.len();
    let mut at_once = 0;
    for round in 0..10 {
        let submitted = together(&stores, |at, store| {
            let number = 10 + 4 * round + u128::try_from(at).expect("a small number");
            async move { store.submit(&draft(number), free).await.unwrap().released }
        });
        at_once += submitted.await.iter().flatten().count();
        let view = views::seen(&*stores[0], &group("a")).await;
        assert!(view.out.interactive <= WINDOW, "the window was passed: {:?}", view.out);
        // What waits goes out in its turn, and all of it ends: the group is calm again.
        n_released += release(&*stores[0], "a", 40).await.len();
        let filter = JobFilter { states: vec![JobState::Open], ..JobFilter::default() };
        for open in stores[0].jobs(&crm(), &filter, None, 99).await.unwrap().jobs {
            stores[0].advance(open.id, collect(0, Verdict::Healthy)).await.unwrap();
        }
    }
    assert_eq!(at_once + n_released, 41, "each leg went out once");
    assert!(0 < at_once, "none went with its job");
}

pub(crate) async fn sweepers_share_the_rows(place: &impl Place) {
    let stores = gateways(place, 4).await;
    for number in 1..=40 {
        submit(&*stores[0], &draft(number)).await;
    }
    assert_eq!(release(&*stores[0], "a", 40).await.len(), 40);
    place.meddle("UPDATE legs SET since = since - 7200000000").await;
    let hour = Duration::from_secs(3_600);
    let mut swept = Vec::new();
    // Whoever looks while another has the rows may pass over them: the next round finds them.
    for _ in 0..10 {
        let found =
            together(
                &stores,
                move |_, store| async move { store.unpublished(hour, 15).await.unwrap() },
            );
        swept.extend(found.await.into_iter().flatten().map(|leg| leg.id));
    }
    assert_eq!(swept.len(), 40);
    assert_eq!(swept.into_iter().collect::<BTreeSet<_>>().len(), 40);
}

pub(crate) async fn purges_and_ends_keep_the_counters(place: &impl Place) {
    let stores = gateways(place, 4).await;
    batches::make(&*stores[0], &crm(), batch(1)).await;
    for number in 1..=60 {
        submit(&*stores[0], &samples::of_batch(number, batch(1))).await;
    }
    // Keeps the batch from being purged.
    submit(&*stores[0], &samples::of_batch(99, batch(1))).await;
    let purged = together(&stores, |at, store| async move {
        let mut purged = 0;
        for step in 0..30 {
            let number = u128::try_from(step * 2 + at % 2 + 1).expect("a small number");
            if at < 2 {
                store.advance(job(number), collect(0, Verdict::Faulty)).await.unwrap();
            } else {
                purged += store.purge(Duration::ZERO, 5).await.unwrap();
            }
        }
        purged
    });
    let purged: u64 = purged.await.into_iter().sum();
    let filter = JobFilter { batch: Some(batch(1)), ..JobFilter::default() };
    let left = stores[0].jobs(&crm(), &filter, None, 99).await.unwrap().jobs;
    let faulty = left.iter().filter(|job| job.verdict == Some(Verdict::Faulty)).count();
    assert_eq!((u64::try_from(faulty).unwrap() + purged, left.len() - faulty), (60, 1));
    assert_eq!(stores[0].usage(&crm()).await.unwrap(), Usage { interactive: 0, bulk: 1 });
}

pub(crate) async fn a_dropped_call_leaves_everything_or_nothing(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=40 {
        let draft = JobDraft { settings: samples::settings(1), ..draft(number) };
        {
            let mut call = Box::pin(store.submit(&draft, admit));
            let mut context = Context::from_waker(Waker::noop());
            // Given up after another number of steps each time; a step may find nothing new.
            for _ in 0..number {
                if let Poll::Ready(done) = call.as_mut().poll(&mut context) {
                    done.unwrap();
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // In one statement: what was given up may come to its end at this very moment.
        assert_eq!(place.count(DIFFERENCE).await, 0);
        let open = JobFilter { states: vec![JobState::Open], ..JobFilter::default() };
        for job in store.jobs(&crm(), &open, None, 99).await.unwrap().jobs {
            store.advance(job.id, cancel).await.unwrap();
        }
    }
}

/// Jobs without legs, and open jobs that are not counted.
const DIFFERENCE: &str = "SELECT (SELECT count(*) FROM jobs) - (SELECT count(*) FROM legs) \
    + (SELECT count(*) FROM jobs WHERE state = 'OPEN') \
    - (SELECT coalesce(sum(interactive), 0) FROM tenant_counts)";
