//! Small decisions: what the engine would say, without its rules.

use mailfleet_model::fleet::{
    Admission, Dispatch, GroupView, JobChange, JobRecord, JobState, JobView, Lane, LedgerEntry,
    LegEnd, LegRecord, LegState, LegSummary, Payload, Refusal, Release, Served, SubmitView,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, Retry, Verdict};

pub(crate) fn accept(_: &SubmitView) -> Admission {
    Admission::Accept { at_once: Vec::new() }
}

/// Lets these legs go at once.
pub(crate) fn at_once(legs: &[u8]) -> impl Fn(&SubmitView) -> Admission + Send + Sync {
    let at_once = legs.to_vec();
    move |_| Admission::Accept { at_once: at_once.clone() }
}

/// As the engine admits: a repetition gets its job, the same settings are joined.
pub(crate) fn admit(view: &SubmitView) -> Admission {
    match (view.repeated, view.running) {
        (Some((job, _)), _) => Admission::Repeated(job),
        (None, Some(job)) => Admission::Join(job),
        (None, None) => accept(view),
    }
}

pub(crate) fn refuse(_: &SubmitView) -> Admission {
    Admission::Refuse(Refusal::RequestIdReused)
}

/// Releases what waits while fewer than `window` are out.
pub(crate) fn up_to(window: u32) -> impl Fn(&GroupView) -> Release + Send + Sync {
    move |view| {
        let out = view.out.interactive + view.out.bulk;
        let room = usize::try_from(window.saturating_sub(out)).expect("a small number");
        let waiting =
            view.lanes.iter().flat_map(|lane| lane.legs.iter().map(move |leg| (lane, leg)));
        let taken: Vec<_> = waiting.take(room).collect();
        let served = |lane: &Lane| Served {
            class: lane.class,
            tenant: lane.tenant.clone(),
            served: lane.served + 1,
        };
        Release {
            legs: taken.iter().map(|(_, leg)| leg.id).collect(),
            turns: taken.iter().map(|(lane, _)| served(lane)).collect(),
            ..Release::default()
        }
    }
}

/// How a leg may end.
pub(crate) fn an_end() -> LegEnd {
    let summary = LegSummary {
        code: None,
        retry: None,
        login: LoginOutcome::Accepted,
        submission: Submission::NotSent,
    };
    LegEnd { summary, report: Payload(b"leg report".to_vec()) }
}

/// How a leg ends whose login was refused for good.
pub(crate) fn a_refusal() -> LegEnd {
    let summary = LegSummary {
        code: Some(FaultCode::AuthInvalidCredentials),
        retry: Some(Retry::AfterFix),
        login: LoginOutcome::RefusedDefinitively,
        submission: Submission::NotSent,
    };
    LegEnd { summary, report: Payload(b"refused".to_vec()) }
}

/// Ends one leg, and the job with its last leg. `true` if this was the end of the job.
pub(crate) fn collect(
    index: u8,
    verdict: Verdict,
) -> impl Fn(&JobView) -> (JobChange, bool) + Send + Sync {
    move |view| {
        let at = usize::from(index);
        if view.job.state.is_final() || view.legs[at].leg.state.is_final() {
            return (JobChange::default(), false);
        }
        let leg = closed(&view.legs[at].leg, LegState::Done, view);
        let open = view.legs.iter().filter(|leg| !leg.leg.state.is_final()).count();
        let job = (open == 1).then(|| ended(view, JobState::Done, Some(verdict)));
        let is_end = job.is_some();
        (JobChange { legs: vec![leg], job, ledger: Vec::new() }, is_end)
    }
}

/// Cancels a job with all of its legs. `true` unless it had ended.
pub(crate) fn cancel(view: &JobView) -> (JobChange, bool) {
    if view.job.state.is_final() {
        return (JobChange::default(), false);
    }
    let open = view.legs.iter().map(|leg| &leg.leg).filter(|leg| !leg.state.is_final());
    let legs = open.map(|leg| closed(leg, LegState::Cancelled, view)).collect();
    let job = Some(ended(view, JobState::Cancelled, Some(Verdict::Inconclusive)));
    (JobChange { legs, job, ledger: Vec::new() }, true)
}

fn closed(leg: &LegRecord, state: LegState, view: &JobView) -> LegRecord {
    LegRecord { state, since: view.now, due: None, end: Some(an_end()), ..leg.clone() }
}

fn ended(view: &JobView, state: JobState, verdict: Option<Verdict>) -> JobRecord {
    let report = Some(Payload(format!("{state} by {}", view.job.version).into_bytes()));
    JobRecord { state, verdict, report, finished: Some(view.now), ..view.job.clone() }
}

/// Changes one leg, and says nothing beside it.
pub(crate) fn change_leg(
    index: u8,
    change: impl Fn(&mut LegRecord) + Send + Sync,
) -> impl Fn(&JobView) -> (JobChange, ()) + Send + Sync {
    move |view| {
        let mut leg = view.legs[usize::from(index)].leg.clone();
        change(&mut leg);
        (JobChange { legs: vec![leg], ..JobChange::default() }, ())
    }
}

/// Notes a definitive refusal of one leg's login.
pub(crate) fn note_refusal(index: u8) -> impl Fn(&JobView) -> (JobChange, ()) + Send + Sync {
    move |view| {
        let leg = &view.legs[usize::from(index)].leg;
        let (tenant, login, group) = (leg.tenant.clone(), leg.login, leg.group.clone());
        let ledger = vec![LedgerEntry { tenant, login, group, leg: leg.id }];
        (JobChange { ledger, ..JobChange::default() }, ())
    }
}

/// Brings a leg that is out back to where it waits.
pub(crate) fn snooze(due_in_seconds: i64) -> impl Fn(&mut LegRecord) + Send + Sync {
    move |leg| {
        let micros = due_in_seconds.unsigned_abs() * 1_000_000;
        let due = if due_in_seconds < 0 { leg.since.0 - micros } else { leg.since.0 + micros };
        leg.state = LegState::Snoozed;
        leg.due = Some(mailfleet_model::fleet::Timestamp(due));
    }
}

/// The dispatch after so many releases.
pub(crate) fn dispatch(number: u32) -> Dispatch {
    Dispatch(number)
}

/// Ends a job of one leg with this verdict, and this as its fault.
pub(crate) fn collect_as(
    verdict: Verdict,
    code: Option<FaultCode>,
) -> impl Fn(&JobView) -> (JobChange, ()) + Send + Sync {
    let summary = LegSummary { code, retry: code.map(FaultCode::retry), ..an_end().summary };
    end_as(verdict, LegEnd { summary, ..an_end() })
}

/// Ends a job of one leg whose login was refused for good.
pub(crate) fn refused_as(verdict: Verdict) -> impl Fn(&JobView) -> (JobChange, ()) + Send + Sync {
    end_as(verdict, a_refusal())
}

fn end_as(verdict: Verdict, end: LegEnd) -> impl Fn(&JobView) -> (JobChange, ()) + Send + Sync {
    move |view| {
        let leg =
            LegRecord { end: Some(end.clone()), ..closed(&view.legs[0].leg, LegState::Done, view) };
        let job = Some(ended(view, JobState::Done, Some(verdict)));
        (JobChange { legs: vec![leg], job, ledger: Vec::new() }, ())
    }
}
