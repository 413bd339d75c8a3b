//! The end of legs and jobs.

use std::time::Duration;

use mailfleet_model::fleet::{
    JobChange, JobRecord, JobState, JobView, LegEnd, LegRecord, LegState, LegSummary, Payload,
    Store,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, Retry, Verdict};
use strum::IntoEnumIterator;

use super::{Place, read, submit};
use crate::decisions::{cancel, change_leg, collect};
use crate::samples::{self, draft};

pub(crate) async fn a_job_that_ended_keeps_its_report(place: &impl Place) {
    let store = place.open().await;
    for (number, verdict) in (1..).zip(Verdict::iter()) {
        submit(&store, &draft(number)).await;
        let (is_end, _) =
            store.advance(samples::job(number), collect(0, verdict)).await.unwrap().expect("a job");
        assert!(is_end);
        let view = read(&store, number).await;
        assert_eq!((view.job.state, view.job.verdict), (JobState::Done, Some(verdict)));
        assert_eq!(view.job.report, Some(Payload(b"DONE by 1".to_vec())));
        assert!(view.job.finished.is_some_and(|time| view.job.created <= time && time <= view.now));
        assert_eq!(view.legs[0].leg.state, LegState::Done);
    }
    // A decision need not know the time.
    submit(&store, &draft(9)).await;
    let end = |view: &JobView| {
        let report = Some(Payload(b"report".to_vec()));
        let job = JobRecord { state: JobState::Done, report, ..view.job.clone() };
        (JobChange { job: Some(job), ..JobChange::default() }, view.now)
    };
    let (now, _) = store.advance(samples::job(9), end).await.unwrap().expect("a job");
    assert_eq!(read(&store, 9).await.job.finished, Some(now));
}

pub(crate) async fn every_kind_of_end_comes_back(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    let retries = [
        None,
        Some(Retry::Never),
        Some(Retry::AfterFix),
        Some(Retry::Backoff { min: Duration::from_secs(1), max: Duration::from_micros(1_000_001) }),
        Some(Retry::ServerHint(Duration::from_millis(7))),
    ];
    let logins = [
        LoginOutcome::NotTried,
        LoginOutcome::Accepted,
        LoginOutcome::RefusedDefinitively,
        LoginOutcome::RefusedAmbiguously,
        LoginOutcome::Undecided,
    ];
    let submissions =
        [Submission::NotSent, Submission::Accepted, Submission::Refused, Submission::Unknown];
    let codes = FaultCode::iter().map(Some).chain([None]);
    for (at, code) in codes.enumerate() {
        let summary = LegSummary {
            code,
            retry: retries[at % retries.len()],
            login: logins[at % logins.len()],
            submission: submissions[at % submissions.len()],
        };
        let end = LegEnd { summary, report: Payload(vec![0, 255]) };
        let write = change_leg(0, {
            let end = end.clone();
            move |leg| leg.end = Some(end.clone())
        });
        store.advance(samples::job(1), write).await.unwrap();
        assert_eq!(read(&store, 1).await.legs[0].leg.end, Some(end));
    }
}

pub(crate) async fn an_end_is_final(place: &impl Place) {
    let store = place.open().await;
    submit(&store, &draft(1)).await;
    store.advance(samples::job(1), cancel).await.unwrap();
    let before = read(&store, 1).await;
    // What comes later finds an ended job, and the decisions leave it alone.
    let late = store.advance(samples::job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(late, Some((false, Vec::new())));
    let late = store.advance(samples::job(1), cancel).await.unwrap();
    assert_eq!(late, Some((false, Vec::new())));
    // Nor does a decision that gets it wrong change it.
    let wrong = |view: &JobView| {
        let leg = LegRecord { state: LegState::Done, ..view.legs[0].leg.clone() };
        (JobChange { legs: vec![leg], ..JobChange::default() }, ())
    };
    super::assert_corrupt(store.advance(samples::job(1), wrong).await);
    let after = read(&store, 1).await;
    assert_eq!((before.job, before.legs), (after.job, after.legs));
}
