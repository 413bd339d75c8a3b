//! Records a leg while it runs: every step with its time, outcome and faults.
//!
//! All limits meet here: the step's own, the leg's budget and the caller's cancel. All
//! texts from servers are redacted here, on their way into the report, so that no
//! session has to remember to do it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_model::{
    Endpoint, Evidence, FactKind, Fault, FaultCode, Leg, LegEvent, LegObserver, LegReport, Phase,
    Step, StepKind, StepOutcome, Suggestion,
};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::redact::{MAX_DETAIL, Redactor};

/// The leg cannot go on. Why stands in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// How long a step may take, and what it means if it takes longer.
#[derive(Debug, Clone, Copy)]
pub struct StepLimit {
    /// Longest time for the step.
    pub time: Duration,
    /// The fault when that time is over.
    pub on_timeout: FaultCode,
}

/// What a step that went well leaves behind.
#[derive(Debug)]
pub struct Done<T> {
    /// What the next step needs.
    pub value: T,
    /// A few words for a person; redacted by the recorder.
    pub detail: Option<String>,
    /// Things worth telling that are not in the way.
    pub warnings: Vec<Fault>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
}

/// What a step that failed leaves behind: at least one fault.
#[derive(Debug)]
pub struct Trouble {
    /// What is wrong, the most important first.
    pub faults: Vec<Fault>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
}

/// How the work of a step ends.
pub type StepResult<T> = Result<Done<T>, Trouble>;

impl<T> Done<T> {
    /// Done, with nothing to tell.
    pub fn new(value: T) -> Self {
        Self { value, detail: None, warnings: Vec::new(), suggestions: Vec::new() }
    }

    /// Adds a few words for a person.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds things worth telling.
    #[must_use]
    pub fn warn(mut self, warnings: impl IntoIterator<Item = Fault>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault], suggestions: Vec::new() }
    }
}

impl From<Box<Fault>> for Trouble {
    fn from(fault: Box<Fault>) -> Self {
        Self::from(*fault)
    }
}

/// Writes the report of one leg.
pub struct Recorder {
    report: LegReport,
    began: Instant,
    deadline: Instant,
    cancel: CancellationToken,
    observer: Arc<dyn LegObserver>,
    redactor: Arc<Redactor>,
    current: Option<(StepKind, Instant)>,
}

impl Recorder {
    /// Begins the report of a leg that may run until `deadline`.
    #[must_use]
    pub fn new(
        leg: Leg,
        endpoint: Endpoint,
        started: SystemTime,
        deadline: Instant,
        cancel: CancellationToken,
        observer: Arc<dyn LegObserver>,
        redactor: Redactor,
    ) -> Self {
        let report = LegReport::begin(leg, endpoint, started);
        let began = Instant::now();
        let redactor = Arc::new(redactor);
        Self { report, began, deadline, cancel, observer, redactor, current: None }
    }

    /// Runs one step: bounded by its limit, the leg's deadline and the caller's cancel.
    ///
    /// Not cancel-safe by itself: cancel through the token, so that the report is kept.
    ///
    /// # Errors
    /// [`Stop`] if the step failed, ran out of time or was cancelled; the fault is recorded.
    pub async fn step<T>(
        &mut self,
        kind: StepKind,
        limit: StepLimit,
        work: impl Future<Output = StepResult<T>>,
    ) -> Result<T, Stop> {
        self.begin(kind);
        let own = Instant::now() + limit.time;
        let until = own.min(self.deadline);
        let result = tokio::select! {
            // A result that is there counts, even if the time is up at that moment.
            biased;
            result = work => result,
            () = self.cancel.cancelled() => {
                self.finish(StepOutcome::Cancelled, None, None);
                return Err(Stop);
            }
            () = sleep_until(until) => {
                let code = if own <= self.deadline { limit.on_timeout } else { FaultCode::CheckTimeout };
                Err(Trouble::from(self.timeout_fault(code, kind, limit.time)))
            }
        };
        match result {
            Ok(done) => Ok(self.succeed(done)),
            Err(trouble) => Err(self.fail(trouble)),
        }
    }

    /// Runs a last step, bounded by its own limit alone: it is also owed after a cancel
    /// and at the end of the budget. It never ends in a fault.
    pub async fn closing_step(
        &mut self,
        kind: StepKind,
        limit: Duration,
        work: impl Future<Output = ()>,
    ) {
        self.begin(kind);
        let answered = timeout(limit, work).await.is_ok();
        let detail = (!answered).then(|| "no answer".to_owned());
        self.finish(StepOutcome::Ok, None, detail);
    }

    /// Notes a step that failed before anything was sent.
    pub fn failed_step(&mut self, kind: StepKind, trouble: Trouble) {
        self.begin(kind);
        self.fail(trouble);
    }

    /// Notes a step that was not done, with the reason.
    pub fn skip(&mut self, kind: StepKind, reason: &str) {
        self.begin(kind);
        self.finish(StepOutcome::Skipped, None, Some(reason.to_owned()));
    }

    /// Notes faults that belong to no running step.
    pub fn note(&mut self, faults: impl IntoIterator<Item = Fault>) {
        for fault in faults {
            self.keep(fault);
        }
    }

    /// Notes settings that should work better, each once.
    pub fn suggest(&mut self, suggestions: impl IntoIterator<Item = Suggestion>) {
        for suggestion in suggestions {
            if !self.report.suggestions.contains(&suggestion) {
                self.report.suggestions.push(suggestion);
            }
        }
    }

    /// The report so far, for facts that are not steps (addresses, software, marks).
    pub fn report_mut(&mut self) -> &mut LegReport {
        &mut self.report
    }

    /// The report so far.
    #[must_use]
    pub fn report(&self) -> &LegReport {
        &self.report
    }

    /// The leg under which everything is recorded.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.report.leg
    }

    /// Time left in the leg's budget.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The token that ends the leg early.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether the caller gave up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Masks secrets where a text has to be judged before it is recorded.
    #[must_use]
    pub fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }

    /// Masks secrets in a text that is to leave the leg.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        self.redactor.clean(text, MAX_DETAIL)
    }

    /// Notes that the leg's own code panicked: our fault, never the mailbox's.
    pub fn note_panic(&mut self) {
        let fault = Fault::new(FaultCode::Unknown, self.report.leg);
        if self.current.is_some() {
            self.fail(Trouble::from(fault));
        } else {
            self.keep(fault);
        }
    }

    /// Ends the report.
    #[must_use]
    pub fn finish_leg(mut self) -> LegReport {
        if self.current.is_some() {
            self.finish(StepOutcome::Cancelled, None, None);
        }
        self.report.elapsed = self.began.elapsed();
        self.report
    }

    fn begin(&mut self, kind: StepKind) {
        self.current = Some((kind, Instant::now()));
        self.observer.observe(LegEvent::StepStarted { leg: self.report.leg, kind });
    }

    fn succeed<T>(&mut self, done: Done<T>) -> T {
        let code = done.warnings.first().map(|fault| fault.code);
        let outcome = if code.is_some() { StepOutcome::Warning } else { StepOutcome::Ok };
        self.note(done.warnings);
        self.suggest(done.suggestions);
        self.finish(outcome, code, done.detail);
        done.value
    }

    fn fail(&mut self, trouble: Trouble) -> Stop {
        let code = trouble.faults.first().map(|fault| fault.code);
        self.note(trouble.faults);
        self.suggest(trouble.suggestions);
        self.finish(StepOutcome::Failed, code, None);
        Stop
    }

    fn keep(&mut self, mut fault: Fault) {
        fault.leg = self.report.leg;
        self.redactor.clean_fault(&mut fault);
        self.report.faults.push(fault);
    }

    fn finish(&mut self, outcome: StepOutcome, fault: Option<FaultCode>, detail: Option<String>) {
        let Some((kind, began)) = self.current.take() else { return };
        let detail = detail.map(|text| self.redactor.clean(&text, MAX_DETAIL));
        let step = Step {
            kind,
            outcome,
            started: began.saturating_duration_since(self.began),
            elapsed: began.elapsed(),
            fault,
            detail,
        };
        let leg = self.report.leg;
        self.report.steps.push(step.clone());
        self.observer.observe(LegEvent::StepFinished { leg, step });
    }

    fn timeout_fault(&self, code: FaultCode, kind: StepKind, limit: Duration) -> Fault {
        let evidence = Evidence::default().with(FactKind::Step, kind.to_string()).with(
            FactKind::Elapsed,
            format!("{} s", limit.min(self.began.elapsed()).as_secs().max(1)),
        );
        Fault::new(code, self.report.leg).at(phase_of(kind)).with_evidence(evidence)
    }
}

/// The phase in which a step's own trouble lies.
#[must_use]
pub fn phase_of(kind: StepKind) -> Phase {
    match kind {
        StepKind::Resolve => Phase::Dns,
        StepKind::Connect => Phase::Tcp,
        StepKind::Tls => Phase::Tls,
        StepKind::Greeting => Phase::Greeting,
        StepKind::Starttls => Phase::Starttls,
        StepKind::Capability => Phase::Capability,
        StepKind::Login => Phase::Auth,
        StepKind::Open => Phase::Mailbox,
        StepKind::Envelope | StepKind::Submit => Phase::Submit,
        StepKind::Arrival | StepKind::Cleanup => Phase::Roundtrip,
    }
}
