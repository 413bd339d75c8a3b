//! Changes of a job and its legs.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    Attempt, Dispatch, Gate, JobChange, JobClass, JobRecord, JobState, JobView, LegRecord,
    LegState, LoginTag, MailboxTag, Payload, ReturnCause, ShardIndex, Store,
};

use super::{Place, assert_corrupt, read, release, submit};
use crate::decisions::{a_refusal, an_end, cancel, change_leg, collect, note_refusal, snooze};
use crate::samples::{self, crm, draft, group, leg_draft};

pub(crate) async fn an_unknown_job_is_nobodys(place: &impl Place) {
    let store = place.open().await;
    let never = |_: &JobView| -> (JobChange, ()) { panic!("nothing to decide about") };
    assert_eq!(store.advance(samples::job(1), never).await.unwrap(), None);
}

pub(crate) async fn whole_rows_are_written(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &samples::with_legs(1, vec![leg_draft(), leg_draft()])).await;
    let before = read(&store, 1).await;
    let new = LegRecord {
        class: JobClass::Sync,
        kind: "arrival".parse().unwrap(),
        gate: Gate::AfterLeg(1),
        group: samples::group_in("tokyo", "z"),
        shard: ShardIndex(9),
        pool: "other".parse().unwrap(),
        mailbox: MailboxTag([5; 32]),
        login: LoginTag([6; 32]),
        cap: Duration::from_secs(7),
        dispatch: Dispatch(8),
        attempt: Attempt(9),
        starts: 10,
        started: Dispatch(11),
        since: before.now,
        returned: Some(ReturnCause::UnknownKind),
        due: Some(before.now.plus(Duration::from_secs(12))),
        live_to: Some("gateway-2".parse().unwrap()),
        traceparent: Some("00-other".to_owned()),
        payload: Payload(b"sealed anew".to_vec()),
        end: Some(a_refusal()),
        ..before.legs[0].leg.clone()
    };
    let write = change_leg(0, {
        let new = new.clone();
        move |leg| *leg = new.clone()
    });
    let (_, wake) = store.advance(samples::job(1), write).await.unwrap().expect("a job");
    assert_eq!(wake, std::slice::from_ref(&new.group));
    let after = read(&store, 1).await;
    assert_eq!(after.legs[0].leg, new);
    assert_eq!(after.legs[1], before.legs[1]);
    // The job's row, as far as it may change.
    let job = |view: &JobView| {
        let job = JobRecord {
            class: JobClass::Revalidation,
            deadline: view.job.deadline.plus(Duration::from_secs(1)),
            traceparent: Some("00-new".to_owned()),
            payload: Payload(b"request anew".to_vec()),
            version: 99,
            ..view.job.clone()
        };
        (JobChange { job: Some(job.clone()), ..JobChange::default() }, job)
    };
    let (mut expect, _) = store.advance(samples::job(1), job).await.unwrap().expect("a job");
    expect.version = after.job.version + 1;
    assert_eq!(read(&store, 1).await.job, expect);
}

pub(crate) async fn every_change_is_counted_once(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let version = async || read(&store, 1).await.job.version;
    assert_eq!(version().await, 1);
    let nothing = |view: &JobView| (JobChange::default(), view.job.version);
    let said = store.advance(samples::job(1), nothing).await.unwrap();
    assert_eq!(said, Some((1, Vec::new())));
    assert_eq!(version().await, 1);
    let (_, wake) =
        store.advance(samples::job(1), change_leg(0, |_| {})).await.unwrap().expect("a job");
    assert_eq!((version().await, wake), (2, vec![group("a")]));
    store.advance(samples::job(1), note_refusal(0)).await.unwrap();
    assert_eq!(version().await, 3);
    store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(version().await, 4);
}

pub(crate) async fn the_last_try_stays_with_a_leg_that_waits_again(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    release(&store, "a", 1).await;
    let back = change_leg(0, |leg| {
        leg.end = Some(a_refusal());
        leg.attempt = leg.attempt.next();
        snooze(3_600)(leg);
    });
    store.advance(samples::job(1), back).await.unwrap();
    let view = read(&store, 1).await;
    assert_eq!(view.legs[0].leg.end, Some(a_refusal()));
    // An older dispatch may still answer while the leg waits.
    let (is_end, _) =
        store.advance(samples::job(1), collect(0, Verdict::Faulty)).await.unwrap().expect("a job");
    assert!(is_end);
    assert_eq!(read(&store, 1).await.legs[0].leg.end, Some(an_end()));
}

pub(crate) async fn a_place_or_a_waiting_leg_wakes_its_group(place: &impl Place) {
    let store = place.open().await;
    let blocked = mailfleet_model::fleet::LegDraft {
        gate: Gate::AfterLeg(0),
        group: group("b"),
        ..leg_draft()
    };
    submit(&store, &samples::with_legs(1, vec![leg_draft(), blocked])).await;
    release(&store, "a", 1).await;
    // A result opens the other leg's gate.
    let both = |view: &JobView| {
        let done =
            LegRecord { state: LegState::Done, end: Some(an_end()), ..view.legs[0].leg.clone() };
        let ready = LegRecord { state: LegState::Ready, ..view.legs[1].leg.clone() };
        (JobChange { legs: vec![ready, done], ..JobChange::default() }, ())
    };
    let (_, wake) = store.advance(samples::job(1), both).await.unwrap().expect("a job");
    assert_eq!(wake, [group("a"), group("b")]);
    // A leg that was out waits in another group: there is room here, and work there.
    release(&store, "b", 1).await;
    let regroup = change_leg(1, |leg| {
        leg.state = LegState::Ready;
        leg.group = group("c");
        leg.shard = ShardIndex(3);
    });
    let (_, wake) = store.advance(samples::job(1), regroup).await.unwrap().expect("a job");
    assert_eq!(wake, [group("b"), group("c")]);
    assert_eq!(release(&store, "c", 1).await.len(), 1);
    // A snooze makes room only.
    let (_, wake) =
        store.advance(samples::job(1), change_leg(1, snooze(60))).await.unwrap().expect("a job");
    assert_eq!(wake, [group("c")]);
    let (_, wake) = store.advance(samples::job(1), cancel).await.unwrap().expect("a job");
    assert!(wake.is_empty());
}

pub(crate) async fn a_refusal_is_noted_once_a_leg(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &samples::with_legs(1, vec![leg_draft(), leg_draft()])).await;
    store.advance(samples::job(1), note_refusal(0)).await.unwrap();
    let once = read(&store, 1).await.legs[0].budget;
    assert_eq!(once.refusals, 1);
    store.advance(samples::job(1), note_refusal(0)).await.unwrap();
    assert_eq!(read(&store, 1).await.legs[0].budget, once);
    store.advance(samples::job(1), note_refusal(1)).await.unwrap();
    let view = read(&store, 1).await;
    let twice = view.legs[1].budget;
    assert_eq!((twice.refusals, view.legs[0].budget), (2, twice));
    assert!(once.last < twice.last && twice.last <= Some(view.now));
}

pub(crate) async fn what_a_decision_may_not_do_is_corrupt(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &samples::with_legs(1, vec![leg_draft(), leg_draft()])).await;
    submit(&store, &draft(2)).await;
    store.advance(samples::job(2), collect(0, Verdict::Healthy)).await.unwrap();
    let before = (read(&store, 1).await, read(&store, 2).await);
    let legs: [fn(&mut LegRecord); 6] = [
        |leg| leg.state = LegState::Published,
        |leg| leg.state = LegState::Blocked,
        |leg| leg.state = LegState::Done,
        |leg| leg.id.index = 7,
        |leg| leg.id.job = samples::job(2),
        |leg| leg.tenant = samples::tenant("other"),
    ];
    for change in legs {
        assert_corrupt(store.advance(samples::job(1), change_leg(0, change)).await);
    }
    let reopen = change_leg(0, |leg| leg.state = LegState::Ready);
    assert_corrupt(store.advance(samples::job(2), reopen).await);
    let open: [fn(&mut JobRecord); 4] = [
        |job| job.state = JobState::Done,
        |job| job.report = Some(Payload::default()),
        |job| job.id = samples::job(9),
        |job| job.batch = Some(samples::batch(1)),
    ];
    let ended: [fn(&mut JobRecord); 2] =
        [|job| job.state = JobState::Cancelled, |job| job.verdict = None];
    for (number, change) in open.map(|change| (1, change)).into_iter().chain(ended.map(|c| (2, c)))
    {
        let change = |view: &JobView| {
            let mut job = view.job.clone();
            change(&mut job);
            (JobChange { job: Some(job), ..JobChange::default() }, ())
        };
        assert_corrupt(store.advance(samples::job(number), change).await);
    }
    let after = (read(&store, 1).await, read(&store, 2).await);
    assert_eq!((before.0.job, before.0.legs), (after.0.job, after.0.legs));
    assert_eq!((before.1.job, before.1.legs), (after.1.job, after.1.legs));
    assert_eq!(store.usage(&crm()).await.unwrap().interactive, 1);
}

pub(crate) async fn a_decision_that_panics_leaves_nothing(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let panics = |_: &JobView| -> (JobChange, ()) { panic!("a bug in a decision") };
    let done = AssertUnwindSafe(store.advance(samples::job(1), panics)).catch_unwind().await;
    assert!(done.is_err(), "the caller's panic is the caller's");
    store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(read(&store, 1).await.job.state, JobState::Done);
}
