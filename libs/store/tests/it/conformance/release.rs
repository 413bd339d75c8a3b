//! Dispatch: what is released, what is left, and what the broker confirms.

use std::sync::atomic::{AtomicU64, Ordering};

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    Dispatch, GroupHolds, GroupView, JobDraft, LegDraft, LegState, Release, Served, ShardIndex,
    Store, Timestamp,
};

use super::views::seen;
use super::{Place, read, release, states, submit};
use crate::decisions::{cancel, collect, dispatch};
use crate::samples::{self, draft, group, leg, leg_draft, tenant};

/// Releases exactly these, whatever the view says.
fn exactly(legs: &[(u128, u8)]) -> impl Fn(&GroupView) -> Release + Send + Sync {
    let legs: Vec<_> = legs.iter().map(|(job, index)| leg(*job, *index)).collect();
    move |_| Release { legs: legs.clone(), ..Release::default() }
}

pub(crate) async fn legs_are_released_in_the_order_chosen(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=3 {
        submit(&store, &draft(number)).await;
    }
    let before = read(&store, 3).await;
    let order = [(3, 0), (1, 0), (2, 0)];
    let (legs, answer) = store.release(&group("a"), exactly(&order)).await.unwrap();
    assert_eq!(legs.iter().map(|leg| leg.id).collect::<Vec<_>>(), answer.legs);
    assert_eq!(answer.legs, order.map(|(job, index)| leg(job, index)));
    for released in &legs {
        assert_eq!((released.state, released.dispatch), (LegState::Released, dispatch(1)));
        assert!(before.job.created <= released.since);
    }
    let after = read(&store, 3).await;
    assert_eq!(after.legs[0].leg, legs[0]);
    assert!(before.job.version < after.job.version, "watchers see a release");
}

pub(crate) async fn a_leg_that_waits_is_seen_by_whoever_asks_after_it(place: &impl Place) {
    let store = place.open().await;
    let waits = async |key| store.has_waiting(&group(key)).await.unwrap();
    assert!(!waits("a").await, "nobody knows the group");
    submit(&store, &draft(1)).await;
    submit(&store, &draft(2)).await;
    assert!(waits("a").await && !waits("b").await);
    release(&store, "a", 1).await;
    assert!(waits("a").await);
    release(&store, "a", 2).await;
    assert!(!waits("a").await, "what is out does not wait");
}

pub(crate) async fn only_waiting_legs_of_the_group_are_released(place: &impl Place) {
    let store = place.open().await;
    for number in 1..=3 {
        submit(&store, &draft(number)).await;
    }
    submit(&store, &samples::in_group(4, "b")).await;
    store.advance(samples::job(1), cancel).await.unwrap();
    let first = store.release(&group("a"), exactly(&[(2, 0)])).await.unwrap().0;
    assert_eq!(first.len(), 1);
    // Cancelled, released before, twice in one answer, another group's, nobody's.
    let all = [(1, 0), (2, 0), (3, 0), (3, 0), (4, 0), (9, 0), (3, 7)];
    let (legs, _) = store.release(&group("a"), exactly(&all)).await.unwrap();
    assert_eq!(legs.iter().map(|leg| leg.id).collect::<Vec<_>>(), [leg(3, 0)]);
    assert_eq!(states(&store, 1).await, [LegState::Cancelled]);
    assert_eq!(states(&store, 4).await, [LegState::Ready]);
    assert_eq!(read(&store, 2).await.legs[0].leg.dispatch, dispatch(1));
}

pub(crate) async fn refused_legs_stay(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let refuse =
        |_: &GroupView| Release { refused: vec![leg(1, 0)], more: true, ..Release::default() };
    let (legs, answer) = store.release(&group("a"), refuse).await.unwrap();
    assert!(legs.is_empty() && answer.more && answer.refused == [leg(1, 0)]);
    assert_eq!(states(&store, 1).await, [LegState::Ready]);
}

pub(crate) async fn a_group_that_nobody_named_has_nothing_to_release(place: &impl Place) {
    let store = place.open().await;
    let look = |view: &GroupView| {
        assert!(view.lanes.is_empty());
        assert_eq!(view.settings.limits, samples::default_limits());
        Release { more: true, ..Release::default() }
    };
    let (legs, answer) = store.release(&group("nobody"), look).await.unwrap();
    assert!(legs.is_empty() && answer.more);
}

pub(crate) async fn tenants_take_turns(place: &impl Place) {
    let store = place.open().await;
    for number in 0..6 {
        let of = tenant(if number < 3 { "a" } else { "b" });
        submit(&store, &JobDraft { tenant: of, ..draft(number + 1) }).await;
    }
    // The first leg of the lane that is least far; every other one moves it by more.
    let next = |view: &GroupView| {
        let lane = view.lanes.iter().min_by_key(|lane| (lane.served, &lane.tenant));
        let lane = lane.expect("somebody waits");
        let step = if lane.tenant == tenant("a") { 2 } else { 1 };
        let (class, served) = (lane.class, lane.served + step);
        Release {
            legs: lane.legs.first().map(|leg| leg.id).into_iter().collect(),
            turns: vec![Served { class, tenant: lane.tenant.clone(), served }],
            ..Release::default()
        }
    };
    let mut tenants = Vec::new();
    for _ in 0..6 {
        let (legs, _) = store.release(&group("a"), next).await.unwrap();
        tenants.extend(legs.iter().map(|leg| leg.tenant.to_string()));
    }
    assert_eq!(tenants, ["a", "b", "b", "a", "b", "a"]);
}

pub(crate) async fn what_holds_a_group_is_kept_until_the_next_dispatch(place: &impl Place) {
    let store = place.open().await;
    for (number, key) in [(1, "a"), (2, "b")] {
        submit(&store, &samples::in_group(number, key)).await;
    }
    let fresh = seen(&store, &group("a")).await;
    assert_eq!((fresh.dispatched, fresh.holds), (Timestamp(0), GroupHolds::default()));
    let holds = |from: u64| GroupHolds {
        paused: None,
        window: Some(Timestamp(from)),
        bulk_window: Some(Timestamp(from + 1)),
    };
    let note = |holds| move |_: &GroupView| Release { holds, ..Release::default() };
    store.release(&group("a"), note(holds(7))).await.unwrap();
    // What nobody has noted stands, and nothing stands at another group.
    let after = AtomicU64::new(0);
    let look = |view: &GroupView| {
        assert_eq!(view.holds, holds(7));
        assert!(fresh.now <= view.dispatched && view.dispatched <= view.now);
        after.store(view.now.0, Ordering::Relaxed);
        Release {
            holds: GroupHolds { paused: Some(Timestamp(9)), ..view.holds },
            ..exactly(&[(1, 0)])(view)
        }
    };
    store.release(&group("a"), look).await.unwrap();
    assert_eq!(seen(&store, &group("b")).await.holds, GroupHolds::default());
    // Nothing waits any more: what this look finds is not noted.
    let view = seen(&store, &group("a")).await;
    assert_eq!(view.dispatched.0, after.into_inner());
    assert_eq!(view.holds.paused, Some(Timestamp(9)));
    assert_eq!(seen(&store, &group("a")).await.holds, view.holds);
    // And it is gone as soon as a dispatch says so.
    submit(&store, &samples::in_group(3, "a")).await;
    store.release(&group("a"), note(GroupHolds::default())).await.unwrap();
    assert_eq!(seen(&store, &group("a")).await.holds, GroupHolds::default());
}

pub(crate) async fn a_confirmed_release_is_published(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let released = release(&store, "a", 1).await.remove(0);
    let before = read(&store, 1).await.job.version;
    store.mark_published(&[(released.id, released.dispatch)]).await.unwrap();
    let view = read(&store, 1).await;
    assert_eq!(view.legs[0].leg.state, LegState::Published);
    assert!(released.since <= view.legs[0].leg.since && before < view.job.version);
    // A second confirm, of a leg that was published twice.
    store.mark_published(&[(released.id, released.dispatch)]).await.unwrap();
    assert_eq!(read(&store, 1).await.legs, view.legs);
}

pub(crate) async fn a_confirm_after_the_result_changes_nothing(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let released = release(&store, "a", 1).await.remove(0);
    store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    let view = read(&store, 1).await;
    store.mark_published(&[(released.id, released.dispatch)]).await.unwrap();
    let after = read(&store, 1).await;
    assert_eq!((after.job, after.legs), (view.job, view.legs));
}

pub(crate) async fn a_confirm_of_another_dispatch_changes_nothing(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let released = release(&store, "a", 1).await.remove(0);
    for other in [Dispatch(0), Dispatch(2)] {
        store.mark_published(&[(released.id, other)]).await.unwrap();
        assert_eq!(states(&store, 1).await, [LegState::Released]);
    }
    store.mark_published(&[(leg(9, 0), released.dispatch)]).await.unwrap();
}

pub(crate) async fn recalled_legs_are_ready(place: &impl Place) {
    let store = place.open().await;
    let other = LegDraft { group: group("b"), shard: ShardIndex(2), ..leg_draft() };
    submit(&store, &samples::with_legs(1, vec![leg_draft(), other, leg_draft()])).await;
    let released = release(&store, "a", 1).await;
    release(&store, "b", 1).await;
    store.mark_published(&[(released[0].id, released[0].dispatch)]).await.unwrap();
    assert_eq!(store.recall_all().await.unwrap(), 2);
    assert_eq!(states(&store, 1).await, [LegState::Ready; 3]);
    let again = release(&store, "a", 2).await;
    let dispatches: Vec<_> = again.iter().map(|leg| (leg.id, leg.dispatch)).collect();
    // Every release has a number of its own; who was out waits anew.
    assert_eq!(dispatches, [(leg(1, 2), dispatch(1)), (leg(1, 0), dispatch(2))]);
    assert_eq!(store.recall_all().await.unwrap(), 2);
}
