//! Reads batches: one whole, many in a list, and those that are to be fed.

use mailfleet_model::fleet::{BatchId, BatchRecord, BatchReport, PauseCause, TenantId};

use crate::columns::batch::{batch_columns, item_columns, read, read_item};
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;
use crate::work::tally;

pub(crate) struct Report {
    pub(crate) tenant: TenantId,
    pub(crate) batch: BatchId,
}

impl Work for Report {
    type View = ();
    type Answer = ();
    type Output = Option<BatchReport>;
    const OPERATION: &'static str = "read a batch";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const BATCH: Statement = Statement::of(concat!(
            "SELECT ",
            batch_columns!(),
            " FROM batches WHERE id = $1 AND tenant = $2"
        ));
        // Ten seconds, in microseconds.
        const RECENT: Statement = Statement::of(
            "SELECT count(*) FROM batch_items WHERE batch = $1 AND finished IS NOT NULL \
               AND finished > (SELECT mailfleet_now()) - 10000000",
        );
        const EVIDENCE: Statement = Statement::of(concat!(
            "SELECT ",
            item_columns!(),
            " FROM batch_items WHERE batch = $1 AND answer IN ('ACCEPTED', 'REFUSED_DEFINITIVELY') \
               AND answer = 'REFUSED_DEFINITIVELY' AND finished <= $2 \
             ORDER BY finished DESC LIMIT 5"
        ));
        let id = Value::id(&self.batch.0);
        let key = [id, Value::Text(self.tenant.as_str())];
        let Some(mut row) = tx.row(BATCH, &key).await? else { return Ok(None) };
        let mut batch = read(&mut row)?;
        let now = tx.now().await?;
        let (counts, codes) = tally::read(tx, self.batch).await?;
        batch.counts = counts;
        let recent = tx.row(RECENT, &[id]).await?;
        let recent = recent.map_or(Ok(0), |mut row| row.number("count"))?;
        let mut evidence = Vec::new();
        if let Some(pause) = batch.pause.as_ref().filter(|pause| pause.cause == PauseCause::Guard) {
            for mut row in tx.rows(EVIDENCE, &[id, Value::time(pause.since)]).await? {
                evidence.push(read_item(&mut row)?);
            }
        }
        Ok(Some(BatchReport { now, batch, codes, recent, evidence }))
    }
}

pub(crate) struct Batches {
    pub(crate) tenant: TenantId,
    pub(crate) from: Option<BatchId>,
    pub(crate) limit: u32,
}

impl Work for Batches {
    type View = ();
    type Answer = ();
    type Output = Vec<BatchRecord>;
    const OPERATION: &'static str = "list batches";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const BATCHES: Statement = Statement::of(concat!(
            "SELECT ",
            batch_columns!(),
            " FROM batches WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        ));
        // No version of UUID is all ones.
        let from = self.from.map_or(uuid::Uuid::max(), |batch| batch.0);
        let values =
            [Value::Text(self.tenant.as_str()), Value::id(&from), Value::number(self.limit)];
        let mut batches = Vec::new();
        for mut row in tx.rows(BATCHES, &values).await? {
            let mut batch = read(&mut row)?;
            batch.counts = tally::read(tx, batch.id).await?.0;
            batches.push(batch);
        }
        Ok(batches)
    }
}

pub(crate) struct LiveBatches {
    pub(crate) limit: u32,
}

impl Work for LiveBatches {
    type View = ();
    type Answer = ();
    type Output = Vec<BatchId>;
    const OPERATION: &'static str = "look for batches to feed";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<BatchId>, Trouble> {
        const LIVE: Statement = Statement::of(
            "SELECT id FROM batches WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING') \
             ORDER BY id LIMIT $1",
        );
        let rows = tx.rows(LIVE, &[Value::number(self.limit)]).await?;
        rows.into_iter().map(|mut row| Ok(BatchId(row.id("id")?))).collect()
    }
}
