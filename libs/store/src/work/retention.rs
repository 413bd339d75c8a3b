//! Forgets what is old, and what a tenant wants gone.

use std::collections::BTreeMap;
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{Erased, TenantId};

use crate::columns::leg;
use crate::row::Row;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::counts::{Counted, Counts};

/// Items of a batch that are deleted in one transaction.
const ITEMS_AT_ONCE: u32 = 10_000;

pub(crate) struct Purge {
    pub(crate) age: Duration,
    pub(crate) limit: u32,
}

impl Work for Purge {
    type View = ();
    type Answer = ();
    type Output = u64;
    const OPERATION: &'static str = "delete old jobs";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<u64, Trouble> {
        const JOBS: Statement = Statement::of(
            "SELECT id, tenant, class, state FROM jobs \
             WHERE state <> 'OPEN' AND finished <= (SELECT mailfleet_now()) - $1 \
             ORDER BY finished LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        const REFUSALS: Statement = Statement::of(
            "SELECT job, idx FROM ledger WHERE at <= (SELECT mailfleet_now()) - $1 \
             ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        // A batch whose jobs are all gone counts nothing any more.
        const BATCHES: Statement = Statement::of(
            "SELECT id FROM batches b WHERE created <= (SELECT mailfleet_now()) - $1 \
               AND state IN ('UPLOADING', 'CANCELLED', 'DONE') \
               AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.batch = b.id) \
             ORDER BY created LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        let old = [Value::span(self.age), Value::number(self.limit)];
        let gone = delete_jobs(tx, tx.rows(JOBS, &old).await?).await?;
        delete_refusals(tx, tx.rows(REFUSALS, &old).await?).await?;
        delete_batches(tx, tx.rows(BATCHES, &old).await?).await?;
        Ok(gone)
    }
}

pub(crate) struct EraseTenant {
    pub(crate) tenant: TenantId,
    pub(crate) limit: u32,
}

impl Work for EraseTenant {
    type View = ();
    type Answer = ();
    type Output = Erased;
    const OPERATION: &'static str = "erase a tenant";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Erased, Trouble> {
        const JOBS: Statement = Statement::of(
            "SELECT id, tenant, class, state FROM jobs \
             WHERE tenant = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        const REFUSALS: Statement = Statement::of(
            "SELECT job, idx FROM ledger WHERE tenant = $1 \
             LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        const BATCHES: Statement = Statement::of(
            "SELECT id FROM batches b WHERE tenant = $1 \
               AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.batch = b.id) \
             LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        const TURNS: Statement = Statement::of("DELETE FROM turns WHERE tenant = $1");
        const COUNTS: Statement = Statement::of(
            "DELETE FROM tenant_counts WHERE tenant = $1 AND interactive = 0 AND bulk = 0",
        );
        const NOTICES: Statement = Statement::of("DELETE FROM notices WHERE tenant = $1");
        const LEFT: Statement = Statement::of(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE tenant = $1 LIMIT 1) a) \
               + (SELECT count(*) FROM (SELECT 1 FROM ledger WHERE tenant = $1 LIMIT 1) b) \
               + (SELECT count(*) FROM (SELECT 1 FROM batches WHERE tenant = $1 LIMIT 1) c)",
        );
        // What has not begun never will.
        const CANCEL: Statement = Statement::of(
            "UPDATE batches SET state = 'CANCELLED' WHERE tenant = $1 AND state <> 'CANCELLED'",
        );
        let tenant = Value::Text(self.tenant.as_str());
        tx.run(CANCEL, &[tenant]).await?;
        let some = [tenant, Value::number(self.limit)];
        delete_jobs(tx, tx.rows(JOBS, &some).await?).await?;
        delete_refusals(tx, tx.rows(REFUSALS, &some).await?).await?;
        delete_batches(tx, tx.rows(BATCHES, &some).await?).await?;
        tx.run(TURNS, &[tenant]).await?;
        tx.run(NOTICES, &[tenant]).await?;
        tx.run(COUNTS, &[tenant]).await?;
        let left = tx.row(LEFT, &[tenant]).await?;
        let left = left.map(|mut row| row.number::<u64>("left")).transpose()?;
        Ok(if left == Some(0) { Erased::Wholly } else { Erased::Partly })
    }
}

/// Deletes jobs that were found and locked, with their legs, and takes them out of the
/// counters; returns how many.
async fn delete_jobs(tx: &impl Tx, found: Vec<Row>) -> Result<u64, Trouble> {
    const DELETE: Statement = Statement::of("DELETE FROM jobs WHERE id = $1");
    let mut counts = Counts::default();
    let mut jobs = BTreeMap::new();
    for mut row in found {
        let job = Counted {
            job: JobId(row.id("id")?),
            tenant: row.name("tenant")?,
            class: row.name("class")?,
            state: row.name("state")?,
        };
        counts.remove(&job);
        jobs.insert(job.job, job);
    }
    let keys: Vec<_> = jobs.keys().map(|job| vec![Value::id(&job.0)]).collect();
    let deleted = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    let mut writes = Writes::default();
    writes.each(DELETE, keys);
    counts.write(&mut writes);
    tx.write(&writes).await?;
    Ok(deleted)
}

async fn delete_refusals(tx: &impl Tx, found: Vec<Row>) -> Result<(), Trouble> {
    const DELETE: Statement = Statement::of("DELETE FROM ledger WHERE job = $1 AND idx = $2");
    let mut legs = Vec::new();
    for mut row in found {
        legs.push(leg::read_id(&mut row)?);
    }
    legs.sort();
    let keys: Vec<_> =
        legs.iter().map(|leg| vec![Value::id(&leg.job.0), Value::number(leg.index)]).collect();
    tx.each(DELETE, &keys).await.map(|_| ())
}

/// Deletes batches that were found and locked. Of large ones only some items go at once, so
/// that no transaction takes longer than calls may: the next round goes on.
async fn delete_batches(tx: &impl Tx, found: Vec<Row>) -> Result<(), Trouble> {
    const LEGS: Statement = Statement::of(
        "DELETE FROM batch_legs WHERE batch = $1 AND position < $2 + ( \
           SELECT coalesce(min(position), 0) FROM batch_legs WHERE batch = $1)",
    );
    const ITEMS: Statement = Statement::of(
        "DELETE FROM batch_items WHERE batch = $1 AND position < $2 + ( \
           SELECT coalesce(min(position), 0) FROM batch_items WHERE batch = $1)",
    );
    const DELETE: Statement = Statement::of(
        "DELETE FROM batches WHERE id = $1 \
           AND NOT EXISTS (SELECT 1 FROM batch_items WHERE batch = $1)",
    );
    let mut batches = Vec::new();
    for mut row in found {
        batches.push(row.id("id")?);
    }
    batches.sort();
    let some = Value::number(ITEMS_AT_ONCE);
    let parts: Vec<_> = batches.iter().map(|batch| vec![Value::id(batch), some]).collect();
    tx.each(LEGS, &parts).await?;
    tx.each(ITEMS, &parts).await?;
    let keys: Vec<_> = batches.iter().map(|batch| vec![Value::id(batch)]).collect();
    tx.each(DELETE, &keys).await.map(|_| ())
}
