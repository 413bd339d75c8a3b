//! Collecting as stories: a job, what happens to it, and what it is then.

use std::time::Duration;

use mailfleet_model::fleet::{
    Attempt, GroupId, GroupKey, JobClass, LegView, LoginBudget, LoginTag, MailboxTag, ShardIndex,
    Timestamp,
};
use mailfleet_model::{JobId, Retry};
use uuid::Uuid;

use super::*;

const JOB: JobId = JobId(Uuid::from_u128(1));

/// Reports are the code's name; a gated leg goes ahead unless it is called `arrival`.
struct Plain;

impl Composer for Plain {
    fn unblock(&self, leg: &LegRecord, _legs: &[LegRecord]) -> Unblocked {
        if leg.kind.as_str() == "arrival" {
            Unblocked::Skipped(Payload(b"nothing to find".to_vec()))
        } else {
            Unblocked::Ready(None)
        }
    }

    fn runs_once(&self, leg: &LegRecord) -> bool {
        leg.kind.as_str() == "outgoing"
    }

    fn spent(&self, _leg: &LegRecord) -> Payload {
        Payload(b"spent".to_vec())
    }

    fn closing(&self, _leg: &LegRecord, code: FaultCode) -> Payload {
        Payload(code.name().into())
    }

    fn report(&self, _job: &JobRecord, legs: &[LegRecord]) -> (Verdict, Payload) {
        let sick =
            legs.iter().any(|leg| leg.end.as_ref().is_some_and(|e| e.summary.code.is_some()));
        (if sick { Verdict::Faulty } else { Verdict::Healthy }, Payload(b"report".to_vec()))
    }
}

fn leg(index: u8, kind: &str, gate: Gate, state: LegState) -> LegRecord {
    let key = GroupKey::new(format!("{kind}:192.0.2.1")).expect("a key");
    LegRecord {
        id: LegId { job: JOB, index },
        tenant: "crm".parse().expect("a name"),
        class: JobClass::Interactive,
        kind: kind.parse().expect("a name"),
        gate,
        group: GroupId { zone: "z".parse().expect("a name"), key },
        shard: ShardIndex(0),
        pool: "p".parse().expect("a name"),
        mailbox: MailboxTag([1; 32]),
        login: LoginTag([2; 32]),
        cap: Duration::from_secs(60),
        state,
        dispatch: Dispatch(u32::from(state != LegState::Blocked && state != LegState::Ready)),
        attempt: Attempt(0),
        starts: 0,
        started: Dispatch(0),
        since: Timestamp(0),
        returned: None,
        due: None,
        live_to: None,
        traceparent: None,
        payload: Payload(b"order".to_vec()),
        end: None,
    }
}

fn view(legs: Vec<LegRecord>) -> JobView {
    let job = JobRecord {
        id: JOB,
        tenant: "crm".parse().expect("a name"),
        class: JobClass::Interactive,
        batch: None,
        state: JobState::Open,
        version: 1,
        created: Timestamp(0),
        deadline: Timestamp(3_600_000_000),
        finished: None,
        verdict: None,
        report: None,
        traceparent: None,
        payload: Payload::default(),
    };
    let budget = LoginBudget::default();
    let legs = legs.into_iter().map(|leg| LegView { leg, budget }).collect();
    JobView { now: Timestamp(1_000_000), job, legs }
}

fn end(code: Option<FaultCode>, login: LoginOutcome) -> LegEnd {
    let summary = LegSummary { login, ..not_run(code) };
    LegEnd { summary, report: Payload(b"leg".to_vec()) }
}

fn id(index: u8) -> LegId {
    LegId { job: JOB, index }
}

/// Applies an event and writes it back, as a store would.
fn after(view: &mut JobView, event: &Event) -> StartAnswer {
    let (change, answer) = advance(view, event, &Plain, &Rules::default());
    for leg in change.legs {
        let row = &mut view.legs[usize::from(leg.id.index)].leg;
        assert!(row.state == leg.state || row.state.may_become(leg.state), "{row:?} -> {leg:?}");
        *row = leg;
    }
    view.job = change.job.unwrap_or_else(|| view.job.clone());
    answer
}

fn states(view: &JobView) -> Vec<LegState> {
    view.legs.iter().map(|row| row.leg.state).collect()
}

#[test]
fn the_first_final_result_closes_the_leg_and_the_last_leg_the_job() {
    use LegState::{Done, Published};
    let mut view = view(vec![
        leg(0, "incoming", Gate::Open, Published),
        leg(1, "outgoing", Gate::Open, Published),
    ]);
    let good = end(None, LoginOutcome::Accepted);
    after(&mut view, &Event::Ended(id(0), Dispatch(1), good.clone()));
    assert_eq!((states(&view), view.job.state), (vec![Done, Published], JobState::Open));
    let bad = end(Some(FaultCode::ConnectRefused), LoginOutcome::NotTried);
    after(&mut view, &Event::Ended(id(0), Dispatch(1), bad));
    assert_eq!(view.legs[0].leg.end, Some(good.clone()));
    after(&mut view, &Event::Ended(id(1), Dispatch(1), good));
    assert_eq!((view.job.state, view.job.verdict), (JobState::Done, Some(Verdict::Healthy)));
    let before = view.clone();
    after(&mut view, &Event::Cancel);
    assert_eq!(view, before, "a finished job stays finished");
}

#[test]
fn a_leg_that_has_ended_keeps_no_credential() {
    let order = |view: &JobView, index: usize| view.legs[index].leg.payload.0.clone();
    let mut view = view(vec![
        leg(0, "incoming", Gate::Open, LegState::Published),
        leg(1, "outgoing", Gate::Open, LegState::Ready),
    ]);
    let sick = end(Some(FaultCode::ConnectTimeout), LoginOutcome::NotTried);
    after(&mut view, &Event::Ended(id(0), Dispatch(1), sick));
    assert_eq!(order(&view, 0), b"order", "it is tried again");
    after(&mut view, &Event::Ended(id(0), Dispatch(1), end(None, LoginOutcome::Accepted)));
    assert_eq!((order(&view, 0), order(&view, 1)), (b"spent".to_vec(), b"order".to_vec()));
    after(&mut view, &Event::Cancel);
    assert_eq!(order(&view, 1), b"spent");
}

#[test]
fn temporary_trouble_is_tried_again_until_the_tries_are_used_up() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    let sick = end(Some(FaultCode::ConnectTimeout), LoginOutcome::NotTried);
    for attempt in 1..5 {
        let dispatch = view.legs[0].leg.dispatch;
        after(&mut view, &Event::Ended(id(0), dispatch, sick.clone()));
        let row = &view.legs[0].leg;
        assert_eq!((row.state, row.attempt), (LegState::Snoozed, Attempt(attempt)));
        let pause = row.due.expect("a time").since(view.now);
        let least = Duration::from_secs(60) * 2_u32.pow(attempt - 1);
        assert!(least <= pause && pause <= least * 5 / 4, "{attempt}: {pause:?}");
        // The late echo of the same release changes nothing.
        let before = view.clone();
        after(&mut view, &Event::Ended(id(0), dispatch, sick.clone()));
        assert_eq!(view, before);
        let row = &mut view.legs[0].leg;
        (row.state, row.dispatch) = (LegState::Published, dispatch.next());
    }
    let dispatch = view.legs[0].leg.dispatch;
    after(&mut view, &Event::Ended(id(0), dispatch, sick));
    assert_eq!(view.job.verdict, Some(Verdict::Faulty));
}

#[test]
fn being_pushed_back_burns_no_try_and_the_deadline_ends_it() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    let mut busy = end(Some(FaultCode::TooManyConnections), LoginOutcome::NotTried);
    busy.summary.retry = Some(Retry::ServerHint(Duration::from_secs(30)));
    after(&mut view, &Event::Ended(id(0), Dispatch(1), busy.clone()));
    assert_eq!((states(&view), view.legs[0].leg.attempt), (vec![LegState::Snoozed], Attempt(0)));
    view.now = Timestamp(3_600_000_000);
    after(&mut view, &Event::Deadline);
    assert_eq!(view.legs[0].leg.end, Some(busy), "what the last try found stands");
    assert_eq!(view.job.state, JobState::Done);
}

#[test]
fn a_try_that_would_begin_too_late_is_not_made() {
    let seconds = |n: u64| Timestamp(n * 1_000_000);
    for (now, expect) in [(3_561, LegState::Snoozed), (3_562, LegState::Done)] {
        let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
        view.now = seconds(now);
        let mut busy = end(Some(FaultCode::TooManyConnections), LoginOutcome::NotTried);
        busy.summary.retry = Some(Retry::ServerHint(Duration::from_secs(30)));
        after(&mut view, &Event::Ended(id(0), Dispatch(1), busy.clone()));
        assert_eq!(states(&view), [expect], "30 s and 8 s from {now} s");
        assert_eq!(view.legs[0].leg.end, Some(busy), "its report stands, or waits to be replaced");
    }
}

#[test]
fn a_mail_that_may_be_on_its_way_is_not_sent_again() {
    let mut view = view(vec![leg(0, "outgoing", Gate::Open, LegState::Published)]);
    let mut lost = end(Some(FaultCode::ConnectTimeout), LoginOutcome::Accepted);
    lost.summary.submission = Submission::Unknown;
    after(&mut view, &Event::Ended(id(0), Dispatch(1), lost));
    assert_eq!(states(&view), [LegState::Done]);
}

#[test]
fn a_refused_password_is_kept_back_from_the_leg_that_waits_with_it() {
    let mut legs = vec![
        leg(0, "incoming", Gate::Open, LegState::Published),
        leg(1, "outgoing", Gate::AfterLeg(0), LegState::Blocked),
        leg(2, "other", Gate::AfterLeg(0), LegState::Blocked),
        leg(3, "arrival", Gate::AfterOthers, LegState::Blocked),
    ];
    legs[2].login = LoginTag([9; 32]);
    let mut view = view(legs);
    let refused = end(Some(FaultCode::AuthInvalidCredentials), LoginOutcome::RefusedDefinitively);
    let event = Event::Ended(id(0), Dispatch(1), refused);
    assert_eq!(advance(&view, &event, &Plain, &Rules::default()).0.ledger.len(), 1);
    after(&mut view, &event);
    use LegState::{Blocked, Done, Ready, Skipped};
    assert_eq!(states(&view), [Done, Skipped, Ready, Blocked]);
    let report = view.legs[1].leg.end.as_ref().map(|end| end.report.0.clone());
    assert_eq!(report, Some(b"LEG_NOT_TRIED".to_vec()));
    let good = end(None, LoginOutcome::Accepted);
    view.legs[2].leg.state = LegState::Published;
    after(&mut view, &Event::Ended(id(2), Dispatch(1), good));
    assert_eq!(states(&view), [Done, Skipped, Done, Skipped]);
    assert_eq!(view.job.state, JobState::Done);
}

#[test]
fn a_returned_leg_waits_and_old_echoes_do_not_count() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    view.legs[0].leg.dispatch = Dispatch(2);
    let back = |reason, seconds| Returned { reason, after: Duration::from_secs(seconds) };
    after(&mut view, &Event::Returned(id(0), Dispatch(1), back(ReturnReason::Busy, 0)));
    assert_eq!(states(&view), [LegState::Published]);
    let key = GroupKey::new("google").expect("a key");
    let regroup = back(ReturnReason::Regroup(key.clone()), 0);
    after(&mut view, &Event::Returned(id(0), Dispatch(2), regroup));
    assert_eq!((states(&view), &view.legs[0].leg.group.key), (vec![LegState::Ready], &key));
    view.legs[0].leg.state = LegState::Published;
    after(&mut view, &Event::Returned(id(0), Dispatch(2), back(ReturnReason::Breaker, 30)));
    assert_eq!(view.legs[0].leg.due, Some(view.now.plus(Duration::from_secs(30))));
    view.legs[0].leg.state = LegState::Published;
    after(&mut view, &Event::Returned(id(0), Dispatch(2), back(ReturnReason::Breaker, 9_999)));
    let code = view.legs[0].leg.end.as_ref().and_then(|end| end.summary.code);
    assert_eq!(code, Some(FaultCode::CapacityLimit), "a snooze past the deadline is the end");
}

/// The question of an owner that had the release from the beginning.
fn may_start(dispatch: Dispatch) -> Event {
    Event::MayStart { leg: id(0), dispatch, redelivered: false }
}

#[test]
fn what_an_owner_before_may_have_begun_is_released_anew_and_what_it_only_held_starts() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    let again = Event::MayStart { leg: id(0), dispatch: Dispatch(1), redelivered: true };
    assert_eq!(after(&mut view, &again), StartAnswer::Go, "nobody was told to start it");
    assert_eq!(view.legs[0].leg.starts, 1);
    assert_eq!(after(&mut view, &again), StartAnswer::Drop, "somebody was");
    assert_eq!((states(&view), view.legs[0].leg.starts), (vec![LegState::Ready], 1));
    // What sends a mail is not begun twice by it.
    let mut view = self::view(vec![leg(0, "outgoing", Gate::Open, LegState::Published)]);
    assert_eq!(after(&mut view, &may_start(Dispatch(1))), StartAnswer::Go);
    assert_eq!(after(&mut view, &again), StartAnswer::Drop);
    view.legs[0].leg.state = LegState::Published;
    view.legs[0].leg.dispatch = Dispatch(2);
    assert_eq!(after(&mut view, &may_start(Dispatch(2))), StartAnswer::Drop);
    let code = view.legs[0].leg.end.as_ref().and_then(|end| end.summary.code);
    assert_eq!(code, Some(FaultCode::SubmissionOutcomeUnknown));
}

#[test]
fn three_starts_without_a_result_are_enough() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    let lost = Returned { reason: ReturnReason::Redelivered, after: Duration::ZERO };
    for dispatch in (1..=3).map(Dispatch) {
        view.legs[0].leg.state = LegState::Published;
        view.legs[0].leg.dispatch = dispatch;
        for _ in 0..2 {
            let answer = after(&mut view, &may_start(dispatch));
            assert_eq!(answer, StartAnswer::Go, "asking again is allowed, and counts once");
        }
        assert_eq!(view.legs[0].leg.starts, dispatch.0);
        assert_eq!(after(&mut view, &may_start(Dispatch(0))), StartAnswer::Drop);
        after(&mut view, &Event::Returned(id(0), dispatch, lost.clone()));
    }
    let code = view.legs[0].leg.end.as_ref().and_then(|end| end.summary.code);
    assert_eq!((view.job.state, code), (JobState::Done, Some(FaultCode::WorkerLost)));
}

#[test]
fn starts_that_ended_with_the_process_are_enough_too() {
    // In one process nothing is redelivered: what was out is recalled at the next start.
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    for dispatch in (1..=4).map(Dispatch) {
        view.legs[0].leg.state = LegState::Published;
        view.legs[0].leg.dispatch = dispatch;
        let answer = after(&mut view, &may_start(dispatch));
        assert_eq!(answer == StartAnswer::Go, dispatch.0 <= 3, "{dispatch:?}");
    }
    let code = view.legs[0].leg.end.as_ref().and_then(|end| end.summary.code);
    assert_eq!((view.job.state, code), (JobState::Done, Some(FaultCode::WorkerLost)));
}

#[test]
fn what_sends_a_mail_starts_once_and_ends_as_unknown() {
    let mut view = view(vec![leg(0, "outgoing", Gate::Open, LegState::Published)]);
    assert_eq!(after(&mut view, &may_start(Dispatch(1))), StartAnswer::Go);
    // A leg that is known not to have run starts all the same.
    let unanswered = Returned { reason: ReturnReason::Unanswered, after: Duration::ZERO };
    after(&mut view, &Event::Returned(id(0), Dispatch(1), unanswered));
    assert_eq!((states(&view), view.legs[0].leg.starts), (vec![LegState::Ready], 0));
    for (dispatch, answer) in [(2, StartAnswer::Go), (3, StartAnswer::Drop)] {
        view.legs[0].leg.state = LegState::Published;
        view.legs[0].leg.dispatch = Dispatch(dispatch);
        assert_eq!(after(&mut view, &may_start(Dispatch(dispatch))), answer);
    }
    let end = view.legs[0].leg.end.as_ref().expect("it has ended");
    assert_eq!(end.summary.code, Some(FaultCode::SubmissionOutcomeUnknown));
    assert_eq!(end.summary.submission, Submission::Unknown, "so the mail is looked for");
    assert_eq!(view.job.state, JobState::Done);
}

#[test]
fn a_start_is_denied_where_the_password_was_refused_meanwhile() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    view.legs[0].budget = LoginBudget { refusals: 1, last: Some(view.now) };
    assert_eq!(after(&mut view, &may_start(Dispatch(1))), StartAnswer::Drop);
    assert_eq!((states(&view), view.job.state), (vec![LegState::Skipped], JobState::Done));
}

#[test]
fn what_is_overdue_waits_for_its_turn_again() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Published)]);
    after(&mut view, &Event::Overdue(id(0), Dispatch(0)));
    assert_eq!(states(&view), [LegState::Published]);
    after(&mut view, &Event::Overdue(id(0), Dispatch(1)));
    assert_eq!(states(&view), [LegState::Ready]);
}

#[test]
fn a_cancelled_job_has_its_report_and_stays_cancelled() {
    let legs = vec![
        leg(0, "incoming", Gate::Open, LegState::Published),
        leg(1, "arrival", Gate::AfterOthers, LegState::Blocked),
    ];
    let mut view = view(legs);
    after(&mut view, &Event::Cancel);
    assert_eq!(states(&view), [LegState::Cancelled; 2]);
    assert_eq!((view.job.state, view.job.report.is_some()), (JobState::Cancelled, true));
    let before = view.clone();
    after(&mut view, &Event::Ended(id(0), Dispatch(1), end(None, LoginOutcome::Accepted)));
    assert_eq!(view, before);
}

#[test]
fn a_deadline_that_has_not_passed_is_no_deadline() {
    let mut view = view(vec![leg(0, "incoming", Gate::Open, LegState::Ready)]);
    after(&mut view, &Event::Deadline);
    assert_eq!(states(&view), [LegState::Ready]);
}

#[test]
fn a_leg_whose_zone_may_start_nothing_ends_while_it_waits() {
    let legs = vec![
        leg(0, "incoming", Gate::Open, LegState::Ready),
        leg(1, "outgoing", Gate::AfterLeg(0), LegState::Blocked),
    ];
    let mut view = view(legs);
    after(&mut view, &Event::ShutOut(id(0)));
    assert_eq!(states(&view), [LegState::Skipped, LegState::Ready]);
    let code = view.legs[0].leg.end.as_ref().and_then(|end| end.summary.code);
    assert_eq!(code, Some(FaultCode::EgressPoolEmpty));
    view.legs[1].leg.state = LegState::Published;
    after(&mut view, &Event::ShutOut(id(1)));
    assert_eq!(states(&view)[1], LegState::Published, "what is out comes to its end");
}
