//! Begins items anew that ended with trouble.

use mailfleet_model::fleet::{BatchId, BatchState, BatchTurned, ItemFilter, ItemState, Timestamp};

use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::items::{filter_values, filtered};
use crate::work::notices::NewNotice;
use crate::work::tally::Tally;

pub(crate) struct Redrive {
    pub(crate) batch: BatchId,
    pub(crate) filter: ItemFilter,
    pub(crate) until: Timestamp,
    pub(crate) limit: u32,
}

impl Work for Redrive {
    type View = ();
    type Answer = ();
    /// `None` if the batch is in no state for it.
    type Output = Option<u64>;
    const OPERATION: &'static str = "begin items anew";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const LOCK: Statement = Statement::of(
            "SELECT state, tenant, traceparent FROM batches WHERE id = $1 FOR NO KEY UPDATE",
        );
        const FAILED: Statement = Statement::of(concat!(
            "SELECT position, verdict, code FROM batch_items WHERE batch = $1 \
               AND state = 'DONE' AND verdict <> 'HEALTHY' AND finished <= $6 \
               AND coalesce(answer, '') <> 'REFUSED_DEFINITIVELY' AND ",
            filtered!(),
            "ORDER BY position LIMIT $7 FOR UPDATE"
        ));
        const HOLD: Statement = Statement::of(
            "UPDATE batch_items SET state = 'HELD', job = NULL, redrives = redrives + 1, \
               verdict = NULL, code = NULL, limit_group = NULL, answer = NULL, finished = NULL \
             WHERE batch = $1 AND position = $2",
        );
        const AGAIN: Statement = Statement::of(
            "UPDATE batches SET state = 'RUNNING', finished = NULL, \
               ends = mailfleet_now() + deadline, guard_since = mailfleet_now() \
             WHERE id = $1 AND state = 'DONE'",
        );
        let id = Value::id(&self.batch.0);
        let Some(mut row) = tx.row(LOCK, &[id]).await? else { return Ok(None) };
        let was = row.name("state")?;
        match was {
            BatchState::Running | BatchState::Paused | BatchState::Done => {}
            BatchState::Uploading | BatchState::Cancelling | BatchState::Cancelled => {
                return Ok(None);
            }
        }
        let (tenant, traceparent) = (row.name("tenant")?, row.maybe_text("traceparent")?);
        let mut values = filter_values(&self.batch, &self.filter);
        values.extend([Value::time(self.until), Value::number(self.limit)]);
        let (mut tally, mut rows) = (Tally::default(), Vec::new());
        for mut row in tx.rows(FAILED, &values).await? {
            let position = row.number("position")?;
            let (verdict, code) = (row.maybe_name("verdict")?, row.maybe_name("code")?);
            tally.remove(self.batch, position, (ItemState::Done, verdict, code));
            tally.add(self.batch, position, (ItemState::Held, None, None));
            rows.push(vec![id, Value::number(position)]);
        }
        if rows.is_empty() {
            return Ok(Some(0));
        }
        let redriven = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let mut writes = Writes::default();
        writes.each(HOLD, rows);
        writes.once(AGAIN, vec![id]);
        tally.write(&mut writes);
        let notice = (was == BatchState::Done).then(|| {
            let turned = BatchTurned { batch: self.batch, state: BatchState::Running, pause: None };
            NewNotice::turned(&tenant, traceparent.as_deref(), turned)
        });
        if let Some(notice) = &notice {
            notice.write(&mut writes);
        }
        tx.finish(&writes).await?;
        Ok(Some(redriven))
    }
}
