//! Reports of jobs whose legs ended, did not run, or left something unreadable.

use mailfleet_engine::Rules;
use mailfleet_engine::collect::{Event, advance};
use mailfleet_engine::summary;
use mailfleet_model::StepOutcome;
use mailfleet_model::fleet::{
    Dispatch, JobState, LegEnd, LegState, LegSummary, LegView, LoginBudget,
};
use mailfleet_model::leg::{FolderMark, FolderRole, LegPlan, LoginOutcome, Marks, Submission};

use super::*;
use crate::collect::readable;
use crate::fixtures;

fn view() -> JobView {
    let legs = (0..3).map(|index| {
        let mut leg = fixtures::leg(index);
        if index < 2 {
            leg.state = LegState::Published;
            leg.dispatch = Dispatch(1);
        }
        LegView { leg, budget: LoginBudget::default() }
    });
    let now = fixtures::ACCEPTED.plus(Duration::from_secs(3));
    JobView { now, job: fixtures::job(), legs: legs.collect() }
}

fn report(index: u8) -> LegReport {
    let endpoint = fixtures::endpoint(if index == 1 { Protocol::Smtp } else { Protocol::Imap });
    let kind = endpoint.protocol.into();
    let mut report = LegReport::begin(kind, endpoint, SystemTime::from(fixtures::ACCEPTED));
    report.login = LoginOutcome::Accepted;
    if index == 0 {
        let mark = FolderMark {
            name: "INBOX".to_owned(),
            role: FolderRole::Inbox,
            uid_validity: Some(1),
            uid_next: 7,
        };
        report.marks = Marks { folders: vec![mark], uidls: Vec::new() };
    }
    report
}

fn ended(report: &LegReport) -> LegEnd {
    LegEnd { summary: summary(report), report: order::leg_result_payload(report) }
}

/// Works the event in, as the gateway does, and gives the view that follows.
fn work(mut view: JobView, event: Event) -> JobView {
    let rules = Rules::default();
    let composer = Compose::on(&view, &rules.dispatch);
    let event = readable(&event, &view, &composer).into_owned();
    let (change, _) = advance(&view, &event, &composer, &rules);
    for leg in change.legs {
        let index = usize::from(leg.id.index);
        view.legs[index].leg = leg;
    }
    view.job = change.job.unwrap_or(view.job);
    view
}

fn end(view: JobView, index: u8, end: LegEnd) -> JobView {
    let leg = view.legs[usize::from(index)].leg.id;
    work(view, Event::Ended(leg, Dispatch(1), end))
}

fn final_report(view: &JobView) -> mailfleet_model::Report {
    let payload = view.job.report.as_ref().expect("the job has ended");
    order::report(payload).expect("a report").try_into().expect("a report of this build")
}

#[test]
fn the_test_mail_is_looked_for_where_the_incoming_leg_saw_new_mail_would_come() {
    let mut sent = report(1);
    sent.submission = Submission::Accepted;
    let view = end(end(view(), 0, ended(&report(0))), 1, ended(&sent));
    let arrival = &view.legs[2].leg;
    assert_eq!(arrival.state, LegState::Ready);
    let order = LegOrder::from_payload(&arrival.payload).expect("an order");
    let LegPlan::Arrival(plan) = order.plan else { panic!("an arrival leg") };
    assert_eq!(plan.marks, report(0).marks);
}

#[test]
fn what_was_not_sent_is_not_looked_for_and_the_report_says_why() {
    let view = end(end(view(), 0, ended(&report(0))), 1, ended(&report(1)));
    assert_eq!((view.legs[2].leg.state, view.job.state), (LegState::Skipped, JobState::Done));
    let report = final_report(&view);
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!((report.elapsed, report.legs.len()), (Duration::from_secs(3), 3));
    let step = report.legs[2].steps.first().expect("a step");
    let told = (step.kind, step.outcome, step.detail.as_deref());
    let expect = (StepKind::Arrival, StepOutcome::Skipped, Some("no test mail was sent"));
    assert_eq!(told, expect);
    assert_eq!(report.trace_id, Some(view.job.id.into()), "nobody traces it");
}

#[test]
fn a_result_that_cannot_be_read_is_a_fault_of_ours_and_its_login_still_counts() {
    let summary = LegSummary {
        code: None,
        retry: None,
        login: LoginOutcome::RefusedDefinitively,
        submission: Submission::NotSent,
    };
    let garbage = LegEnd { summary, report: Payload(vec![0xff; 9]) };
    let view = end(end(view(), 0, garbage), 1, ended(&report(1)));
    let summary = view.legs[0].leg.end.as_ref().expect("it has ended").summary;
    assert_eq!(summary.login, LoginOutcome::RefusedDefinitively);
    let report = final_report(&view);
    let codes: Vec<FaultCode> = report.faults.iter().map(|fault| fault.code).collect();
    assert!(codes.contains(&FaultCode::Unknown), "{codes:?}");
    assert_eq!(report.verdict, Verdict::Inconclusive);
}

#[test]
fn rows_that_cannot_be_read_still_make_a_report() {
    let mut view = view();
    view.job.payload = Payload(vec![0xff]);
    view.legs[1].leg.payload = Payload(vec![0xff]);
    let view = work(view, Event::Cancel);
    assert_eq!(view.job.state, JobState::Cancelled);
    let report = final_report(&view);
    assert_eq!(report.mailbox.to_string(), "taro@example.test", "the other leg knows it");
    assert_eq!(report.verdict, Verdict::Inconclusive);
}

#[test]
fn a_login_that_is_kept_back_says_for_how_long() {
    let mut view = view();
    let leg = &mut view.legs[0];
    leg.leg.state = LegState::Ready;
    leg.budget = LoginBudget { refusals: 1, last: Some(view.now) };
    let id = leg.leg.id;
    let view = work(view, Event::Refused(id));
    let leg = &view.legs[0].leg;
    assert_eq!(leg.state, LegState::Skipped);
    let report = order::leg_result(&leg.end.as_ref().expect("its end").report).expect("a report");
    let fault = report.faults.first().expect("a fault");
    assert_eq!(fault.code, FaultCode::AttemptBudgetExhausted);
    assert_eq!(fault.evidence.fact(FactKind::Wait), Some("15 min"));
}
