//! Makes the reports that the engine carries without looking into them.
//!
//! Pure, like the decision that calls it: everything is read from the view. What cannot be
//! read is told as a fault of ours and never stops a job.

use std::time::{Duration, SystemTime};

use mailfleet_api::order::{self, LegOrder};
use mailfleet_engine::budget::{Try, may_try};
use mailfleet_engine::collect::{Composer, Unblocked};
use mailfleet_engine::rules::DispatchRules;
use mailfleet_engine::{Arrival, Job, arrival, join};
use mailfleet_model::fleet::{Gate, JobRecord, JobView, LegRecord, LoginTag, Payload};
use mailfleet_model::leg::{LegPlan, OutgoingPlan, Submission};
use mailfleet_model::{
    EmailAddress, Endpoint, Evidence, FactKind, Fault, FaultCode, Leg, LegReport, Outline,
    OutlineLeg, Protocol, Step, StepKind, TraceId, Verdict,
};
use mailfleet_remedy::Language;

use crate::returned::because;

/// Composes for one job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compose<'a> {
    view: &'a JobView,
    rules: &'a DispatchRules,
}

impl<'a> Compose<'a> {
    pub(crate) fn on(view: &'a JobView, rules: &'a DispatchRules) -> Self {
        Self { view, rules }
    }

    /// An empty report of a leg, as if it had begun now.
    fn begin(&self, leg: &LegRecord) -> LegReport {
        let now = SystemTime::from(self.view.now);
        match LegOrder::from_payload(&leg.payload) {
            Ok(order) => LegReport::begin(order.leg(), order.endpoint, now),
            // A newer gateway's order: only the group says where it goes.
            Err(_) => LegReport::begin(Leg::System, unknown_endpoint(), now),
        }
    }

    /// The report of an ended leg.
    fn ended(&self, leg: &LegRecord) -> LegReport {
        let read = leg.end.as_ref().and_then(|end| order::leg_result(&end.report).ok());
        read.unwrap_or_else(|| {
            let mut report = self.begin(leg);
            report.faults.push(Fault::new(FaultCode::Unknown, report.leg));
            report
        })
    }

    fn outline(&self) -> Outline {
        order::outline(&self.view.job.payload).unwrap_or_else(|_| self.outline_of_legs())
    }

    /// What the legs' orders tell of the request, where its own payload cannot be read.
    fn outline_of_legs(&self) -> Outline {
        let orders: Vec<(LegOrder, LoginTag)> = self
            .view
            .legs
            .iter()
            .filter(|row| row.leg.gate != Gate::AfterOthers)
            .filter_map(|row| Some((LegOrder::from_payload(&row.leg.payload).ok()?, row.leg.login)))
            .collect();
        let mailbox = orders.first().map(|(order, _)| order.mailbox.clone());
        let mut legs = orders.into_iter().map(|(order, login)| OutlineLeg {
            endpoint: order.endpoint,
            username: order.username,
            login,
        });
        let is_outgoing = |leg: &OutlineLeg| leg.endpoint.protocol == Protocol::Smtp;
        let (outgoing, incoming): (Vec<_>, Vec<_>) = legs.by_ref().partition(is_outgoing);
        Outline {
            mailbox: mailbox.unwrap_or_else(unknown_mailbox),
            incoming,
            outgoing: outgoing.into_iter().next(),
            test_mail: None,
            egress: Vec::new(),
        }
    }

    /// How long the leg's login is still kept back.
    fn kept_back(&self, leg: &LegRecord) -> Option<Duration> {
        let row = self.view.legs.get(usize::from(leg.id.index))?;
        match may_try(row.budget, leg.class, self.view.now, self.rules) {
            Try::NotBefore(time) => Some(time.since(self.view.now)),
            Try::Allowed | Try::NotByItself => None,
        }
    }

    fn skipped(&self, leg: &LegRecord, reason: &str) -> Unblocked {
        let mut report = self.begin(leg);
        report.steps.push(Step::skipped(StepKind::Arrival, reason));
        Unblocked::Skipped(order::leg_result_payload(&report))
    }
}

impl Composer for Compose<'_> {
    fn unblock(&self, leg: &LegRecord, legs: &[LegRecord]) -> Unblocked {
        if leg.gate != Gate::AfterOthers {
            return Unblocked::Ready(None);
        }
        let others = legs.iter().filter(|other| other.id != leg.id && other.state.is_final());
        let reports: Vec<LegReport> = others.map(|other| self.ended(other)).collect();
        match arrival(&self.outline(), &reports) {
            Arrival::NotAsked => self.skipped(leg, "no test mail was asked for"),
            Arrival::Skipped(reason) => self.skipped(leg, reason),
            Arrival::Run(marks) => match LegOrder::from_payload(&leg.payload) {
                Ok(order) => Unblocked::Ready(Some(order.with_marks(marks).to_payload())),
                Err(_) => Unblocked::Skipped(self.closing(leg, FaultCode::Unknown)),
            },
        }
    }

    fn runs_once(&self, leg: &LegRecord) -> bool {
        sends(leg)
    }

    fn spent(&self, leg: &LegRecord) -> Payload {
        // What this build cannot read may hold a credential anywhere: none of it is kept.
        let order = LegOrder::from_payload(&leg.payload).ok();
        order.map(|order| order.without_credential().to_payload()).unwrap_or_default()
    }

    fn closing(&self, leg: &LegRecord, code: FaultCode) -> Payload {
        let mut report = self.begin(leg);
        let wait = self.kept_back(leg).filter(|_| code == FaultCode::AttemptBudgetExhausted);
        if code == FaultCode::SubmissionOutcomeUnknown {
            // So that the test mail is looked for.
            report.submission = Submission::Unknown;
        }
        let mut fault = fault_of_ours(code, report.leg, wait);
        if code == FaultCode::EgressPoolEmpty {
            let zone = &leg.group.zone;
            let note = format!("The zone {zone} has no part in what this mail server allows.");
            fault = fault.with_evidence(Evidence::default().with(FactKind::Note, note));
        }
        if let Some(cause) = leg.returned.filter(|_| code == FaultCode::CapacityLimit) {
            let because = because(cause, Language::English);
            let note = format!("A worker gave the leg back last, since {because} ({cause}).");
            fault = fault.with_evidence(Evidence::default().with(FactKind::Note, note));
        }
        report.faults.push(fault);
        order::leg_result_payload(&report)
    }

    fn report(&self, job: &JobRecord, legs: &[LegRecord]) -> (Verdict, Payload) {
        let about = Job {
            id: job.id,
            started: job.created.into(),
            elapsed: self.view.now.since(job.created),
            trace_id: Some(trace_of(job)),
        };
        let legs = legs.iter().map(|leg| self.ended(leg)).collect();
        let report = join(about, &self.outline(), legs);
        (report.verdict, order::report_payload(&report))
    }
}

/// Whether a leg sends a mail. What this build cannot read, its owners may be able to.
pub(crate) fn sends(leg: &LegRecord) -> bool {
    LegOrder::from_payload(&leg.payload).map_or(true, |order| {
        matches!(order.plan, LegPlan::Outgoing(OutgoingPlan::TestMail { .. }))
    })
}

/// The trace of a job: its own digits if nobody traces it.
pub(crate) fn trace_of(job: &JobRecord) -> TraceId {
    mailfleet_api::job::trace_id(job).unwrap_or_else(|| job.id.into())
}

/// A fault that no worker found.
pub(crate) fn fault_of_ours(code: FaultCode, leg: Leg, wait: Option<Duration>) -> Fault {
    let fault = Fault::new(code, leg);
    match wait {
        // In units that every language writes alike: the remedies take the text as it is.
        Some(wait) => {
            let seconds = wait.as_millis().div_ceil(1_000);
            let words = if seconds < 120 {
                format!("{seconds} s")
            } else {
                format!("{} min", seconds.div_ceil(60))
            };
            fault.with_evidence(Evidence::default().with(FactKind::Wait, words))
        }
        None => fault,
    }
}

fn unknown_endpoint() -> Endpoint {
    Endpoint::parse(Protocol::Imap, "unknown.invalid").expect("a host name")
}

fn unknown_mailbox() -> EmailAddress {
    "unknown@unknown.invalid".parse().expect("an address")
}

#[cfg(test)]
mod tests;
