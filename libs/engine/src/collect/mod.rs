//! Collect: what a job becomes when something happens to one of its legs.
//!
//! A pure function of the job as the store holds it, called under the job's row lock: so
//! it sees every leg's latest state, and of two legs that end at once the second one
//! finds the first one ended. Calling it again with the same event changes nothing.
//! What may happen in which state stands in [`step`] as a table.

mod retry;
mod step;

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_model::fleet::{
    Dispatch, Gate, JobChange, JobRecord, JobState, JobView, LedgerEntry, LegEnd, LegId, LegRecord,
    LegState, LegSummary, Payload, ReturnReason, Returned, StartAnswer, shard_of,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, Verdict};

use crate::budget::{Try, may_try};
use crate::rules::Rules;

pub use step::{Age, Cause, Step, step};

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A leg ran and ended in a report.
    Ended(LegId, Dispatch, LegEnd),
    /// A leg came back unrun.
    Returned(LegId, Dispatch, Returned),
    /// An owner asks whether it may start a leg.
    MayStart {
        /// The leg.
        leg: LegId,
        /// The release that it has.
        dispatch: Dispatch,
        /// Whether an owner before had the same release: it may have been told to start it.
        redelivered: bool,
    },
    /// Nothing was heard of a leg for too long.
    Overdue(LegId, Dispatch),
    /// Dispatch found that a waiting leg's login was refused for good meanwhile.
    Refused(LegId),
    /// Dispatch found that a waiting leg's zone has no part in what the mail server allows.
    ShutOut(LegId),
    /// The job's deadline has passed.
    Deadline,
    /// The caller cancelled the job.
    Cancel,
}

/// What a gated leg becomes once the legs before it have ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Unblocked {
    /// It runs; `Some` replaces its order.
    Ready(Option<Payload>),
    /// It would find nothing: its report says why.
    Skipped(Payload),
}

/// Makes reports, which the engine carries without looking into them. Pure, like the
/// decision that calls it.
pub trait Composer {
    /// What a gated leg does now that the legs before it have ended.
    fn unblock(&self, leg: &LegRecord, legs: &[LegRecord]) -> Unblocked;

    /// Whether a leg must not be run twice, because it does what cannot be taken back: it
    /// sends a mail.
    fn runs_once(&self, leg: &LegRecord) -> bool;

    /// The order of a leg that has ended: enough to show it, without its credential, which
    /// nobody may use any more.
    fn spent(&self, leg: &LegRecord) -> Payload;

    /// The report of a leg that no worker ended, with one fault of this code.
    fn closing(&self, leg: &LegRecord, code: FaultCode) -> Payload;

    /// The final report of a job whose legs have all ended, and its verdict.
    fn report(&self, job: &JobRecord, legs: &[LegRecord]) -> (Verdict, Payload);
}

/// Decides what follows from an event. The answer is meant for whoever sent
/// [`Event::MayStart`]; for other events it is `Drop` and nobody listens.
#[must_use]
pub fn advance(
    view: &JobView,
    event: &Event,
    composer: &impl Composer,
    rules: &Rules,
) -> (JobChange, StartAnswer) {
    let mut work = Work::on(view, composer, rules);
    if view.job.state.is_final() {
        return (JobChange::default(), StartAnswer::Drop);
    }
    let answer = work.take(event);
    work.settle();
    work.finish(event);
    (work.into_change(), answer)
}

/// A job while an event is worked into it.
struct Work<'a, C> {
    view: &'a JobView,
    legs: Vec<LegRecord>,
    changed: BTreeSet<usize>,
    job: Option<JobRecord>,
    ledger: Vec<LedgerEntry>,
    composer: &'a C,
    rules: &'a Rules,
}

impl<'a, C: Composer> Work<'a, C> {
    fn on(view: &'a JobView, composer: &'a C, rules: &'a Rules) -> Self {
        let legs = view.legs.iter().map(|row| row.leg.clone()).collect();
        let (changed, ledger) = (BTreeSet::new(), Vec::new());
        Self { view, legs, changed, job: None, ledger, composer, rules }
    }

    fn take(&mut self, event: &Event) -> StartAnswer {
        match event {
            Event::Ended(leg, dispatch, end) => self.ended(*leg, *dispatch, end),
            Event::Returned(leg, dispatch, returned) => self.returned(*leg, *dispatch, returned),
            Event::MayStart { leg, dispatch, redelivered } => {
                return self.may_start(*leg, *dispatch, *redelivered);
            }
            Event::Overdue(leg, dispatch) => self.overdue(*leg, *dispatch),
            Event::Refused(leg) => self.refused(*leg),
            Event::ShutOut(leg) => self.shut_out(*leg),
            Event::Deadline if self.view.now < self.view.job.deadline => {}
            Event::Deadline | Event::Cancel => self.close_all(event),
        }
        StartAnswer::Drop
    }

    fn ended(&mut self, id: LegId, dispatch: Dispatch, end: &LegEnd) {
        let Some((index, leg)) = self.find(id) else { return };
        let temporary = retry::may_help(&end.summary);
        let cause = if temporary { Cause::Temporary } else { Cause::Conclusive };
        let next = retry::next(&end.summary, leg, self.view, &self.rules.collect);
        match (step(leg.state, age(leg, dispatch), cause), next) {
            (Step::Close, _) | (Step::Snooze, None) => {
                if end.summary.login == LoginOutcome::RefusedDefinitively {
                    let (tenant, login) = (leg.tenant.clone(), leg.login);
                    let group = leg.group.clone();
                    self.ledger.push(LedgerEntry { tenant, login, group, leg: id });
                }
                self.close(index, LegState::Done, end.clone());
            }
            (Step::Snooze, Some(next)) => {
                let now = self.view.now;
                let Some(leg) = self.change(index) else { return };
                leg.due = Some(now.plus(next.after));
                leg.attempt = next.attempt;
                leg.starts = 0;
                leg.end = Some(end.clone());
                leg.returned = None;
                leg.state = LegState::Snoozed;
            }
            (Step::Ignore | Step::Again | Step::Skip | Step::Cancel | Step::Count, _) => {}
        }
    }

    fn returned(&mut self, id: LegId, dispatch: Dispatch, returned: &Returned) {
        let Some((index, leg)) = self.find(id) else { return };
        if step(leg.state, age(leg, dispatch), Cause::Returned) != Step::Snooze {
            return;
        }
        if returned.reason == ReturnReason::Redelivered && self.rules.collect.starts <= leg.starts {
            return self.close_ours(index, FaultCode::WorkerLost);
        }
        let due = self.view.now.plus(returned.after);
        if let Some(leg) = self.change_quietly(index) {
            leg.returned = Some((&returned.reason).into());
        }
        if self.view.job.deadline <= due {
            return self.close_waiting(index);
        }
        let shards = self.rules.collect.shards;
        let Some(leg) = self.change(index) else { return };
        if returned.reason != ReturnReason::Redelivered && leg.started == dispatch {
            // Whoever had it says that it did not run, so this was no start.
            leg.starts = leg.starts.saturating_sub(1);
        }
        if let ReturnReason::Regroup(key) = &returned.reason {
            leg.group.key = key.clone();
            leg.shard = shard_of(key, shards);
        }
        if returned.after.is_zero() {
            leg.state = LegState::Ready;
        } else {
            leg.state = LegState::Snoozed;
            leg.due = Some(due);
        }
    }

    fn may_start(&mut self, id: LegId, dispatch: Dispatch, redelivered: bool) -> StartAnswer {
        let Some((index, leg)) = self.find(id) else { return StartAnswer::Drop };
        if step(leg.state, age(leg, dispatch), Cause::MayStart) != Step::Count {
            return StartAnswer::Drop;
        }
        if !self.login_may_be_tried(index) {
            self.skip(index, FaultCode::AttemptBudgetExhausted);
            return StartAnswer::Drop;
        }
        if self.refused_sibling(index) {
            self.skip(index, FaultCode::LegNotTried);
            return StartAnswer::Drop;
        }
        let Some(leg) = self.legs.get(index) else { return StartAnswer::Drop };
        if leg.started == dispatch {
            if !redelivered {
                // The same question again.
                return StartAnswer::Go;
            }
            // An owner before was told to start it, and had to end it unfinished.
            let lost = Returned { reason: ReturnReason::Redelivered, after: Duration::ZERO };
            self.returned(id, dispatch, &lost);
            return StartAnswer::Drop;
        }
        if leg.starts > 0 && self.composer.runs_once(leg) {
            // It may have been sent, and nobody lived to tell.
            self.close_ours(index, FaultCode::SubmissionOutcomeUnknown);
            return StartAnswer::Drop;
        }
        if self.rules.collect.starts <= leg.starts {
            self.close_ours(index, FaultCode::WorkerLost);
            return StartAnswer::Drop;
        }
        if let Some(leg) = self.change_quietly(index) {
            leg.started = dispatch;
            leg.starts = leg.starts.saturating_add(1);
        }
        StartAnswer::Go
    }

    fn overdue(&mut self, id: LegId, dispatch: Dispatch) {
        let Some((index, leg)) = self.find(id) else { return };
        if step(leg.state, age(leg, dispatch), Cause::Overdue) != Step::Again {
            return;
        }
        if self.rules.collect.starts <= leg.starts {
            return self.close_ours(index, FaultCode::WorkerLost);
        }
        if let Some(leg) = self.change(index) {
            leg.state = LegState::Ready;
        }
    }

    fn refused(&mut self, id: LegId) {
        let Some((index, leg)) = self.find(id) else { return };
        let step = step(leg.state, Age::Current, Cause::Refused);
        if step == Step::Skip && !self.login_may_be_tried(index) {
            self.skip(index, FaultCode::AttemptBudgetExhausted);
        }
    }

    fn shut_out(&mut self, id: LegId) {
        let Some((index, leg)) = self.find(id) else { return };
        if step(leg.state, Age::Current, Cause::Refused) == Step::Skip {
            self.skip(index, FaultCode::EgressPoolEmpty);
        }
    }

    /// The deadline or a cancel: every open leg ends.
    fn close_all(&mut self, event: &Event) {
        let cause = if *event == Event::Cancel { Cause::Cancel } else { Cause::Deadline };
        for index in 0..self.legs.len() {
            let Some(leg) = self.legs.get(index) else { continue };
            match step(leg.state, Age::Current, cause) {
                Step::Close => self.close_waiting(index),
                Step::Skip => self.skip(index, FaultCode::CapacityLimit),
                Step::Cancel => {
                    let end = self.ours(index, FaultCode::CheckTimeout);
                    self.close(index, LegState::Cancelled, end);
                }
                Step::Ignore | Step::Snooze | Step::Again | Step::Count => {}
            }
        }
    }

    /// What follows for the other legs: gates open, and a password that was refused for
    /// good is kept back from the legs that wait with it.
    fn settle(&mut self) {
        for index in 0..self.legs.len() {
            let Some(leg) = self.legs.get(index) else { continue };
            // What waits for all others is the composer's to skip: it knows a better reason.
            let waits = match leg.state {
                LegState::Blocked => leg.gate != Gate::AfterOthers,
                LegState::Ready | LegState::Snoozed => true,
                LegState::Released
                | LegState::Published
                | LegState::Done
                | LegState::Cancelled
                | LegState::Skipped => false,
            };
            if waits && self.refused_sibling(index) {
                self.skip(index, FaultCode::LegNotTried);
            }
        }
        for index in 0..self.legs.len() {
            if self.gate_opens(index) {
                self.unblock(index);
            }
        }
    }

    fn gate_opens(&self, index: usize) -> bool {
        let Some(leg) = self.legs.get(index) else { return false };
        let ended = |leg: &LegRecord| leg.state.is_final();
        leg.state == LegState::Blocked
            && match leg.gate {
                Gate::Open => true,
                Gate::AfterLeg(other) => self.legs.get(usize::from(other)).is_none_or(ended),
                Gate::AfterOthers => {
                    self.legs.iter().all(|other| other.id == leg.id || ended(other))
                }
            }
    }

    fn unblock(&mut self, index: usize) {
        let Some(leg) = self.legs.get(index) else { return };
        match self.composer.unblock(leg, &self.legs) {
            Unblocked::Ready(payload) => {
                let Some(leg) = self.change(index) else { return };
                leg.state = LegState::Ready;
                leg.payload = payload.unwrap_or_else(|| std::mem::take(&mut leg.payload));
            }
            Unblocked::Skipped(report) => {
                let end = LegEnd { summary: not_run(None), report };
                self.close(index, LegState::Skipped, end);
            }
        }
    }

    fn finish(&mut self, event: &Event) {
        if !self.legs.iter().all(|leg| leg.state.is_final()) {
            return;
        }
        let (verdict, report) = self.composer.report(&self.view.job, &self.legs);
        let cancelled = *event == Event::Cancel;
        let state = if cancelled { JobState::Cancelled } else { JobState::Done };
        self.job = Some(JobRecord {
            state,
            finished: Some(self.view.now),
            verdict: Some(verdict),
            report: Some(report),
            ..self.view.job.clone()
        });
    }

    fn find(&self, id: LegId) -> Option<(usize, &LegRecord)> {
        let index = usize::from(id.index);
        self.legs.get(index).filter(|leg| leg.id == id).map(|leg| (index, leg))
    }

    /// The leg, to be moved to another state.
    fn change(&mut self, index: usize) -> Option<&mut LegRecord> {
        let now = self.view.now;
        let leg = self.change_quietly(index)?;
        leg.since = now;
        leg.due = None;
        Some(leg)
    }

    /// The leg, to be changed within its state.
    fn change_quietly(&mut self, index: usize) -> Option<&mut LegRecord> {
        let leg = self.legs.get_mut(index)?;
        self.changed.insert(index);
        Some(leg)
    }

    fn close(&mut self, index: usize, state: LegState, end: LegEnd) {
        let spent = self.legs.get(index).map(|leg| self.composer.spent(leg));
        if let Some((leg, spent)) = self.change(index).zip(spent) {
            leg.state = state;
            leg.end = Some(end);
            leg.payload = spent;
        }
    }

    fn close_ours(&mut self, index: usize, code: FaultCode) {
        let end = self.ours(index, code);
        self.close(index, LegState::Done, end);
    }

    /// Ends a leg that waited too long: what its last try found stands, if there was one.
    fn close_waiting(&mut self, index: usize) {
        let last = self.legs.get(index).and_then(|leg| leg.end.clone());
        let end = last.unwrap_or_else(|| self.ours(index, FaultCode::CapacityLimit));
        self.close(index, LegState::Done, end);
    }

    fn skip(&mut self, index: usize, code: FaultCode) {
        let end = self.ours(index, code);
        self.close(index, LegState::Skipped, end);
    }

    fn ours(&self, index: usize, code: FaultCode) -> LegEnd {
        let report = self.legs.get(index).map(|leg| self.composer.closing(leg, code));
        let mut summary = not_run(Some(code));
        if code == FaultCode::SubmissionOutcomeUnknown {
            summary.submission = Submission::Unknown;
        }
        LegEnd { summary, report: report.unwrap_or_default() }
    }

    fn login_may_be_tried(&self, index: usize) -> bool {
        let Some(row) = self.view.legs.get(index) else { return false };
        let rules = &self.rules.dispatch;
        may_try(row.budget, row.leg.class, self.view.now, rules) == Try::Allowed
    }

    /// Whether another leg of the job was refused for good with the same login.
    fn refused_sibling(&self, index: usize) -> bool {
        let Some(leg) = self.legs.get(index) else { return false };
        self.legs.iter().any(|other| {
            other.id != leg.id
                && other.login == leg.login
                && other.state.is_final()
                && other
                    .end
                    .as_ref()
                    .is_some_and(|end| end.summary.login == LoginOutcome::RefusedDefinitively)
        })
    }

    fn into_change(self) -> JobChange {
        let changed = &self.changed;
        let legs = self.legs.into_iter().enumerate();
        let legs = legs.filter(|(index, _)| changed.contains(index)).map(|(_, leg)| leg).collect();
        JobChange { legs, job: self.job, ledger: self.ledger }
    }
}

fn age(leg: &LegRecord, dispatch: Dispatch) -> Age {
    if dispatch == leg.dispatch { Age::Current } else { Age::Older }
}

/// The summary of a leg that no worker ended.
fn not_run(code: Option<FaultCode>) -> LegSummary {
    LegSummary {
        code,
        retry: code.map(FaultCode::retry),
        login: LoginOutcome::NotTried,
        submission: Submission::NotSent,
    }
}

#[cfg(test)]
mod tests;
