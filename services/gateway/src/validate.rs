//! Runs one validation in this process: plans the legs, runs them at once, looks for the
//! test mail, joins and judges.
//!
//! All decisions are `engine`'s and all sockets `probe`'s; this is the wiring between
//! them. It never fails: trouble of the mailbox and of ours alike stands in the report.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mailfleet_engine::{ARRIVAL_OVERHEAD, Arrival, Job};
use mailfleet_model::leg::{LegReport, LegSpec};
use mailfleet_model::{
    Fault, FaultCode, JobId, Leg, LegEvent, LegObserver, Outline, Report, Step, StepKind, TraceId,
    Validation,
};
use mailfleet_probe::companion::Companion;
use mailfleet_probe::dial::Exit;
use mailfleet_probe::{LegTask, Probe, run_leg};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Runs validations in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Validator {
    probe: Arc<Probe>,
    egress: Vec<Exit>,
}

/// What accompanies one run.
pub struct Run {
    /// The job's id.
    pub job: JobId,
    /// Takes the live events of all legs.
    pub observer: Arc<dyn LegObserver>,
    /// Ends the validation early; every open session is still logged out.
    pub cancel: CancellationToken,
    /// Where to follow the job.
    pub trace: Option<TraceId>,
}

impl Validator {
    /// Leaves from `egress`; with none the system chooses.
    #[must_use]
    pub fn new(probe: Arc<Probe>, egress: Vec<Exit>) -> Self {
        Self { probe, egress }
    }

    /// Runs a validation to its report.
    ///
    /// Dropping the future aborts the legs without a LOGOUT: cancel through the token.
    pub async fn run(&self, validation: Validation, run: Run) -> Report {
        let started = SystemTime::now();
        let began = Instant::now();
        let token = Uuid::new_v4().simple().to_string();
        let egress = self.egress.iter().map(Exit::ip).collect();
        let outline = Outline::numbered(&validation, egress);
        let mut legs = self.run_legs(&validation, &token, &run).await;
        match mailfleet_engine::arrival(&outline, &legs) {
            Arrival::NotAsked => {}
            Arrival::Skipped(reason) => legs.push(skipped_arrival(&validation, reason, &run)),
            Arrival::Run(marks) => {
                if let Some(spec) = mailfleet_engine::arrival_leg(&validation, &token) {
                    let budget = validation.arrival_timeout + ARRIVAL_OVERHEAD;
                    let spec = spec.with_marks(marks);
                    let task = self.task(spec, budget, Companion::alone(), &run);
                    legs.push(run_leg(&self.probe, task).await);
                }
            }
        }
        let job = Job { id: run.job, started, elapsed: began.elapsed(), trace_id: run.trace };
        mailfleet_engine::join(job, &outline, legs)
    }

    /// Runs the incoming and outgoing legs at the same time, each to its own end.
    async fn run_legs(&self, validation: &Validation, token: &str, run: &Run) -> Vec<LegReport> {
        let planned = mailfleet_engine::legs(validation, token);
        let (mut first, outgoing) = match (planned.incoming.first(), &planned.outgoing) {
            (Some(incoming), Some(outgoing)) => {
                let (a, b) = Companion::pair(&incoming.login, &outgoing.login);
                (Some(a), b)
            }
            (Some(_) | None, _) => (None, Companion::alone()),
        };
        let mut tasks = Vec::new();
        for spec in planned.incoming {
            let companion = first.take().unwrap_or_else(Companion::alone);
            tasks.push(self.task(spec, validation.budget, companion, run));
        }
        if let Some(spec) = planned.outgoing {
            tasks.push(self.task(spec, validation.budget, outgoing, run));
        }
        let planned: Vec<_> =
            tasks.iter().map(|t| (t.spec.leg(), t.spec.endpoint.clone())).collect();
        let mut running = JoinSet::new();
        for (index, task) in tasks.into_iter().enumerate() {
            let probe = Arc::clone(&self.probe);
            running.spawn(async move { (index, run_leg(&probe, task).await) });
        }
        let mut reports: Vec<Option<LegReport>> = planned.iter().map(|_| None).collect();
        while let Some(ended) = running.join_next().await {
            keep(&mut reports, ended);
        }
        let lost = |(leg, endpoint)| {
            let mut report = LegReport::begin(leg, endpoint, SystemTime::now());
            report.faults.push(Fault::new(FaultCode::WorkerLost, leg));
            report
        };
        planned
            .into_iter()
            .zip(reports)
            .map(|(p, report)| report.unwrap_or_else(|| lost(p)))
            .collect()
    }

    fn task(&self, spec: LegSpec, budget: Duration, companion: Companion, run: &Run) -> LegTask {
        LegTask {
            spec,
            egress: self.egress.clone(),
            budget,
            companion,
            observer: Arc::clone(&run.observer),
            cancel: run.cancel.clone(),
        }
    }
}

/// Keeps an ended leg's report. A leg's task does not end otherwise than by its report,
/// unless the runtime is torn down; then the leg counts as lost.
fn keep(reports: &mut [Option<LegReport>], ended: Result<(usize, LegReport), JoinError>) {
    match ended {
        Ok((index, report)) => {
            if let Some(slot) = reports.get_mut(index) {
                *slot = Some(report);
            }
        }
        Err(error) => tracing::error!(error = %error, "a leg's task ended without a report"),
    }
}

/// The arrival leg that was not run, with the reason.
fn skipped_arrival(validation: &Validation, reason: &str, run: &Run) -> LegReport {
    let settings = validation.incoming.first().or(validation.outgoing.as_ref());
    let endpoint = settings
        .map(|settings| settings.endpoint.clone())
        .expect("a test mail is only asked for beside an endpoint");
    let mut report = LegReport::begin(Leg::Roundtrip, endpoint, SystemTime::now());
    let step = Step::skipped(StepKind::Arrival, reason);
    run.observer.observe(LegEvent::StepFinished { leg: Leg::Roundtrip, step: step.clone() });
    report.steps.push(step);
    report
}
