//! What crashes, lost messages and full shards leave behind, and who finds it.

use std::time::Duration;

use mailfleet_model::fleet::{JobDraft, LegDraft, LegState, Store};

use super::{Place, batches, numbers, read, release, states, submit};
use crate::decisions::{cancel, change_leg, dispatch, snooze};
use crate::samples::{self, crm, draft, group, in_group, leg, leg_draft};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) async fn what_was_not_published_comes_again(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=3 {
        submit(&store, &draft(number)).await;
    }
    let released = release(&store, "a", 3).await;
    store.mark_published(&[(leg(3, 0), dispatch(1))]).await.unwrap();
    assert!(store.unpublished(HOUR, 9).await.unwrap().is_empty());
    let first = store.unpublished(Duration::ZERO, 1).await.unwrap();
    assert_eq!(first.len(), 1, "no more than asked for");
    assert_eq!((first[0].id, first[0].dispatch), (leg(1, 0), dispatch(1)));
    assert_eq!(first[0].payload, released[0].payload);
    assert!(released[0].since < first[0].since, "the next gateway leaves it alone");
    // Those that were taken longest ago come first.
    let second = store.unpublished(Duration::ZERO, 1).await.unwrap();
    assert_eq!(second[0].id, leg(2, 0));
    place.meddle("UPDATE legs SET since = since - 7200000000 WHERE state = 'RELEASED'").await;
    assert_eq!(store.unpublished(HOUR, 9).await.unwrap().len(), 2);
    assert!(store.unpublished(HOUR, 9).await.unwrap().is_empty());
}

pub(crate) async fn what_is_overdue_is_found(place: &impl Place) {
    let store = place.open().await;
    let with_cap = |number, cap| {
        let cap = Duration::from_secs(cap);
        samples::with_legs(number, vec![LegDraft { cap, ..leg_draft() }])
    };
    submit(&store, &with_cap(1, 60)).await;
    submit(&store, &with_cap(2, 0)).await;
    submit(&store, &with_cap(3, 0)).await;
    for released in release(&store, "a", 2).await {
        store.mark_published(&[(released.id, released.dispatch)]).await.unwrap();
    }
    // One waits, one has its cap before it, one is overdue.
    let overdue = store.overdue(Duration::ZERO, 9).await.unwrap();
    assert_eq!(overdue, [(leg(2, 0), dispatch(1))]);
    assert!(store.overdue(HOUR, 9).await.unwrap().is_empty());
    // It is only seen, not taken.
    assert_eq!(store.overdue(Duration::ZERO, 1).await.unwrap(), overdue);
    assert_eq!(states(&store, 2).await, [LegState::Published]);
    place.meddle("UPDATE legs SET since = since - 7200000000").await;
    let overdue = store.overdue(HOUR, 9).await.unwrap();
    assert_eq!(overdue.iter().map(|(leg, _)| *leg).collect::<Vec<_>>(), [leg(2, 0), leg(1, 0)]);
}

pub(crate) async fn what_is_due_is_woken(place: &impl Place) {
    let store = place.open().await;
    for (number, key, due) in [(1, "a", -1), (2, "b", -1), (3, "a", -1), (4, "a", 3_600)] {
        submit(&store, &in_group(number, key)).await;
        release(&store, key, 99).await;
        store.advance(samples::job(number), change_leg(0, snooze(due))).await.unwrap();
    }
    let before = read(&store, 1).await;
    assert_eq!(store.wake(9).await.unwrap(), [group("a"), group("b")]);
    let after = read(&store, 1).await;
    let woken = &after.legs[0].leg;
    assert_eq!((woken.state, woken.due), (LegState::Ready, None));
    assert!(before.legs[0].leg.since <= woken.since && before.job.version < after.job.version);
    assert_eq!(states(&store, 4).await, [LegState::Snoozed]);
    assert!(store.wake(9).await.unwrap().is_empty());
    place.meddle("UPDATE legs SET due = NULL WHERE state = 'SNOOZED'").await;
    assert_eq!(store.wake(9).await.unwrap(), [group("a")], "a snooze without an end has ended");
}

pub(crate) async fn waiting_groups_are_found(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &in_group(1, "a")).await;
    submit(&store, &in_group(2, "b")).await;
    submit(&store, &in_group(3, "b")).await;
    submit(&store, &in_group(4, "c")).await;
    release(&store, "c", 1).await;
    // One has nothing left to release; two were never dispatched.
    assert_eq!(store.waiting(HOUR, 9).await.unwrap(), [group("a"), group("b")]);
    assert_eq!(store.waiting(HOUR, 1).await.unwrap().len(), 1);
    release(&store, "b", 1).await;
    assert_eq!(store.waiting(HOUR, 9).await.unwrap(), [group("a")]);
    assert_eq!(store.waiting(Duration::ZERO, 9).await.unwrap(), [group("a"), group("b")]);
    // A clock that was set back must not hide a group.
    place.meddle("UPDATE limit_groups SET dispatched = dispatched + 7200000000").await;
    assert_eq!(store.waiting(HOUR, 9).await.unwrap(), [group("a"), group("b")]);
}

pub(crate) async fn waiting_groups_come_in_the_order_of_their_last_dispatch(place: &impl Place) {
    let store = place.open().await;
    for (number, key) in [(1, "a"), (2, "b"), (3, "c")] {
        submit(&store, &in_group(number, key)).await;
    }
    for key in ["c", "a", "b", "c"] {
        release(&store, key, 0).await;
    }
    let order = [group("a"), group("b"), group("c")];
    assert_eq!(store.waiting(Duration::ZERO, 9).await.unwrap(), order);
}

pub(crate) async fn groups_whose_legs_all_belong_to_a_paused_batch_do_not_wait(place: &impl Place) {
    let store = place.open().await;
    batches::make(&store, &crm(), samples::batch(1)).await;
    let item = |number, key| JobDraft {
        legs: in_group(number, key).legs,
        ..samples::of_batch(number, samples::batch(1))
    };
    submit(&store, &item(1, "a")).await;
    submit(&store, &item(2, "b")).await;
    submit(&store, &in_group(3, "b")).await;
    batches::pause(&store, samples::batch(1)).await;
    assert_eq!(store.waiting(Duration::ZERO, 9).await.unwrap(), [group("b")]);
    batches::resume(&store, samples::batch(1)).await;
    assert_eq!(store.waiting(Duration::ZERO, 9).await.unwrap(), [group("a"), group("b")]);
}

pub(crate) async fn jobs_past_their_deadline_are_found(place: &impl Place) {
    let store = place.open().await;
    let until = |number, deadline| JobDraft { deadline, ..draft(number) };
    submit(&store, &until(1, Duration::from_micros(2))).await;
    submit(&store, &until(2, HOUR)).await;
    submit(&store, &until(3, Duration::ZERO)).await;
    place
        .meddle("UPDATE jobs SET deadline = deadline - 1000000 WHERE deadline < created + 9")
        .await;
    assert_eq!(numbers(store.expired(9).await.unwrap()), [1, 3]);
    assert_eq!(numbers(store.expired(1).await.unwrap()), [1]);
    store.advance(samples::job(1), cancel).await.unwrap();
    assert_eq!(numbers(store.expired(9).await.unwrap()), [3]);
}
