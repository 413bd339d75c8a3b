//! Changes a batch under the lock of its row, and begins its items.
//!
//! The lock is one that rows which refer to the batch do not wait for: items end without it.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchChange, BatchId, BatchRecord, BatchState, BatchTurned, BatchView, Fed, GroupId, ItemState,
    JobDraft, LegDraft, PauseCause, Payload, Timestamp,
};
use mailfleet_telemetry::trace::sampled_root;
use uuid::Uuid;

use crate::columns::batch::{batch_columns, read};
use crate::columns::group_id;
use crate::columns::leg::read_draft;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::batch::READY_GROUPS;
use crate::work::feed_view::{self, Around};
use crate::work::items::wipe;
use crate::work::notices::NewNotice;
use crate::work::submit::NewJobs;
use crate::work::tally::{self, Tally};

/// Held items that are cancelled in one transaction.
const CANCELLED: u64 = 1_000;

pub(crate) struct FeedBatch {
    pub(crate) batch: BatchId,
}

impl Work for FeedBatch {
    type View = BatchView;
    type Answer = BatchChange;
    type Output = Option<Fed>;
    const OPERATION: &'static str = "feed a batch";
    const ACCESS: Access = Access::Change;

    async fn work(
        &self,
        tx: &impl Tx,
        decide: &impl Decide<BatchView, BatchChange>,
    ) -> Result<Self::Output, Trouble> {
        const LOCK: Statement = Statement::of(concat!(
            "SELECT ",
            batch_columns!(),
            ", fed FROM batches WHERE id = $1 FOR NO KEY UPDATE"
        ));
        let Some(mut row) = tx.row(LOCK, &[Value::id(&self.batch.0)]).await? else {
            return Ok(None);
        };
        let mut batch = read(&mut row)?;
        let fed = row.maybe_text("fed")?.unwrap_or_default();
        batch.counts = tally::read(tx, self.batch).await?.0;
        let now = tx.now().await?;
        let Around { refusals, domains, next, more } = feed_view::around(tx, &batch, &fed).await?;
        let view = BatchView { now, batch, refusals, domains, more };
        let (view, change) = decide.decide(view)?;
        let BatchView { mut batch, .. } = view;
        let was = batch.state;
        let mut wake = turn(tx, &mut batch, &change, now).await?;
        let (mut tally, mut cancelled, mut jobs) = (Tally::default(), Vec::new(), Vec::new());
        if change.cancel_held {
            cancelled = held(tx, &batch, &mut tally).await?;
        }
        if !change.begin.is_empty() {
            jobs = begin(tx, &batch, &change.begin, &mut tally).await?;
        }
        let moved = u64::try_from(cancelled.len() + jobs.len()).unwrap_or(u64::MAX);
        let jobs = NewJobs::of(&jobs);
        let mut writes = Writes::default();
        let notice = (batch.state != was).then(|| {
            let BatchRecord { id, state, .. } = batch;
            let pause = batch.pause.as_ref().map(|pause| pause.cause);
            let turned = BatchTurned { batch: id, state, pause };
            NewNotice::turned(&batch.tenant, batch.traceparent.as_deref(), turned)
        });
        if let Some(notice) = &notice {
            notice.write(&mut writes);
        }
        cancel(&mut writes, &self.batch, &cancelled);
        jobs.write(&mut writes, now);
        tally.write(&mut writes);
        if let Some(next) = &next {
            note(&mut writes, &self.batch, next);
        }
        tx.write(&writes).await?;
        wake.extend(jobs.wake());
        batch.counts = tally::read(tx, self.batch).await?.0;
        Ok(Some(Fed { was, batch, wake, moved, more }))
    }
}

/// Where feeding goes on the next time.
fn note<'a>(writes: &mut Writes<'a>, batch: &'a BatchId, next: &'a str) {
    const NOTE: Statement = Statement::of("UPDATE batches SET fed = $2 WHERE id = $1");
    writes.once(NOTE, vec![Value::id(&batch.0), Value::Text(next)]);
}

/// Writes the batch's own changes; the groups that are to be dispatched after a pause.
async fn turn(
    tx: &impl Tx,
    batch: &mut BatchRecord,
    change: &BatchChange,
    now: Timestamp,
) -> Result<Vec<GroupId>, Trouble> {
    const TURN: Statement = Statement::of(
        "UPDATE batches SET state = $2, started = $3, ends = $4, finished = $5, \
           pause_cause = $6, paused = $7, pause_since = $8, guard_since = $9, stop_when = $10 \
         WHERE id = $1",
    );
    // A pause does not use up the time of what it holds back.
    const PUT_OFF: Statement = Statement::of(
        "UPDATE jobs SET deadline = deadline + $2 WHERE batch = $1 AND state = 'OPEN'",
    );
    let was_paused = batch.pause.take();
    apply(batch, change, was_paused.clone(), now);
    if change.state.is_none() && !change.guard_anew && !change.lift_guard {
        return Ok(Vec::new());
    }
    let id = Value::id(&batch.id.0);
    let values = [
        id,
        Value::Text(batch.state.into()),
        Value::maybe(batch.started, Value::time),
        Value::maybe(batch.deadline, Value::time),
        Value::maybe(batch.finished, Value::time),
        Value::maybe(batch.pause.as_ref(), |pause| Value::Text(pause.cause.into())),
        Value::maybe(batch.pause.as_ref(), |pause| Value::Text(&pause.reason)),
        Value::maybe(batch.pause.as_ref(), |pause| Value::time(pause.since)),
        Value::time(batch.guard_since),
        Value::maybe(batch.settings.stop_when, Value::number),
    ];
    tx.run(TURN, &values).await?;
    let Some(pause) = was_paused.filter(|_| batch.pause.is_none()) else { return Ok(Vec::new()) };
    tx.run(PUT_OFF, &[id, Value::span(now.since(pause.since))]).await?;
    let rows = tx.rows(READY_GROUPS, &[id]).await?;
    rows.into_iter().map(|mut row| group_id(&mut row)).collect()
}

/// What follows for the row from the state that the batch goes to.
fn apply(
    batch: &mut BatchRecord,
    change: &BatchChange,
    was_paused: Option<mailfleet_model::fleet::BatchPause>,
    now: Timestamp,
) {
    if change.lift_guard {
        batch.settings.stop_when = None;
    }
    if change.guard_anew {
        batch.guard_since = now;
    }
    let Some(state) = change.state else {
        batch.pause = was_paused;
        return;
    };
    if state == BatchState::Running && batch.started.is_none() {
        batch.started = Some(now);
        batch.deadline = Some(now.plus(batch.settings.deadline));
    }
    if state == BatchState::Paused {
        let (cause, reason) = change.pause.clone().unwrap_or((PauseCause::Operator, String::new()));
        batch.pause = Some(mailfleet_model::fleet::BatchPause { cause, reason, since: now });
    }
    batch.finished = state.is_final().then_some(now);
    batch.state = state;
}

/// Held items that are to be cancelled.
async fn held(tx: &impl Tx, batch: &BatchRecord, tally: &mut Tally) -> Result<Vec<u64>, Trouble> {
    const HELD: Statement = Statement::of(
        "SELECT position FROM batch_items WHERE batch = $1 AND state = 'HELD' \
         ORDER BY domain, position LIMIT $2",
    );
    let id = Value::id(&batch.id.0);
    let mut items: Vec<u64> = Vec::new();
    for mut row in tx.rows(HELD, &[id, Value::number(CANCELLED)]).await? {
        let position = row.number("position")?;
        tally.remove(batch.id, position, (ItemState::Held, None, None));
        tally.add(batch.id, position, (ItemState::Cancelled, None, None));
        items.push(position);
    }
    Ok(items)
}

/// Cancels held items.
fn cancel<'a>(writes: &mut Writes<'a>, batch: &'a BatchId, items: &[u64]) {
    const CANCEL: Statement = Statement::of(
        "UPDATE batch_items SET state = 'CANCELLED', finished = mailfleet_now() \
         WHERE batch = $1 AND position = $2",
    );
    let rows = items.iter().map(|item| vec![Value::id(&batch.0), Value::number(*item)]);
    writes.each(CANCEL, rows.collect());
    wipe(writes, batch, items);
}

/// Makes jobs of held items. One that is not held any more is left out.
async fn begin(
    tx: &impl Tx,
    batch: &BatchRecord,
    chosen: &[u64],
    tally: &mut Tally,
) -> Result<Vec<JobDraft>, Trouble> {
    const BEGIN: Statement = Statement::of(
        "UPDATE batch_items SET state = 'OPEN', job = $3 \
         WHERE batch = $1 AND position = $2 AND state = 'HELD' RETURNING position, payload",
    );
    const LEGS: Statement = Statement::of(
        "SELECT kind, gate, gate_leg, zone, name, shard, pool, mailbox, login, cap, payload \
         FROM batch_legs WHERE batch = $1 AND position = $2 ORDER BY idx",
    );
    let id = Value::id(&batch.id.0);
    let mut chosen = chosen.to_vec();
    chosen.sort_unstable();
    chosen.dedup();
    let jobs: Vec<Uuid> = chosen.iter().map(|_| Uuid::now_v7()).collect();
    let item = |position: &u64| vec![id, Value::number(*position)];
    let legs_of: Vec<_> = chosen.iter().map(item).collect();
    let with_job = |(position, job)| [&item(position)[..], &[Value::id(job)]].concat();
    let rows: Vec<_> = chosen.iter().zip(&jobs).map(with_job).collect();
    let begun = tx.each(BEGIN, &rows).await?;
    let legs = tx.each(LEGS, &legs_of).await?;
    let mut drafts = Vec::new();
    for ((rows, legs), job) in begun.into_iter().zip(legs).zip(&jobs) {
        let Some(mut row) = rows.into_iter().next() else { continue };
        let position = row.number("position")?;
        let legs: Result<Vec<LegDraft>, Trouble> =
            legs.into_iter().map(|mut row| read_draft(&mut row)).collect();
        tally.remove(batch.id, position, (ItemState::Held, None, None));
        tally.add(batch.id, position, (ItemState::Open, None, None));
        drafts.push(JobDraft {
            id: JobId(*job),
            tenant: batch.tenant.clone(),
            class: batch.settings.class,
            batch: Some(batch.id),
            request: None,
            settings: None,
            deadline: batch.settings.item_deadline,
            live_to: None,
            // A trace of its own: a batch in one trace could be looked at by nobody.
            traceparent: Some(sampled_root().to_string()),
            payload: Payload(row.bytes("payload")?),
            legs: legs?,
        });
    }
    Ok(drafts)
}
