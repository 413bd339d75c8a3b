//! What the dispatch of a group gets to see.

use std::sync::Mutex;

use mailfleet_model::fleet::{
    GroupId, GroupView, JobClass, JobDraft, LegDraft, OutCount, Release, ShardIndex, Store,
};

use super::{Place, batches, release, submit};
use crate::decisions::note_refusal;
use crate::samples::{self, crm, draft, group, group_in, leg_draft, tenant};

/// What dispatch saw.
pub(crate) async fn seen(store: &impl Store, group: &GroupId) -> GroupView {
    let seen = Mutex::new(None);
    let look = |view: &GroupView| {
        *seen.lock().unwrap() = Some(view.clone());
        Release::default()
    };
    store.release(group, look).await.unwrap();
    seen.into_inner().unwrap().expect("a decision")
}

pub(crate) async fn a_view_counts_what_is_out(place: &impl Place) {
    let store = place.open().await;
    let put = async |number, zone, key, shard, class| {
        let (group, shard) = (group_in(zone, key), ShardIndex(shard));
        let leg = LegDraft { group: group.clone(), shard, ..leg_draft() };
        submit(&store, &JobDraft { class, ..samples::with_legs(number, vec![leg]) }).await;
        store.release(&group, crate::decisions::up_to(99)).await.unwrap().0.remove(0)
    };
    put(1, "default", "a", 1, JobClass::Interactive).await;
    put(2, "default", "a", 1, JobClass::Interactive).await;
    let third = put(3, "default", "a", 1, JobClass::Revalidation).await;
    put(4, "default", "a", 1, JobClass::Sync).await;
    // The same shard, another shard, another zone.
    put(5, "default", "b", 1, JobClass::Interactive).await;
    put(6, "default", "c", 2, JobClass::Interactive).await;
    put(7, "tokyo", "a", 1, JobClass::Sync).await;
    store.mark_published(&[(third.id, third.dispatch)]).await.unwrap();
    let view = seen(&store, &group("a")).await;
    assert_eq!(view.out, OutCount { interactive: 2, bulk: 2 });
    assert_eq!(view.shard_out, OutCount { interactive: 3, bulk: 2 });
    store.advance(samples::job(3), crate::decisions::cancel).await.unwrap();
    assert_eq!(seen(&store, &group("a")).await.out, OutCount { interactive: 2, bulk: 1 });
}

pub(crate) async fn a_view_has_the_oldest_legs_of_the_lanes_served_longest_ago(place: &impl Place) {
    let store = place.open().await;
    let (lanes, legs) = (u128::try_from(GroupView::LANES).unwrap(), GroupView::LEGS);
    for number in 0..lanes + 2 {
        let of = tenant(&format!("t{number:02}"));
        submit(&store, &JobDraft { tenant: of, ..draft(number + 1) }).await;
    }
    // t00 was served, so that it comes last although its name comes first.
    assert_eq!(release(&store, "a", 1).await[0].id, samples::leg(1, 0));
    submit(&store, &JobDraft { tenant: tenant("t00"), ..draft(100) }).await;
    for number in 0..legs + 3 {
        let number = 1_000 + u128::try_from(number).unwrap();
        submit(&store, &JobDraft { class: JobClass::Sync, ..draft(number) }).await;
    }
    let view = seen(&store, &group("a")).await;
    let of = |class| view.lanes.iter().filter(move |lane| lane.class == class);
    let tenants: Vec<_> = of(JobClass::Interactive).map(|lane| lane.tenant.to_string()).collect();
    let expect: Vec<_> = (1..=lanes).map(|number| format!("t{number:02}")).collect();
    assert_eq!(tenants, expect);
    assert!(of(JobClass::Interactive).all(|lane| lane.served == 0 && lane.legs.len() == 1));
    let sync: Vec<_> = of(JobClass::Sync).collect();
    assert_eq!((sync.len(), &sync[0].tenant, sync[0].legs.len()), (1, &crm(), legs));
    let ids: Vec<u128> = sync[0].legs.iter().map(|leg| leg.id.job.0.as_u128()).collect();
    assert_eq!(ids, (1_000..1_064).collect::<Vec<_>>());
    assert!(sync[0].legs.is_sorted_by_key(|leg| leg.since));
}

pub(crate) async fn a_view_has_the_settings_and_what_is_known_of_logins(place: &impl Place) {
    let store = place.open().await;
    let other = LegDraft { login: samples::login(2), ..leg_draft() };
    submit(&store, &samples::with_legs(1, vec![leg_draft(), other])).await;
    submit(&store, &samples::in_group(2, "b")).await;
    store.advance(samples::job(1), note_refusal(0)).await.unwrap();
    samples::set(&store, &group("a"), 1, samples::limits(3), true).await;
    let view = seen(&store, &group("a")).await;
    assert_eq!(view.settings, store.group(&group("a")).await.unwrap());
    assert!(view.settings.paused);
    let budgets: Vec<_> = view.lanes[0].legs.iter().map(|leg| leg.budget).collect();
    assert_eq!((budgets[0].refusals, budgets[1].refusals), (1, 0));
    assert!(budgets[0].last.is_some_and(|last| last <= view.now) && budgets[1].last.is_none());
    // The same login at another group is another matter.
    assert_eq!(seen(&store, &group("b")).await.lanes[0].legs[0].budget.refusals, 0);
}

pub(crate) async fn legs_of_paused_batches_are_left_out(place: &impl Place) {
    let store = place.open().await;
    for number in [1, 2] {
        batches::make(&store, &crm(), samples::batch(number)).await;
    }
    submit(&store, &samples::of_batch(1, samples::batch(1))).await;
    submit(&store, &samples::of_batch(2, samples::batch(2))).await;
    submit(&store, &JobDraft { class: JobClass::Revalidation, ..draft(3) }).await;
    submit(&store, &samples::of_batch(4, samples::batch(2))).await;
    batches::pause(&store, samples::batch(2)).await;
    let legs = async || {
        let view = seen(&store, &group("a")).await;
        assert_eq!(view.lanes.len(), 1, "one tenant, one class");
        super::numbers(view.lanes[0].legs.iter().map(|leg| leg.id.job))
    };
    assert_eq!(legs().await, [1, 3]);
    batches::resume(&store, samples::batch(2)).await;
    assert_eq!(legs().await, [1, 2, 3, 4]);
}
