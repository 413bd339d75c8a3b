//! Counts what the store holds, for operators.

use std::time::Duration;

use mailfleet_model::fleet::{Census, ItemState, JobClass, Recent};
use mailfleet_model::{FaultCode, Verdict};

use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;

pub(crate) struct Count;

impl Work for Count {
    type View = ();
    type Answer = ();
    type Output = Census;
    const OPERATION: &'static str = "count what is there";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Census, Trouble> {
        const OPEN: Statement =
            Statement::of("SELECT class, count(*) FROM jobs WHERE state = 'OPEN' GROUP BY class");
        // The counters of a batch move with its items.
        const ITEMS: Statement = Statement::of(
            "SELECT t.state, CAST(sum(t.items) AS bigint) FROM batches b \
             JOIN batch_tallies t ON t.batch = b.id \
             WHERE b.state IN ('RUNNING', 'PAUSED', 'CANCELLING') GROUP BY t.state",
        );
        const BATCHES: Statement = Statement::of(
            "SELECT state, count(*) FROM batches \
             WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING') GROUP BY state",
        );
        const READY: Statement = Statement::of("SELECT count(*) FROM legs WHERE state = 'READY'");
        const RELEASED: Statement = Statement::of(
            "SELECT count(*), coalesce((SELECT mailfleet_now()) - min(since), 0) FROM legs \
             WHERE state = 'RELEASED'",
        );
        let mut census = Census {
            open: CLASSES.map(|class| (class, 0)).to_vec(),
            items: ITEM_STATES.map(|state| (state, 0)).to_vec(),
            ..Census::default()
        };
        for mut row in tx.rows(OPEN, &[]).await? {
            let class: JobClass = row.name("class")?;
            let open = row.number("count")?;
            put(&mut census.open, class, open);
        }
        for mut row in tx.rows(ITEMS, &[]).await? {
            let state: ItemState = row.name("state")?;
            let items = row.number("items")?;
            put(&mut census.items, state, items);
        }
        for mut row in tx.rows(BATCHES, &[]).await? {
            census.batches.push((row.name("state")?, row.number("count")?));
        }
        if let Some(mut row) = tx.row(READY, &[]).await? {
            census.ready = row.number("count")?;
        }
        if let Some(mut row) = tx.row(RELEASED, &[]).await? {
            census.released = row.number("count")?;
            census.oldest = row.span("since")?;
        }
        Ok(census)
    }
}

/// Every class, every state: a gauge that was told once must come back to zero.
const CLASSES: [JobClass; 3] = [JobClass::Interactive, JobClass::Revalidation, JobClass::Sync];
const ITEM_STATES: [ItemState; 4] =
    [ItemState::Held, ItemState::Open, ItemState::Done, ItemState::Cancelled];

fn put<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = count,
        None => counts.push((key, count)),
    }
}

pub(crate) struct LookBack {
    pub(crate) window: Duration,
}

impl Work for LookBack {
    type View = ();
    type Answer = ();
    type Output = Recent;
    const OPERATION: &'static str = "count what has just ended";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Recent, Trouble> {
        const JOBS: Statement = Statement::of(
            "SELECT state, verdict, count(*) FROM jobs \
             WHERE state <> 'OPEN' AND finished > (SELECT mailfleet_now()) - $1 \
             GROUP BY state, verdict ORDER BY state, verdict",
        );
        const CODES: Statement = Statement::of(
            "SELECT l.end_code, count(*) FROM jobs j JOIN legs l ON l.job = j.id \
             WHERE j.state <> 'OPEN' AND j.finished > (SELECT mailfleet_now()) - $1 \
             GROUP BY l.end_code ORDER BY 2 DESC, 1",
        );
        // Moves with the jobs, so that nobody has to count them.
        const OPEN: Statement = Statement::of(
            "SELECT CAST(coalesce(sum(interactive + bulk), 0) AS bigint) AS open \
             FROM tenant_counts",
        );
        let window = [Value::span(self.window)];
        let mut recent = Recent::default();
        for mut row in tx.rows(JOBS, &window).await? {
            let state = row.name("state")?;
            let verdict: Option<Verdict> = row.maybe_name("verdict")?;
            recent.jobs.push((state, verdict, row.number("count")?));
        }
        for mut row in tx.rows(CODES, &window).await? {
            let code: Option<FaultCode> = row.maybe_name("end_code")?;
            recent.codes.push((code, row.number("count")?));
        }
        if let Some(mut row) = tx.row(OPEN, &[]).await? {
            recent.open = row.number("open")?;
        }
        Ok(recent)
    }
}
