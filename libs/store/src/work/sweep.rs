//! The sweeps: what a crash, a lost message or a full shard left behind.
//!
//! Those that take rows pass over what others hold, so that each row goes to one gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{Dispatch, GroupId, LegId, LegRecord};

use crate::columns::leg::leg_columns;
use crate::columns::{group_id, leg};
use crate::row::Row;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;

pub(crate) struct Unpublished {
    pub(crate) age: Duration,
    pub(crate) limit: u32,
}

impl Work for Unpublished {
    type View = ();
    type Answer = ();
    type Output = Vec<LegRecord>;
    const OPERATION: &'static str = "look for legs to publish again";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<LegRecord>, Trouble> {
        const STALE: Statement = Statement::of(
            "SELECT job, idx FROM legs \
             WHERE state = 'RELEASED' AND since <= (SELECT mailfleet_now()) - $1 \
             ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        const TAKE: Statement = Statement::of(concat!(
            "UPDATE legs SET since = mailfleet_now(), revision = revision + 1 \
             WHERE job = $1 AND idx = $2 RETURNING ",
            leg_columns!()
        ));
        let values = [Value::span(self.age), Value::number(self.limit)];
        let stale = tx.rows(STALE, &values).await?;
        let rows = each_leg(tx, TAKE, stale).await?;
        rows.into_iter().map(|mut row| leg::read(&mut row)).collect()
    }
}

/// Runs a statement for each leg that was found and locked: by its key, so that no plan for
/// many rows is ever chosen.
async fn each_leg(
    tx: &impl Tx,
    statement: Statement,
    found: Vec<Row>,
) -> Result<Vec<Row>, Trouble> {
    let mut legs = Vec::new();
    for mut row in found {
        legs.push(leg::read_id(&mut row)?);
    }
    let keys: Vec<_> =
        legs.iter().map(|leg| vec![Value::id(&leg.job.0), Value::number(leg.index)]).collect();
    Ok(tx.each(statement, &keys).await?.into_iter().flatten().collect())
}

pub(crate) struct Overdue {
    pub(crate) grace: Duration,
    pub(crate) limit: u32,
}

impl Work for Overdue {
    type View = ();
    type Answer = ();
    type Output = Vec<(LegId, Dispatch)>;
    const OPERATION: &'static str = "look for overdue legs";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const OVERDUE: Statement = Statement::of(
            "SELECT job, idx, dispatch FROM legs \
             WHERE state = 'PUBLISHED' AND since + cap <= (SELECT mailfleet_now()) - $1 \
             ORDER BY since + cap LIMIT $2",
        );
        let values = [Value::span(self.grace), Value::number(self.limit)];
        let mut overdue = Vec::new();
        for mut row in tx.rows(OVERDUE, &values).await? {
            overdue.push((leg::read_id(&mut row)?, Dispatch(row.number("dispatch")?)));
        }
        Ok(overdue)
    }
}

pub(crate) struct Wake {
    pub(crate) limit: u32,
}

impl Work for Wake {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupId>;
    const OPERATION: &'static str = "wake snoozed legs";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<GroupId>, Trouble> {
        const DUE: Statement = Statement::of(
            "SELECT job, idx FROM legs \
             WHERE state = 'SNOOZED' AND coalesce(due, 0) <= (SELECT mailfleet_now()) \
             ORDER BY coalesce(due, 0) LIMIT $1 FOR UPDATE SKIP LOCKED",
        );
        const WAKE: Statement = Statement::of(
            "UPDATE legs SET state = 'READY', since = mailfleet_now(), due = NULL, \
               revision = revision + 1 \
             WHERE job = $1 AND idx = $2 RETURNING zone, name",
        );
        let due = tx.rows(DUE, &[Value::number(self.limit)]).await?;
        let mut groups = BTreeSet::new();
        for mut row in each_leg(tx, WAKE, due).await? {
            groups.insert(group_id(&mut row)?);
        }
        Ok(groups.into_iter().collect())
    }
}

pub(crate) struct Waiting {
    pub(crate) age: Duration,
    pub(crate) limit: u32,
}

impl Work for Waiting {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupId>;
    const OPERATION: &'static str = "look for waiting groups";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<GroupId>, Trouble> {
        let values = [Value::span(self.age), Value::number(self.limit)];
        let rows = tx.rows(WAITING, &values).await?;
        rows.into_iter().map(|mut row| group_id(&mut row)).collect()
    }
}

/// Skips through the index of waiting legs as dispatch does, over all groups. A clock that
/// was set back must not hide a group, hence the last line but one.
const WAITING: Statement = Statement {
    postgres: "WITH RECURSIVE found (zone, name, class, tenant, batch) AS ( \
           (SELECT zone, name, class, tenant, batch FROM legs WHERE state = 'READY' \
             ORDER BY zone, name, class, tenant, batch LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name, n.class, n.tenant, n.batch FROM found f, LATERAL ( \
             SELECT zone, name, class, tenant, batch FROM legs WHERE state = 'READY' \
               AND (zone, name, class, tenant, batch) \
                 > (f.zone, f.name, f.class, f.tenant, f.batch) \
             ORDER BY zone, name, class, tenant, batch LIMIT 1) n \
         ), waiting AS (SELECT DISTINCT f.zone, f.name FROM found f WHERE NOT EXISTS ( \
           SELECT 1 FROM batches b WHERE b.id = f.batch AND b.paused IS NOT NULL)) \
         SELECT g.zone, g.name FROM waiting w JOIN limit_groups g \
           ON g.zone = w.zone AND g.name = w.name \
         WHERE g.dispatched <= (SELECT mailfleet_now()) - $1 \
           OR (SELECT mailfleet_now()) < g.dispatched \
         ORDER BY g.dispatched LIMIT $2",
    sqlite: Some(
        "WITH RECURSIVE found (zone, name, class, tenant, batch) AS ( \
           SELECT * FROM (SELECT zone, name, class, tenant, batch FROM legs \
             WHERE state = 'READY' ORDER BY zone, name, class, tenant, batch LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name, n.class, n.tenant, n.batch \
           FROM found f JOIN legs n ON n.rowid = coalesce( \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = f.zone \
               AND l.name = f.name AND l.class = f.class AND l.tenant = f.tenant \
               AND l.batch > f.batch ORDER BY l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = f.zone \
               AND l.name = f.name AND l.class = f.class AND l.tenant > f.tenant \
               ORDER BY l.tenant, l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = f.zone \
               AND l.name = f.name AND l.class > f.class \
               ORDER BY l.class, l.tenant, l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = f.zone \
               AND l.name > f.name ORDER BY l.name, l.class, l.tenant, l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone > f.zone \
               ORDER BY l.zone, l.name, l.class, l.tenant, l.batch LIMIT 1)) \
         ), waiting AS (SELECT DISTINCT f.zone, f.name FROM found f WHERE NOT EXISTS ( \
           SELECT 1 FROM batches b WHERE b.id = f.batch AND b.paused IS NOT NULL)) \
         SELECT g.zone, g.name FROM waiting w JOIN limit_groups g \
           ON g.zone = w.zone AND g.name = w.name \
         WHERE g.dispatched <= (SELECT mailfleet_now()) - $1 \
           OR (SELECT mailfleet_now()) < g.dispatched \
         ORDER BY g.dispatched LIMIT $2",
    ),
};

pub(crate) struct Expired {
    pub(crate) limit: u32,
}

impl Work for Expired {
    type View = ();
    type Answer = ();
    type Output = Vec<JobId>;
    const OPERATION: &'static str = "look for jobs past their deadline";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<JobId>, Trouble> {
        const EXPIRED: Statement = Statement::of(
            "SELECT id FROM jobs j \
             WHERE state = 'OPEN' AND deadline <= (SELECT mailfleet_now()) \
               AND NOT EXISTS ( \
                 SELECT 1 FROM batches b WHERE b.id = j.batch AND b.paused IS NOT NULL) \
             ORDER BY deadline LIMIT $1",
        );
        let rows = tx.rows(EXPIRED, &[Value::number(self.limit)]).await?;
        rows.into_iter().map(|mut row| Ok(JobId(row.id("id")?))).collect()
    }
}

pub(crate) struct RecallAll;

impl Work for RecallAll {
    type View = ();
    type Answer = ();
    type Output = u64;
    const OPERATION: &'static str = "recall what was out";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<u64, Trouble> {
        const RECALL: Statement = Statement::of(
            "UPDATE legs SET state = 'READY', since = mailfleet_now(), revision = revision + 1 \
             WHERE state IN ('RELEASED', 'PUBLISHED')",
        );
        tx.run(RECALL, &[]).await
    }
}
