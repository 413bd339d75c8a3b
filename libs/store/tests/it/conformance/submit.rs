//! Admission: what it sees, and what it leaves.

use std::sync::Mutex;
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    Admission, Attempt, Dispatch, Gate, JobClass, JobDraft, JobRecord, JobState, LegDraft, LegId,
    LegRecord, LegState, MailboxTag, OutCount, Payload, RequestTag, ShardIndex, Store, SubmitView,
    TenantId, Timestamp, Usage,
};

use super::{Place, assert_corrupt, batches, read, release, submit};
use crate::decisions::{accept, admit, at_once, collect, note_refusal, refuse};
use crate::samples::{self, crm, draft, group, leg_draft, tenant};

/// What admission saw.
async fn seen(store: &impl Store, draft: &JobDraft) -> SubmitView {
    let seen = Mutex::new(None);
    let look = |view: &SubmitView| {
        *seen.lock().unwrap() = Some(view.clone());
        refuse(view)
    };
    store.submit(draft, look).await.unwrap();
    seen.into_inner().unwrap().expect("a decision")
}

pub(crate) async fn an_accepted_job_comes_back_whole(place: &impl Place) {
    let store = place.open().await;
    let second = LegDraft {
        kind: "outgoing".parse().unwrap(),
        gate: Gate::AfterLeg(0),
        group: group("b"),
        shard: ShardIndex(63),
        pool: "tokyo".parse().unwrap(),
        mailbox: MailboxTag([7; 32]),
        login: samples::login(8),
        cap: Duration::from_micros(600_000_001),
        payload: Payload((0..=255).collect()),
    };
    let third = LegDraft { gate: Gate::AfterOthers, ..leg_draft() };
    let draft = JobDraft {
        tenant: crm(),
        class: JobClass::Sync,
        request: samples::request("r", 3),
        settings: samples::settings(4),
        live_to: Some("gateway-1".parse().unwrap()),
        traceparent: Some("00-trace-01".to_owned()),
        ..samples::with_legs(5, vec![leg_draft(), second, third])
    };
    let before = store.now().await.unwrap();
    let wake = submit(&store, &draft).await;
    assert_eq!(wake, [group("a")]);

    let view = read(&store, 5).await;
    let created = view.job.created;
    assert!(before <= created && created <= view.now, "{before:?} {created:?} {:?}", view.now);
    assert_eq!(view.job, job_of(&draft, created));
    let legs: Vec<LegRecord> = view.legs.iter().map(|leg| leg.leg.clone()).collect();
    let expect: Vec<LegRecord> = (0..3).map(|index| leg_of(&draft, index, created)).collect();
    assert_eq!(legs, expect);
}

fn job_of(draft: &JobDraft, created: Timestamp) -> JobRecord {
    JobRecord {
        id: draft.id,
        tenant: draft.tenant.clone(),
        class: draft.class,
        batch: draft.batch,
        state: JobState::Open,
        version: 1,
        created,
        deadline: created.plus(draft.deadline),
        finished: None,
        verdict: None,
        report: None,
        traceparent: draft.traceparent.clone(),
        payload: draft.payload.clone(),
    }
}

fn leg_of(draft: &JobDraft, index: u8, created: Timestamp) -> LegRecord {
    let leg = &draft.legs[usize::from(index)];
    LegRecord {
        id: LegId { job: draft.id, index },
        tenant: draft.tenant.clone(),
        class: draft.class,
        kind: leg.kind.clone(),
        gate: leg.gate,
        group: leg.group.clone(),
        shard: leg.shard,
        pool: leg.pool.clone(),
        mailbox: leg.mailbox,
        login: leg.login,
        cap: leg.cap,
        state: if leg.gate == Gate::Open { LegState::Ready } else { LegState::Blocked },
        dispatch: Dispatch(0),
        attempt: Attempt(0),
        starts: 0,
        started: Dispatch(0),
        since: created,
        returned: None,
        due: None,
        live_to: draft.live_to.clone(),
        traceparent: draft.traceparent.clone(),
        payload: leg.payload.clone(),
        end: None,
    }
}

pub(crate) async fn what_is_refused_leaves_nothing(place: &impl Place) {
    let store = place.open().await;
    let draft =
        JobDraft { request: samples::request("r", 1), settings: samples::settings(1), ..draft(1) };
    let refused = store.submit(&draft, refuse).await.unwrap();
    assert_eq!((refused.admission.clone(), refused.wake), (refuse(&any_view()), Vec::new()));
    assert_eq!(store.job(&crm(), draft.id).await.unwrap(), None);
    assert_eq!(store.usage(&crm()).await.unwrap().interactive, 0);
    let seen = seen(&store, &draft).await;
    assert_eq!((seen.repeated, seen.running), (None, None));
    assert!(release(&store, "a", 9).await.is_empty());
}

fn any_view() -> SubmitView {
    SubmitView {
        now: Timestamp(0),
        repeated: None,
        running: None,
        usage: mailfleet_model::fleet::Usage::default(),
        budgets: Vec::new(),
        calm: Vec::new(),
    }
}

pub(crate) async fn legs_of_calm_groups_go_with_their_job(place: &impl Place) {
    let store = place.open().await;
    let in_b = LegDraft { group: group("b"), shard: ShardIndex(2), ..leg_draft() };
    let gated = LegDraft { gate: Gate::AfterOthers, ..leg_draft() };
    let both = |number| samples::with_legs(number, vec![leg_draft(), in_b.clone(), gated.clone()]);
    let calm = async |draft: &JobDraft| {
        let calm = seen(&store, draft).await.calm;
        assert!(calm.iter().all(|group| group.lanes.is_empty()));
        calm.into_iter().map(|group| (group.settings.group, group.out)).collect::<Vec<_>>()
    };
    assert!(calm(&both(1)).await.is_empty(), "nobody knows these groups");
    submit(&store, &both(1)).await;
    assert!(calm(&both(2)).await.is_empty(), "a leg waits in both");
    release(&store, "a", 9).await;
    let out = |interactive| OutCount { interactive, bulk: 0 };
    assert_eq!(calm(&both(2)).await, [(group("a"), out(1))]);
    release(&store, "b", 9).await;
    assert_eq!(calm(&both(2)).await, [(group("a"), out(1)), (group("b"), out(1))]);

    let before = store.now().await.unwrap();
    let submitted = store.submit(&both(2), at_once(&[1])).await.unwrap();
    assert_eq!(submitted.wake, [group("a")], "the other one is released already");
    let view = read(&store, 2).await;
    let legs: Vec<LegRecord> = view.legs.iter().map(|leg| leg.leg.clone()).collect();
    assert_eq!(submitted.released, [legs[1].clone()]);
    let expect: Vec<_> = (0..3).map(|index| leg_of(&both(2), index, view.job.created)).collect();
    let (state, dispatch) = (LegState::Released, Dispatch(1));
    let released = LegRecord { state, dispatch, ..expect[1].clone() };
    assert_eq!(legs, [expect[0].clone(), released, expect[2].clone()]);
    assert!(before <= view.job.created && view.job.version == 1);
    // It is out, and is found if nobody publishes it.
    assert_eq!(calm(&both(3)).await, [(group("b"), out(2))]);
    let lost = store.unpublished(Duration::ZERO, 9).await.unwrap();
    assert!(lost.iter().any(|leg| leg.id == submitted.released[0].id));
    let next = store.advance(samples::job(2), collect(1, Verdict::Healthy)).await.unwrap();
    assert_eq!(next.expect("the job").1, [group("b")], "its place is free");
}

pub(crate) async fn a_leg_that_may_not_go_with_its_job_is_corrupt(place: &impl Place) {
    let store = place.open().await;
    assert_corrupt(store.submit(&draft(1), at_once(&[0])).await);
    submit(&store, &draft(1)).await;
    assert_corrupt(store.submit(&draft(2), at_once(&[0])).await);
    release(&store, "a", 1).await;
    let gated = LegDraft { gate: Gate::AfterOthers, ..leg_draft() };
    let two = samples::with_legs(2, vec![leg_draft(), gated]);
    assert_corrupt(store.submit(&two, at_once(&[1])).await);
    assert_corrupt(store.submit(&two, at_once(&[2])).await);
    assert_eq!(store.job(&crm(), samples::job(2)).await.unwrap(), None);
    assert_eq!(store.submit(&two, at_once(&[0])).await.unwrap().released.len(), 1);
}

pub(crate) async fn a_repeated_request_is_recognised(place: &impl Place) {
    let store = place.open().await;
    let named = |number, id: &str, tenant: TenantId| JobDraft {
        request: samples::request(id, 3),
        tenant,
        ..draft(number)
    };
    submit(&store, &named(1, "r", crm())).await;
    let expect = Some((samples::job(1), RequestTag([3; 32])));
    assert_eq!(seen(&store, &named(2, "r", crm())).await.repeated, expect);
    assert_eq!(seen(&store, &named(2, "s", crm())).await.repeated, None);
    assert_eq!(seen(&store, &named(2, "r", tenant("other"))).await.repeated, None);
    assert_eq!(seen(&store, &draft(2)).await.repeated, None);
    // Also after the job has ended, for as long as it is kept.
    store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(seen(&store, &named(2, "r", crm())).await.repeated, expect);
    let again = store.submit(&named(2, "r", crm()), admit).await.unwrap();
    assert_eq!(again.admission, Admission::Repeated(samples::job(1)));
    assert!(again.wake.is_empty());
}

pub(crate) async fn the_same_settings_are_seen_while_the_first_job_is_open(place: &impl Place) {
    let store = place.open().await;
    let same =
        |number, tenant| JobDraft { settings: samples::settings(7), tenant, ..draft(number) };
    submit(&store, &same(1, crm())).await;
    assert_eq!(seen(&store, &same(2, crm())).await.running, Some(samples::job(1)));
    assert_eq!(seen(&store, &same(2, tenant("other"))).await.running, None);
    assert_eq!(seen(&store, &draft(2)).await.running, None);
    let joined = store.submit(&same(2, crm()), admit).await.unwrap();
    assert_eq!(joined.admission, Admission::Join(samples::job(1)));
    store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(seen(&store, &same(2, crm())).await.running, None);
    submit(&store, &same(2, crm())).await;
}

pub(crate) async fn legs_with_a_gate_are_blocked(place: &impl Place) {
    let store = place.open().await;
    let leg = |key: &str, gate| LegDraft { group: group(key), gate, ..leg_draft() };
    let legs = vec![
        leg("b", Gate::Open),
        leg("a", Gate::Open),
        leg("b", Gate::Open),
        leg("c", Gate::AfterOthers),
    ];
    // Each group once, and only those with a leg that may go.
    assert_eq!(submit(&store, &samples::with_legs(1, legs)).await, [group("a"), group("b")]);
    assert!(release(&store, "c", 9).await.is_empty());
    assert_eq!(release(&store, "b", 9).await.len(), 2);
}

pub(crate) async fn a_job_of_a_batch_that_is_not_the_tenants_is_corrupt(place: &impl Place) {
    let store = place.open().await;
    batches::make(&store, &tenant("other"), samples::batch(1)).await;
    for batch in [1, 2] {
        let draft = samples::of_batch(1, samples::batch(batch));
        assert_corrupt(store.submit(&draft, accept).await);
    }
    assert_eq!(store.job(&crm(), samples::job(1)).await.unwrap(), None);
    assert_eq!(store.usage(&tenant("other")).await.unwrap(), Usage::default());
}

pub(crate) async fn an_acceptance_against_what_was_seen_is_corrupt(place: &impl Place) {
    let store = place.open().await;
    let same = |number| JobDraft { settings: samples::settings(7), ..draft(number) };
    submit(&store, &same(1)).await;
    assert_corrupt(store.submit(&same(2), accept).await);
    assert_corrupt(store.submit(&draft(1), accept).await);
    assert_eq!(store.job(&crm(), samples::job(2)).await.unwrap(), None);
    assert_eq!(store.usage(&crm()).await.unwrap().interactive, 1);
    // What is known of logins is among what is seen.
    store.advance(samples::job(1), note_refusal(0)).await.unwrap();
    let budgets = seen(&store, &draft(3)).await.budgets;
    assert_eq!(budgets.iter().map(|budget| budget.refusals).collect::<Vec<_>>(), [1]);
}

pub(crate) async fn a_job_has_legs_and_not_too_many(place: &impl Place) {
    let store = place.open().await;
    for n_legs in [0, 17] {
        let legs = vec![leg_draft(); n_legs];
        assert_corrupt(store.submit(&samples::with_legs(1, legs), accept).await);
    }
    submit(&store, &samples::with_legs(1, vec![leg_draft(); 16])).await;
    assert_eq!(read(&store, 1).await.legs.len(), 16);
}

pub(crate) async fn numbers_that_no_database_holds_are_bounded(place: &impl Place) {
    let store = place.open().await;
    let endless = LegDraft { cap: Duration::MAX, ..leg_draft() };
    let draft =
        JobDraft { deadline: Duration::MAX, ..samples::with_legs(u128::MAX - 1, vec![endless]) };
    submit(&store, &draft).await;
    let released = release(&store, "a", 1).await;
    store.mark_published(&[(released[0].id, released[0].dispatch)]).await.unwrap();
    assert!(store.overdue(Duration::MAX, 9).await.unwrap().is_empty());
    assert!(store.expired(9).await.unwrap().is_empty());
    assert!(store.purge(Duration::MAX, 9).await.unwrap() == 0);
    assert!(store.jobs(&crm(), &Default::default(), None, 9).await.unwrap().next.is_none());
    let JobId(id) = draft.id;
    assert_eq!(id.as_u128(), u128::MAX - 1);
}
