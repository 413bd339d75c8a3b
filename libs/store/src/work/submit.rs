//! Admits a job: everything that admission looks at, then the rows.

use std::collections::BTreeSet;

use futures::try_join;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Admission, Gate, GroupId, GroupView, JobDraft, JobState, LegDraft, LegRecord, LegState,
    LoginBudget, RequestTag, SubmitView, Submitted, Timestamp,
};

use crate::columns::batch_or_nil;
use crate::columns::leg::{draft_values, read_budget};
use crate::config::Defaults;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::counts::{self, Counted, Counts};
use crate::work::view;

/// Most legs of a job.
const LEGS: usize = 16;

pub(crate) struct Submit {
    pub(crate) draft: JobDraft,
    pub(crate) defaults: Defaults,
}

impl Work for Submit {
    type View = SubmitView;
    type Answer = Admission;
    type Output = Submitted;
    const OPERATION: &'static str = "submit a job";
    const ACCESS: Access = Access::Change;

    async fn work(
        &self,
        tx: &impl Tx,
        decide: &impl Decide<SubmitView, Admission>,
    ) -> Result<Submitted, Trouble> {
        if !(1..=LEGS).contains(&self.draft.legs.len()) {
            return Err(Trouble::corrupt(format_args!("a job has 1 to {LEGS} legs")));
        }
        let view = view(tx, &self.draft, &self.defaults).await?;
        let (view, admission) = decide.decide(view)?;
        let (released, wake) = match &admission {
            Admission::Accept { at_once } => {
                let released = released(&self.draft, &view, at_once)?;
                check_batch(tx, &self.draft).await?;
                let jobs = NewJobs { at_once, ..NewJobs::of(std::slice::from_ref(&self.draft)) };
                let mut writes = Writes::default();
                jobs.write(&mut writes, view.now);
                tx.finish(&writes).await?;
                (released, jobs.wake())
            }
            Admission::Repeated(_) | Admission::Join(_) | Admission::Refuse(_) => {
                (Vec::new(), Vec::new())
            }
        };
        Ok(Submitted { admission, released, wake })
    }
}

async fn view(tx: &impl Tx, draft: &JobDraft, defaults: &Defaults) -> Result<SubmitView, Trouble> {
    let open = draft.legs.iter().filter(|leg| leg.gate == Gate::Open);
    let groups: BTreeSet<&GroupId> = open.map(|leg| &leg.group).collect();
    let (now, repeated, running, usage, budgets, calm) = try_join!(
        tx.now(),
        repeated(tx, draft),
        running(tx, draft),
        counts::usage(tx, &draft.tenant),
        budgets(tx, &draft.legs),
        view::calm(tx, &groups, defaults),
    )?;
    Ok(SubmitView { now, repeated, running, usage, budgets, calm })
}

/// The rows of the legs that go at once.
fn released(
    draft: &JobDraft,
    view: &SubmitView,
    at_once: &[u8],
) -> Result<Vec<LegRecord>, Trouble> {
    let mut released = Vec::new();
    for index in at_once {
        let leg = draft.leg(*index, view.now, true).filter(|leg| {
            let is_calm = |group: &GroupView| group.settings.group == leg.group;
            leg.gate == Gate::Open && view.calm.iter().any(is_calm)
        });
        let wrong = || Trouble::corrupt("a decision releases a leg that may not go");
        released.push(leg.ok_or_else(wrong)?);
    }
    Ok(released)
}

async fn repeated(tx: &impl Tx, draft: &JobDraft) -> Result<Option<(JobId, RequestTag)>, Trouble> {
    const REPEATED: Statement =
        Statement::of("SELECT id, request_body FROM jobs WHERE tenant = $1 AND request_id = $2");
    let Some(request) = &draft.request else { return Ok(None) };
    let key = [Value::Text(draft.tenant.as_str()), Value::Text(&request.id)];
    let Some(mut row) = tx.row(REPEATED, &key).await? else { return Ok(None) };
    Ok(Some((JobId(row.id("id")?), RequestTag(row.array("request_body")?))))
}

async fn running(tx: &impl Tx, draft: &JobDraft) -> Result<Option<JobId>, Trouble> {
    const RUNNING: Statement =
        Statement::of("SELECT id FROM jobs WHERE tenant = $1 AND settings = $2 AND state = 'OPEN'");
    let Some(settings) = &draft.settings else { return Ok(None) };
    let key = [Value::Text(draft.tenant.as_str()), Value::Bytes(&settings.0)];
    let Some(mut row) = tx.row(RUNNING, &key).await? else { return Ok(None) };
    Ok(Some(JobId(row.id("id")?)))
}

async fn budgets(tx: &impl Tx, legs: &[LegDraft]) -> Result<Vec<LoginBudget>, Trouble> {
    const BUDGET: Statement = Statement::of(
        // Whatever zone it was refused in: a mail server that locks a login locks it for all.
        "SELECT count(*), max(at) FROM ledger WHERE login = $1 AND name = $2",
    );
    let keys: Vec<_> = legs
        .iter()
        .map(|leg| vec![Value::Bytes(&leg.login.0), Value::Text(leg.group.key.as_str())])
        .collect();
    let mut budgets = Vec::new();
    for mut row in tx.each(BUDGET, &keys).await?.into_iter().flatten() {
        budgets.push(read_budget(&mut row)?);
    }
    Ok(budgets)
}

/// Jobs to be stored, and what they add to counters.
pub(crate) struct NewJobs<'a> {
    drafts: &'a [JobDraft],
    /// The places of legs that are released already.
    at_once: &'a [u8],
    counts: Counts,
}

impl<'a> NewJobs<'a> {
    pub(crate) fn of(drafts: &'a [JobDraft]) -> Self {
        let mut counts = Counts::default();
        for draft in drafts {
            counts.add(&Counted {
                job: draft.id,
                tenant: draft.tenant.clone(),
                class: draft.class,
                state: JobState::Open,
            });
        }
        Self { drafts, at_once: &[], counts }
    }

    /// Writes them and their legs.
    pub(crate) fn write(&'a self, writes: &mut Writes<'a>, now: Timestamp) {
        super::group::know_all(writes, self.legs().map(|leg| (&leg.group, leg.shard)));
        insert_jobs(writes, self.drafts, now);
        self.insert_legs(writes, now);
        self.counts.write(writes);
    }

    /// The groups that have a leg to release.
    pub(crate) fn wake(&self) -> Vec<GroupId> {
        let legs = self.drafts.iter().flat_map(|draft| (0..).zip(&draft.legs));
        let ready = legs.filter(|(index, leg)| self.state(*index, leg) == LegState::Ready);
        let ready: BTreeSet<GroupId> = ready.map(|(_, leg)| leg.group.clone()).collect();
        ready.into_iter().collect()
    }

    fn state(&self, index: u8, leg: &LegDraft) -> LegState {
        match leg.gate {
            _ if self.at_once.contains(&index) => LegState::Released,
            Gate::Open => LegState::Ready,
            Gate::AfterLeg(_) | Gate::AfterOthers => LegState::Blocked,
        }
    }

    fn insert_legs(&self, writes: &mut Writes<'a>, now: Timestamp) {
        const LEG: Statement = Statement::of(
            "INSERT INTO legs (job, idx, tenant, class, batch, live_to, traceparent, since, state, \
               dispatch, kind, gate, gate_leg, zone, name, shard, pool, mailbox, login, cap, \
               payload) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
               $18, $19, $20, $21)",
        );
        let mut rows = Vec::new();
        for draft in self.drafts {
            for (index, leg) in (0..).zip(&draft.legs) {
                let state = self.state(index, leg);
                let mut row = vec![
                    Value::id(&draft.id.0),
                    Value::number(index),
                    Value::Text(draft.tenant.as_str()),
                    Value::Text(draft.class.into()),
                    batch_or_nil(draft.batch.as_ref()),
                    Value::maybe(draft.live_to.as_ref(), |gateway| Value::Text(gateway.as_str())),
                    Value::maybe(draft.traceparent.as_deref(), Value::Text),
                    Value::time(now),
                    Value::Text(state.into()),
                    Value::number(u32::from(state == LegState::Released)),
                ];
                row.extend(draft_values(leg));
                rows.push(row);
            }
        }
        writes.each(LEG, rows);
    }

    fn legs(&self) -> impl Iterator<Item = &'a LegDraft> {
        self.drafts.iter().flat_map(|draft| &draft.legs)
    }
}

async fn check_batch(tx: &impl Tx, draft: &JobDraft) -> Result<(), Trouble> {
    const BATCH: Statement =
        Statement::of("SELECT id FROM batches WHERE id = $1 AND tenant = $2 FOR KEY SHARE");
    let Some(batch) = &draft.batch else { return Ok(()) };
    let key = [Value::id(&batch.0), Value::Text(draft.tenant.as_str())];
    let found = tx.row(BATCH, &key).await?;
    found.map(|_| ()).ok_or_else(|| Trouble::corrupt("the tenant has no batch of this id"))
}

fn insert_jobs<'a>(writes: &mut Writes<'a>, drafts: &'a [JobDraft], now: Timestamp) {
    const JOB: Statement = Statement::of(
        "INSERT INTO jobs (id, tenant, class, batch, state, created, deadline, traceparent, \
           request_id, request_body, settings, payload) \
         VALUES ($1, $2, $3, $4, 'OPEN', $5, $6, $7, $8, $9, $10, $11)",
    );
    let mut rows = Vec::new();
    for draft in drafts {
        rows.push(vec![
            Value::id(&draft.id.0),
            Value::Text(draft.tenant.as_str()),
            Value::Text(draft.class.into()),
            Value::maybe(draft.batch.as_ref(), |batch| Value::id(&batch.0)),
            Value::time(now),
            Value::time(now.plus(draft.deadline)),
            Value::maybe(draft.traceparent.as_deref(), Value::Text),
            Value::maybe(draft.request.as_ref(), |request| Value::Text(&request.id)),
            Value::maybe(draft.request.as_ref(), |request| Value::Bytes(&request.body.0)),
            Value::maybe(draft.settings.as_ref(), |settings| Value::Bytes(&settings.0)),
            Value::Bytes(&draft.payload.0),
        ]);
    }
    writes.each(JOB, rows);
}
