//! Every state of a leg has its reason, and every reason its sentence in both languages.

use std::num::NonZeroU32;

use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{
    Dispatch, GroupLimits, HeldLeg, LegEnd, LegRecord, LegSummary, LoginBudget, Payload, Rate,
    ReturnCause,
};
use mailfleet_model::leg::{LoginOutcome, Submission};

use super::*;
use crate::fixtures;
use crate::returned::because;

const NOW: Timestamp = Timestamp(3_600_000_000);

fn leg(state: LegState) -> LegView {
    let leg = LegRecord { state, dispatch: Dispatch(1), ..fixtures::leg(0) };
    LegView { leg, budget: LoginBudget::default() }
}

fn worker() -> WorkerId {
    "w-1".parse().expect("a name")
}

/// What an owner answers that has the leg in this stage.
fn answer(state: GroupState, stage: Option<HeldStage>) -> Facts {
    let source = Some("192.0.2.7".parse().expect("an address"));
    let leg = fixtures::leg(0).id;
    let held = stage.map(|stage| HeldLeg { leg, stage, source }).into_iter().collect();
    let answer = Answer { worker: worker(), groups: vec![state], held: Some(held) };
    Facts { answer: Some(answer), ..facts() }
}

fn facts() -> Facts {
    let ten = NonZeroU32::new(10).expect("not zero");
    let limits = GroupLimits { concurrency: ten, per_source: None, rate: None };
    let group = fixtures::leg(0).group;
    Facts {
        settings: GroupSettings { group, limits, paused: false, version: 0 },
        out: 15,
        answer: None,
        owner: Some(worker()),
    }
}

fn state() -> GroupState {
    let group = fixtures::leg(0).group;
    GroupState {
        group,
        limit: 10,
        in_use: 10,
        waiting: 5,
        paused: false,
        breaker: None,
        lowered: None,
    }
}

#[track_caller]
fn check(row: &LegView, facts: &Facts, expect: Reason) -> Explained {
    let why = judge(row, Some(facts), NOW, &DispatchRules::default());
    let explained = explained(why.clone(), words::sentence(&why, Language::English));
    assert_eq!(explained.reason, expect, "{why:?}");
    assert!(explained.text.ends_with('.') && explained.text.is_ascii(), "{}", explained.text);
    let japanese = words::sentence(&why, Language::Japanese);
    assert!(japanese.ends_with('。') && !japanese.is_ascii(), "{japanese}");
    explained
}

#[test]
fn what_the_store_knows() {
    check(&leg(LegState::Done), &facts(), Reason::Ended);
    check(&leg(LegState::Blocked), &facts(), Reason::OtherLeg);
    let turn = check(&leg(LegState::Ready), &facts(), Reason::Turn);
    assert_eq!(turn.slots, Some((10, 15)));
    check(&leg(LegState::Released), &facts(), Reason::HandOver);
    let mut paused = facts();
    paused.settings.paused = true;
    check(&leg(LegState::Ready), &paused, Reason::GroupPaused);
    check(&leg(LegState::Snoozed), &paused, Reason::GroupPaused);
}

#[test]
fn a_login_that_was_refused_says_how_long_it_is_kept_back() {
    let mut row = leg(LegState::Ready);
    row.budget = LoginBudget { refusals: 1, last: Some(NOW) };
    let kept = check(&row, &facts(), Reason::LoginKeptBack);
    assert_eq!(kept.wait, Some(Duration::from_secs(900)));
    assert!(kept.text.contains("15 min"), "{}", kept.text);
}

#[test]
fn a_leg_that_sleeps_says_why_and_for_how_long() {
    let mut row = leg(LegState::Snoozed);
    row.leg.due = Some(NOW.plus(Duration::from_millis(44_100)));
    let returned = check(&row, &facts(), Reason::Returned);
    assert_eq!(returned.wait, Some(Duration::from_millis(44_100)));
    assert!(returned.text.contains("45 s"), "{}", returned.text);
    let code = FaultCode::TooManyConnections;
    let summary = LegSummary {
        code: Some(code),
        retry: Some(code.retry()),
        login: LoginOutcome::NotTried,
        submission: Submission::NotSent,
    };
    row.leg.end = Some(LegEnd { summary, report: Payload::default() });
    assert_eq!(check(&row, &facts(), Reason::Retry).code, Some(code));
    // What happened last is told: a return after the failed run.
    for cause in [ReturnCause::UnknownKind, ReturnCause::Breaker, ReturnCause::Regroup] {
        row.leg.returned = Some(cause);
        let text = check(&row, &facts(), Reason::Returned).text;
        assert!(text.contains(because(cause, Language::English)), "{text}");
    }
}

#[test]
fn what_the_owner_knows() {
    let row = leg(LegState::Published);
    let with = |state| answer(state, Some(HeldStage::Waiting));
    let slot = check(&row, &with(state()), Reason::Slot);
    assert_eq!(slot.slots, Some((10, 10)));
    check(&row, &with(GroupState { paused: true, in_use: 0, ..state() }), Reason::GroupPaused);
    let wait = Duration::from_secs(30);
    let down = GroupState { breaker: Some(wait), in_use: 0, ..state() };
    assert_eq!(check(&row, &with(down), Reason::ServerDown).wait, Some(wait));
    let trying = GroupState { breaker: Some(Duration::ZERO), in_use: 1, ..state() };
    assert_eq!(check(&row, &with(trying), Reason::ServerDown).wait, None);
    let mut slow = with(GroupState { in_use: 1, ..state() });
    let one = NonZeroU32::MIN;
    slow.settings.limits.rate = Some(Rate { logins: one, per: Duration::from_secs(60) });
    check(&row, &slow, Reason::LoginRate);
    // Others wait, and this one runs; its state is its own.
    let runs = check(&row, &answer(state(), Some(HeldStage::Running)), Reason::Running);
    assert_eq!((runs.worker, runs.slots), (Some(worker()), Some((10, 10))));
    assert_eq!(runs.text, "It runs now at the worker w-1, from 192.0.2.7.");
    check(&leg(LegState::Released), &answer(state(), Some(HeldStage::Running)), Reason::Running);
    check(&leg(LegState::Released), &answer(state(), None), Reason::HandOver);
    check(&row, &answer(state(), Some(HeldStage::Asking)), Reason::HandOver);
    check(&row, &answer(state(), Some(HeldStage::Leaving)), Reason::Leaving);
    check(&row, &answer(state(), None), Reason::HandOver);
}

#[test]
fn of_an_owner_that_does_not_say_nothing_is_guessed_and_none_is_said_to_be_missing() {
    let row = leg(LegState::Published);
    assert_eq!(check(&row, &facts(), Reason::AtWorker).worker, Some(worker()));
    // A version that tells only of groups.
    let older = |waiting| {
        let groups = vec![GroupState { waiting, ..state() }];
        Facts { answer: Some(Answer { worker: worker(), groups, held: None }), ..facts() }
    };
    check(&row, &older(3), Reason::Slot);
    check(&leg(LegState::Released), &older(3), Reason::HandOver);
    check(&row, &older(0), Reason::AtWorker);
    let none = check(&row, &Facts { owner: None, ..facts() }, Reason::HandOver);
    assert!(none.text.contains("waits for a worker"), "{}", none.text);
}

#[test]
fn the_summary_is_about_the_first_leg_that_holds_the_job_up() {
    let (ended, ready) = (leg(LegState::Done), leg(LegState::Ready));
    let turn = Why::Turn { limit: 1, out: 1 };
    let legs = [(Why::Ended, &ended), (turn, &ready)];
    let text = words::summary(&legs, Language::English);
    assert!(text.starts_with("IMAP: It waits for its turn"), "{text}");
    assert!(words::summary(&legs[..1], Language::Japanese).contains("終了"));
}
