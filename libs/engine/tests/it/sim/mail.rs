//! Model mail servers: they count sessions and logins, and are the judge of what starts.

use std::collections::BTreeMap;
use std::time::Duration;

use mailfleet_engine::own::Ending;
use mailfleet_model::fleet::{Dispatch, JobClass, LegEnd, LegId, LegSummary, Payload, Timestamp};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, JobId};

use super::feeding::item_of;
use super::history::{JobPlan, Password, What};
use super::world::{World, group, millis};

#[derive(Debug)]
pub(crate) struct Session {
    group: usize,
    worker: usize,
    run: u64,
    mailbox: u8,
    class: JobClass,
}

#[derive(Debug)]
pub(crate) struct Mail {
    sessions: BTreeMap<u64, Session>,
    serial: u64,
    /// Each group's limits, and since when they hold.
    limits: Vec<Vec<(Duration, u32)>>,
    pub(crate) down: Vec<bool>,
    tries: BTreeMap<LegId, u32>,
    /// When it was decided that a release may start, by the store's clock.
    pub(crate) decided: BTreeMap<(LegId, Dispatch), Timestamp>,
    /// How long after its submission each job's first session opened.
    pub(crate) first_session: BTreeMap<JobId, Duration>,
}

impl Mail {
    pub(crate) fn new(limits: &[u32]) -> Self {
        Self {
            sessions: BTreeMap::new(),
            serial: 0,
            limits: limits.iter().map(|limit| vec![(Duration::ZERO, *limit)]).collect(),
            down: vec![false; limits.len()],
            tries: BTreeMap::new(),
            decided: BTreeMap::new(),
            first_session: BTreeMap::new(),
        }
    }

    pub(crate) fn close(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    pub(crate) fn set_limit(&mut self, group: usize, limit: u32, now: Duration) {
        self.limits[group].push((now, limit));
    }

    /// The greatest limit that held within the last `slack`.
    fn allowed(&self, group: usize, now: Duration, slack: Duration) -> u32 {
        let from = now.saturating_sub(slack);
        let log = &self.limits[group];
        let held = |(index, (_, limit)): (usize, &(Duration, u32))| {
            let until = log.get(index + 1).map_or(Duration::MAX, |(next, _)| *next);
            (from <= until).then_some(*limit)
        };
        log.iter().enumerate().filter_map(held).max().expect("the first limit")
    }

    /// The sessions of a run of a worker: the kernel closes them when it is killed.
    pub(crate) fn of_run(&self, worker: usize, run: u64) -> Vec<u64> {
        let theirs = |session: &Session| session.worker == worker && session.run == run;
        self.sessions.iter().filter(|(_, s)| theirs(s)).map(|(id, _)| *id).collect()
    }
}

impl World {
    pub(crate) fn plan_of(&self, leg: LegId) -> &JobPlan {
        match item_of(leg.job) {
            Some((batch, item)) => &self.history.batches[batch].items[item],
            None => &self.history.jobs[plan_index(leg.job)],
        }
    }

    /// A session opens at a mail server: the moment at which the promises are checked.
    pub(crate) fn open_session(&mut self, worker: usize, leg: LegId, dispatch: Dispatch) -> u64 {
        let plan = self.plan_of(leg).clone();
        let index = plan.groups[usize::from(leg.index)];
        self.check_slots(index, &plan, leg);
        self.check_login(index, leg, dispatch);
        let first = &self.store.rows[&leg.job].legs[0];
        if item_of(leg.job).is_some() && leg.index > 0 && !first.state.is_final() {
            self.broken.push(format!("I11: {leg} opens before its incoming leg has ended"));
        }
        let since = self.now.saturating_sub(millis(plan.at));
        self.mail.first_session.entry(leg.job).or_insert(since);
        let tries = self.mail.tries.entry(leg).or_insert(0);
        *tries += 1;
        if plan.password == Password::Poison && 4 < *tries {
            self.broken.push(format!("I7: leg {leg} has killed {tries} workers"));
        }
        let run = self.workers[worker].run;
        self.mail.serial += 1;
        let session =
            Session { group: index, worker, run, mailbox: plan.mailbox, class: plan.class };
        self.mail.sessions.insert(self.mail.serial, session);
        self.mail.serial
    }

    fn check_slots(&mut self, index: usize, plan: &JobPlan, leg: LegId) {
        let counted: Vec<&Session> = self
            .mail
            .sessions
            .values()
            .filter(|session| session.group == index && !self.is_residue(session))
            .collect();
        let open = u32::try_from(counted.len()).expect("few");
        let allowed = self.mail.allowed(index, self.now, self.slack());
        let same = counted.iter().filter(|session| session.mailbox == plan.mailbox);
        let (all, syncs) = same.fold((0, 0), |(all, syncs), session| {
            (all + 1, syncs + u32::from(session.class == JobClass::Sync))
        });
        if allowed <= open {
            self.broken
                .push(format!("I3: {leg} opens at group {index} beside {open} of {allowed}"));
        }
        if 5 <= all || (plan.class == JobClass::Sync && 3 <= syncs) {
            self.broken.push(format!("I3: {leg} opens at its mailbox beside {all}, {syncs} syncs"));
        }
    }

    /// The stated residue, of sockets that nobody can close: those of a worker that is
    /// frozen for longer than 60 s after its lock was free; those of one whose connection was
    /// dropped soon after it was frozen, so that it looks like one that was killed; and those of
    /// a worker that cannot hear that somebody deleted its queue, lock and deliveries together.
    fn is_residue(&self, session: &Session) -> bool {
        let worker = &self.workers[session.worker];
        if worker.run != session.run {
            return false;
        }
        let frozen = worker.frozen.or(worker.thawed).map(|(since, _)| since);
        let Some(deaf) = [frozen, worker.cut_since].into_iter().flatten().min() else {
            return false;
        };
        let since = |what: fn(What, usize) -> bool| {
            let faults = self.history.faults.iter();
            let struck = faults.filter(|f| what(f.what, session.worker)).map(|f| millis(f.at));
            struck.filter(|at| (deaf..=self.now).contains(at)).min()
        };
        let freed = since(frees_lock).unwrap_or(Duration::MAX).min(deaf + millis(20_000));
        let long = frozen.is_some() && freed + millis(60_000) <= self.now;
        let as_killed = frozen.is_some()
            && since(|what, worker| what == What::DropConnection(worker))
                .is_some_and(|dropped| dropped <= deaf + millis(11_000));
        long || as_killed || since(|what, _| matches!(what, What::DeleteQueue(_))).is_some()
    }

    /// How long an owner may go by an older limit: until the next broadcast reaches it.
    fn slack(&self) -> Duration {
        let disturbs =
            |what: What| !matches!(what, What::ServerDown(_) | What::Limit(..) | What::Duplicate);
        let disturbed = self.history.faults.iter().any(|fault| disturbs(fault.what));
        millis(if disturbed { 60_000 } else { 12_000 })
    }

    fn check_login(&mut self, index: usize, leg: LegId, dispatch: Dispatch) {
        let login = self.store.rows[&leg.job].legs[usize::from(leg.index)].login;
        let budget = self.store.ledger.get(&(login, group(index).key)).copied().unwrap_or_default();
        let decided = self.mail.decided.get(&(leg, dispatch)).copied();
        if let (Some(refused), Some(decided)) = (budget.last, decided)
            && refused < decided
            && decided < refused.plus(Duration::from_secs(15 * 60))
        {
            self.broken.push(format!("I11: {leg} {dispatch:?} tries a password refused before"));
        }
    }

    /// How a session ends that nobody aborts.
    pub(crate) fn answer(&self, leg: LegId) -> (LegEnd, Ending) {
        let plan = self.plan_of(leg);
        let tries = self.mail.tries.get(&leg).copied().unwrap_or(0);
        let (code, login) = if self.mail.down[plan.groups[usize::from(leg.index)]] {
            (Some(FaultCode::ConnectTimeout), LoginOutcome::NotTried)
        } else if plan.password == Password::Wrong {
            (Some(FaultCode::AuthInvalidCredentials), LoginOutcome::RefusedDefinitively)
        } else if tries <= plan.flaky {
            (Some(FaultCode::AuthTemporaryFailure), LoginOutcome::Undecided)
        } else {
            (None, LoginOutcome::Accepted)
        };
        let retry = code.map(FaultCode::retry);
        let summary = LegSummary { code, retry, login, submission: Submission::NotSent };
        (LegEnd { summary, report: Payload::default() }, Ending { code, login })
    }
}

/// Whether a fault frees the locks of a worker that hears nothing, before its silence does.
fn frees_lock(what: What, worker: usize) -> bool {
    what == What::RestartBroker || what == What::DropConnection(worker)
}

/// Which planned job a job was made for.
pub(crate) fn plan_index(job: JobId) -> usize {
    usize::try_from(job.0.as_u128() & 0xffff).expect("a small index")
}
