//! Items of batches: how they end, and how they are listed.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, ItemEnd, ItemFilter, ItemRecord, ItemState, JobRecord, JobState,
};
use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{FaultCode, Verdict};

use crate::columns::batch::{item_columns, read_item};
use crate::columns::end::login;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::tally::Tally;

/// An item that has ended, and what is still to be written about it.
pub(crate) struct Ended {
    batch: BatchId,
    position: u64,
    keeps_credentials: bool,
    tally: Tally,
}

impl Ended {
    pub(crate) fn write<'a>(&'a self, writes: &mut Writes<'a>) {
        if !self.keeps_credentials {
            wipe(writes, &self.batch, &[self.position]);
        }
        self.tally.write(writes);
    }
}

/// Ends the item of a job that has ended. A job that was made without an item has none.
pub(crate) async fn end(
    tx: &impl Tx,
    job: &JobRecord,
    end: &ItemEnd,
) -> Result<Option<Ended>, Trouble> {
    const END: Statement = Statement::of(
        "UPDATE batch_items SET state = $2, verdict = $3, code = $4, limit_group = $5, \
           answer = $6, finished = mailfleet_now() \
         WHERE job = $1 AND state = 'OPEN' RETURNING position",
    );
    let Some(batch) = job.batch else { return Ok(None) };
    let cancelled = job.state == JobState::Cancelled;
    let state = if cancelled { ItemState::Cancelled } else { ItemState::Done };
    let verdict = job.verdict.filter(|_| !cancelled);
    let code = end.code.filter(|_| !cancelled && verdict != Some(Verdict::Healthy));
    let group = end.group.as_ref().filter(|_| code.is_some());
    let answer = end.login.filter(|_| !cancelled);
    let values = [
        Value::id(&job.id.0),
        Value::Text(state.into()),
        Value::maybe(verdict, |verdict| Value::Text(verdict.into())),
        Value::maybe(code, |code| Value::Text(code.into())),
        Value::maybe(group, |group| Value::Text(group.key.as_str())),
        Value::maybe(answer, |answer| Value::Text(login(answer))),
    ];
    let Some(mut row) = tx.row(END, &values).await? else { return Ok(None) };
    let position: u64 = row.number("position")?;
    let keeps_credentials = may_begin_anew(state, verdict, answer);
    let mut tally = Tally::default();
    tally.remove(batch, position, (ItemState::Open, None, None));
    tally.add(batch, position, (state, verdict, code));
    Ok(Some(Ended { batch, position, keeps_credentials, tally }))
}

/// Whether an item that ended so may be validated anew with the same secret.
fn may_begin_anew(
    state: ItemState,
    verdict: Option<Verdict>,
    answer: Option<LoginOutcome>,
) -> bool {
    state == ItemState::Done
        && verdict != Some(Verdict::Healthy)
        && answer != Some(LoginOutcome::RefusedDefinitively)
}

/// Wipes the credentials of items that never begin again.
pub(crate) fn wipe<'a>(writes: &mut Writes<'a>, batch: &'a BatchId, items: &[u64]) {
    const WIPE: Statement =
        Statement::of("UPDATE batch_legs SET payload = $3 WHERE batch = $1 AND position = $2");
    let rows: Vec<_> = items
        .iter()
        .map(|item| vec![Value::id(&batch.0), Value::number(*item), Value::Bytes(&[])])
        .collect();
    writes.each(WIPE, rows);
}

/// The conditions of a filter: `$2` to `$5`, each empty for "any".
macro_rules! filtered {
    () => {
        "(CAST($2 AS text) = '' OR state = $2) AND (CAST($3 AS text) = '' OR verdict = $3) \
         AND (CAST($4 AS text) = '' OR code = $4) AND (CAST($5 AS text) = '' OR domain = $5) "
    };
}
pub(crate) use filtered;

/// The values of `$1` to `$5`.
pub(crate) fn filter_values<'a>(batch: &'a BatchId, filter: &'a ItemFilter) -> Vec<Value<'a>> {
    vec![
        Value::id(&batch.0),
        Value::Text(filter.state.map_or("", Into::into)),
        Value::Text(filter.verdict.map_or("", Into::into)),
        Value::Text(filter.code.map_or("", |code: FaultCode| code.into())),
        Value::Text(filter.domain.as_deref().unwrap_or_default()),
    ]
}

pub(crate) struct Items {
    pub(crate) batch: BatchId,
    pub(crate) filter: ItemFilter,
    pub(crate) from: u64,
    pub(crate) limit: u32,
}

impl Work for Items {
    type View = ();
    type Answer = ();
    type Output = Vec<ItemRecord>;
    const OPERATION: &'static str = "list items of a batch";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const ITEMS: Statement = Statement::of(concat!(
            "SELECT ",
            item_columns!(),
            " FROM batch_items WHERE batch = $1 AND position > $6 AND ",
            filtered!(),
            "ORDER BY position LIMIT $7"
        ));
        let mut values = filter_values(&self.batch, &self.filter);
        values.extend([Value::number(self.from), Value::number(self.limit)]);
        let rows = tx.rows(ITEMS, &values).await?;
        rows.into_iter().map(|mut row| read_item(&mut row)).collect()
    }
}

pub(crate) struct OpenItems {
    pub(crate) batch: BatchId,
    pub(crate) limit: u32,
}

impl Work for OpenItems {
    type View = ();
    type Answer = ();
    type Output = Vec<JobId>;
    const OPERATION: &'static str = "look for open items";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<JobId>, Trouble> {
        const OPEN: Statement = Statement::of(
            "SELECT job FROM batch_items \
             WHERE batch = $1 AND state = 'OPEN' AND job IS NOT NULL LIMIT $2",
        );
        let rows = tx.rows(OPEN, &[Value::id(&self.batch.0), Value::number(self.limit)]).await?;
        rows.into_iter().map(|mut row| Ok(JobId(row.id("job")?))).collect()
    }
}
