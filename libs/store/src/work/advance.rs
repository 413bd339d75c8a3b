//! Changes a job and its legs under the job's lock: every result, return, start, cancel
//! and deadline comes through here.
//!
//! The legs are locked too, since dispatch and the sweeps change them without the job's
//! lock. What a decision may not do (take back an end, jump between states) is refused as
//! corrupt, and nothing is written.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{
    GroupId, ItemEnd, JobChange, JobEnded, JobRecord, JobState, JobView, LedgerEntry, LegId,
    LegRecord, LegState, Subject, Timestamp,
};
use mailfleet_model::{JobId, Verdict};

use crate::columns::leg;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::counts::{Counted, Counts};
use crate::work::notices::NewNotice;
use crate::work::{group, items, job};

pub(crate) struct Advance {
    pub(crate) job: JobId,
}

impl Work for Advance {
    type View = JobView;
    type Answer = JobChange;
    /// The groups to dispatch; `None` if there is no such job.
    type Output = Option<Vec<GroupId>>;
    const OPERATION: &'static str = "advance a job";
    const ACCESS: Access = Access::Change;

    async fn work(
        &self,
        tx: &impl Tx,
        decide: &impl Decide<JobView, JobChange>,
    ) -> Result<Self::Output, Trouble> {
        let Some(view) = job::lock(tx, self.job).await? else { return Ok(None) };
        let (view, change) = decide.decide(view)?;
        if change.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let legs = changed_legs(&view, &change)?;
        let ended = check_job(&view, change.job.as_ref())?;
        let (counts, item, notice) = match ended {
            None => (Counts::default(), None, None),
            Some(job) => {
                let end = ItemEnd::of(&after(&view, &legs));
                let traceparent = job.traceparent.as_deref();
                let notice = NewNotice::of(&job.tenant, traceparent, told(job, &end));
                (counts(&view.job, job), items::end(tx, job, &end).await?, Some(notice))
            }
        };
        let mut writes = Writes::default();
        write_legs(&mut writes, &legs, change.job.is_some());
        write_ledger(&mut writes, &view, &change.ledger);
        match &change.job {
            Some(job) => write_job(&mut writes, &view, job),
            None if legs.is_empty() => touch_job(&mut writes, &view),
            None => {}
        }
        counts.write(&mut writes);
        if let Some(item) = &item {
            item.write(&mut writes);
        }
        if let Some(notice) = &notice {
            notice.write(&mut writes);
        }
        tx.finish(&writes).await?;
        Ok(Some(wake(&legs)))
    }
}

/// A leg before and after.
type Step<'a> = (&'a LegRecord, &'a LegRecord);

/// The legs that change, by ascending id, once their steps are found to be allowed.
fn changed_legs<'a>(view: &'a JobView, change: &'a JobChange) -> Result<Vec<Step<'a>>, Trouble> {
    let mut legs: Vec<Step<'a>> = Vec::new();
    for new in &change.legs {
        let old = view.legs.iter().map(|leg| &leg.leg).find(|leg| leg.id == new.id);
        let Some(old) = old else {
            return Err(Trouble::corrupt("a decision changes a leg of another job"));
        };
        if old.state != new.state && !old.state.may_become(new.state) {
            let (from, to) = (old.state, new.state);
            return Err(Trouble::corrupt(format_args!(
                "a decision takes a leg from {from} to {to}"
            )));
        }
        if new.state.is_final() && new.end.is_none() {
            return Err(Trouble::corrupt("a decision ends a leg without saying how"));
        }
        if old.tenant != new.tenant {
            return Err(Trouble::corrupt("a decision gives a leg to another tenant"));
        }
        legs.push((old, new));
    }
    legs.sort_by_key(|(old, _)| old.id);
    Ok(legs)
}

/// The job's new row, if it ends by it.
fn check_job<'a>(
    view: &JobView,
    new: Option<&'a JobRecord>,
) -> Result<Option<&'a JobRecord>, Trouble> {
    let (Some(new), old) = (new, &view.job) else { return Ok(None) };
    if old.state.is_final() {
        return Err(Trouble::corrupt("a decision changes a job that has ended"));
    }
    if old.id != new.id || old.tenant != new.tenant || old.batch != new.batch {
        return Err(Trouble::corrupt("a decision makes another job of a job"));
    }
    if new.state.is_final() != new.report.is_some() {
        return Err(Trouble::corrupt("a decision leaves a job with half an end"));
    }
    Ok(new.state.is_final().then_some(new))
}

/// Writes the legs' rows. Where the job's own row is not written, they count the change.
fn write_legs<'a>(writes: &mut Writes<'a>, legs: &[Step<'a>], job_is_written: bool) {
    const LEG: Statement = Statement::of(
        "UPDATE legs SET class = $3, kind = $4, gate = $5, gate_leg = $6, zone = $7, name = $8, \
           shard = $9, pool = $10, mailbox = $11, login = $12, cap = $13, state = $14, \
           dispatch = $15, attempt = $16, starts = $17, started = $18, since = $19, due = $20, \
           live_to = $21, traceparent = $22, end_code = $23, end_retry = $24, \
           end_retry_min = $25, end_retry_max = $26, end_login = $27, end_submission = $28, \
           end_report = $29, returned = $30, payload = coalesce($31, payload), \
           revision = revision + $32 \
         WHERE job = $1 AND idx = $2",
    );
    let moved = legs.iter().filter(|(old, new)| old.group != new.group);
    group::know_all(writes, moved.map(|(_, new)| (&new.group, new.shard)));
    let counted = u32::from(!job_is_written);
    let mut rows = Vec::new();
    for (old, new) in legs {
        // Unchanged bytes, which may be many, are not written again.
        let payload = (old.payload != new.payload).then_some(&new.payload);
        let mut values = leg::values(new);
        values.push(Value::maybe(payload, |payload| Value::Bytes(&payload.0)));
        values.push(Value::number(counted));
        rows.push(values);
    }
    writes.each(LEG, rows);
}

fn write_ledger<'a>(writes: &mut Writes<'a>, view: &JobView, ledger: &'a [LedgerEntry]) {
    const ENTRY: Statement = Statement::of(
        "INSERT INTO ledger (job, idx, tenant, login, zone, name, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, idx) DO NOTHING",
    );
    let mut rows = Vec::new();
    for LedgerEntry { tenant, login, group, leg: LegId { job, index } } in ledger {
        let [zone, name] = group::key(group);
        rows.push(vec![
            Value::id(&job.0),
            Value::number(*index),
            Value::Text(tenant.as_str()),
            Value::Bytes(&login.0),
            zone,
            name,
            Value::time(view.now),
        ]);
    }
    writes.each(ENTRY, rows);
}

/// Notes that something has changed that has no row of its own.
fn touch_job<'a>(writes: &mut Writes<'a>, view: &'a JobView) {
    const TOUCH: Statement = Statement::of("UPDATE jobs SET revision = revision + 1 WHERE id = $1");
    writes.once(TOUCH, vec![Value::id(&view.job.id.0)]);
}

fn write_job<'a>(writes: &mut Writes<'a>, view: &'a JobView, new: &'a JobRecord) {
    const JOB: Statement = Statement::of(
        "UPDATE jobs SET revision = revision + 1, class = $2, state = $3, deadline = $4, \
           finished = $5, verdict = $6, traceparent = $7, report = $8, \
           payload = coalesce($9, payload) \
         WHERE id = $1",
    );
    let finished: Option<Timestamp> =
        new.state.is_final().then(|| new.finished.unwrap_or(view.now));
    let payload = (view.job.payload != new.payload).then_some(&new.payload);
    let values = vec![
        Value::id(&new.id.0),
        Value::Text(new.class.into()),
        Value::Text(new.state.into()),
        Value::time(new.deadline),
        Value::maybe(finished, Value::time),
        Value::maybe(new.verdict, |verdict| Value::Text(verdict.into())),
        Value::maybe(new.traceparent.as_deref(), Value::Text),
        Value::maybe(new.report.as_ref(), |report| Value::Bytes(&report.0)),
        Value::maybe(payload, |payload| Value::Bytes(&payload.0)),
    ];
    writes.once(JOB, values);
}

/// What the end of a job brings with it: it is counted elsewhere.
fn counts(old: &JobRecord, new: &JobRecord) -> Counts {
    let counted = |job: &JobRecord, state: JobState| Counted {
        job: job.id,
        tenant: job.tenant.clone(),
        class: job.class,
        state,
    };
    let mut counts = Counts::default();
    counts.remove(&counted(old, JobState::Open));
    counts.add(&counted(new, new.state));
    counts
}

/// What other services are told.
fn told(job: &JobRecord, how: &ItemEnd) -> Subject {
    let verdict = job.verdict.filter(|_| job.state != JobState::Cancelled);
    Subject::Job(JobEnded {
        job: job.id,
        class: job.class,
        state: job.state,
        verdict,
        code: how.code.filter(|_| verdict.is_some_and(|verdict| verdict != Verdict::Healthy)),
        batch: job.batch,
        created: job.created,
    })
}

/// All legs as they are after the change.
fn after(view: &JobView, changed: &[Step<'_>]) -> Vec<LegRecord> {
    let now = |old: &LegRecord| changed.iter().find(|(_, new)| new.id == old.id);
    let legs = view.legs.iter().map(|row| &row.leg);
    legs.map(|old| now(old).map_or(old, |(_, new)| new).clone()).collect()
}

/// The groups that gained a place or a waiting leg.
fn wake(legs: &[Step<'_>]) -> Vec<GroupId> {
    let mut groups = BTreeSet::new();
    for (old, new) in legs {
        if old.state.is_out() && !new.state.is_out() {
            groups.insert(old.group.clone());
        }
        if new.state == LegState::Ready {
            groups.insert(new.group.clone());
        }
    }
    groups.into_iter().collect()
}
