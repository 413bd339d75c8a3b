//! Batches: made, counted, paused.

use mailfleet_model::fleet::{BatchCounts, BatchId, GroupId, TenantId};

use crate::columns::group_id;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;

pub(crate) struct CreateBatch {
    pub(crate) tenant: TenantId,
    pub(crate) batch: BatchId,
}

impl Work for CreateBatch {
    type View = ();
    type Answer = ();
    type Output = ();
    const OPERATION: &'static str = "make a batch";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<(), Trouble> {
        const CREATE: Statement = Statement::of(
            "INSERT INTO batches (id, tenant, created) VALUES ($1, $2, mailfleet_now()) \
             ON CONFLICT (id) DO NOTHING",
        );
        let values = [Value::id(&self.batch.0), Value::Text(self.tenant.as_str())];
        tx.run(CREATE, &values).await.map(|_| ())
    }
}

pub(crate) struct Batch {
    pub(crate) tenant: TenantId,
    pub(crate) batch: BatchId,
}

impl Work for Batch {
    type View = ();
    type Answer = ();
    type Output = Option<(BatchCounts, Option<String>)>;
    const OPERATION: &'static str = "read a batch";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const BATCH: Statement = Statement::of(
            "SELECT b.paused, \
               CAST(coalesce(sum(c.open), 0) AS bigint), \
               CAST(coalesce(sum(c.healthy), 0) AS bigint), \
               CAST(coalesce(sum(c.faulty), 0) AS bigint), \
               CAST(coalesce(sum(c.inconclusive), 0) AS bigint), \
               CAST(coalesce(sum(c.cancelled), 0) AS bigint) \
             FROM batches b LEFT JOIN batch_counts c ON c.batch = b.id \
             WHERE b.id = $1 AND b.tenant = $2 GROUP BY b.id, b.paused",
        );
        let key = [Value::id(&self.batch.0), Value::Text(self.tenant.as_str())];
        let Some(mut row) = tx.row(BATCH, &key).await? else { return Ok(None) };
        let paused = row.maybe_text("paused")?;
        let counts = BatchCounts {
            open: row.number("open")?,
            healthy: row.number("healthy")?,
            faulty: row.number("faulty")?,
            inconclusive: row.number("inconclusive")?,
            cancelled: row.number("cancelled")?,
        };
        Ok(Some((counts, paused)))
    }
}

pub(crate) struct PauseBatch {
    pub(crate) batch: BatchId,
    pub(crate) reason: Option<String>,
}

impl Work for PauseBatch {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupId>;
    const OPERATION: &'static str = "pause or resume a batch";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<GroupId>, Trouble> {
        const PAUSE: Statement = Statement::of("UPDATE batches SET paused = $2 WHERE id = $1");
        let id = Value::id(&self.batch.0);
        let reason = Value::maybe(self.reason.as_deref(), Value::Text);
        tx.run(PAUSE, &[id, reason]).await?;
        if self.reason.is_some() {
            return Ok(Vec::new());
        }
        tx.rows(READY_GROUPS, &[id]).await?.into_iter().map(|mut row| group_id(&mut row)).collect()
    }
}

/// Groups where a batch has waiting legs, at most 1,000: skips from one to the next in the
/// index, so that a batch's many legs of one group cost one look.
pub(crate) const READY_GROUPS: Statement = Statement {
    postgres: "WITH RECURSIVE found (zone, name) AS ( \
           (SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> '00000000-0000-0000-0000-000000000000' \
               AND batch = $1 ORDER BY zone, name LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name FROM found f, LATERAL ( \
             SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> '00000000-0000-0000-0000-000000000000' \
               AND batch = $1 AND (zone, name) > (f.zone, f.name) \
             ORDER BY zone, name LIMIT 1) n \
         ) SELECT zone, name FROM found LIMIT 1000",
    sqlite: Some(
        "WITH RECURSIVE found (zone, name) AS ( \
           SELECT * FROM (SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> x'00000000000000000000000000000000' \
               AND batch = $1 ORDER BY zone, name LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name FROM found f JOIN legs n ON n.rowid = coalesce( \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' \
               AND l.batch <> x'00000000000000000000000000000000' \
               AND l.batch = $1 AND l.zone = f.zone AND l.name > f.name \
               ORDER BY l.name LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' \
               AND l.batch <> x'00000000000000000000000000000000' \
               AND l.batch = $1 AND l.zone > f.zone ORDER BY l.zone, l.name LIMIT 1)) \
         ) SELECT zone, name FROM found LIMIT 1000",
    ),
};
