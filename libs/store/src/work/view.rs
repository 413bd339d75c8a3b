//! What the dispatch of a group looks at. Costs the same however many legs wait.
//!
//! Lanes are found by skipping through the index of waiting legs from one tenant, class
//! and batch to the next: a look for each of them, none for their legs. Of each lane that
//! is kept, the oldest legs are read. Legs of a paused batch lie in a stretch of the index
//! of their own, which is left out whole.

use std::collections::{BTreeMap, BTreeSet};

use futures::try_join;
use mailfleet_model::fleet::{
    GroupHolds, GroupId, GroupSettings, GroupView, JobClass, Lane, OutCount, ReadyLeg, TenantId,
    Timestamp,
};
use uuid::Uuid;

use crate::columns::group as columns;
use crate::columns::leg::{budget_columns, read_budget, read_id};
use crate::config::Defaults;
use crate::row::Row;
use crate::trouble::Trouble;
use crate::tx::{Statement, Tx};
use crate::value::Value;
use crate::work::group::{key, unset};

/// The first look at a group: its settings, what is out, and where legs wait.
pub(crate) struct Seen {
    now: Timestamp,
    settings: GroupSettings,
    out: OutCount,
    shard_out: OutCount,
    dispatched: Timestamp,
    holds: GroupHolds,
    pub(crate) stretches: Vec<Stretch>,
}

/// Takes the first look. The caller has asked for the group's lock before.
pub(crate) async fn see(
    tx: &impl Tx,
    group: &GroupId,
    defaults: &Defaults,
) -> Result<Seen, Trouble> {
    let of_group = key(group);
    let (row, stretches) = try_join!(tx.row(GROUP, &of_group), stretches(tx, group))?;
    let row = row.ok_or_else(|| Trouble::corrupt("no look at a group"))?;
    read_seen(row, group, defaults, stretches)
}

fn read_seen(
    mut row: Row,
    group: &GroupId,
    defaults: &Defaults,
    stretches: Vec<Stretch>,
) -> Result<Seen, Trouble> {
    let now = row.time("now")?;
    let out = OutCount { interactive: row.number("interactive")?, bulk: row.number("bulk")? };
    let shard_out =
        OutCount { interactive: row.number("shard_interactive")?, bulk: row.number("shard_bulk")? };
    let dispatched = row.time("dispatched")?;
    let holds = GroupHolds {
        paused: row.maybe_time("paused_since")?,
        window: row.maybe_time("full_since")?,
        bulk_window: row.maybe_time("bulk_full_since")?,
    };
    let settings = if row.flag("known")? {
        columns::read(&mut row, group.clone(), defaults)?
    } else {
        unset(group, defaults)
    };
    Ok(Seen { now, settings, out, shard_out, dispatched, holds, stretches })
}

/// Groups in which nobody waits, and which are locked without a wait; the others are left out.
pub(crate) async fn calm(
    tx: &impl Tx,
    groups: &BTreeSet<&GroupId>,
    defaults: &Defaults,
) -> Result<Vec<GroupView>, Trouble> {
    const LOCK: Statement = Statement::of(
        "SELECT shard FROM limit_groups WHERE zone = $1 AND name = $2 AND NOT EXISTS ( \
           SELECT 1 FROM legs l WHERE l.state = 'READY' AND l.zone = $1 AND l.name = $2) \
         FOR NO KEY UPDATE SKIP LOCKED",
    );
    let keys: Vec<_> = groups.iter().map(|group| key(group).to_vec()).collect();
    // In this order, but for a connection's first time, which prepares the statements: then the
    // window may be passed by a leg. It keeps queues short; the limit is its owner's to keep.
    let (locked, seen) = try_join!(tx.each(LOCK, &keys), tx.each(GROUP, &keys))?;
    let mut calm = Vec::new();
    for (group, (locked, seen)) in groups.iter().zip(locked.into_iter().zip(seen)) {
        if let (false, Some(row)) = (locked.is_empty(), seen.into_iter().next()) {
            let seen = read_seen(row, group, defaults, Vec::new())?;
            calm.push(seen.into_view(Vec::new()));
        }
    }
    Ok(calm)
}

/// Reads the rest of the view.
pub(crate) async fn read(tx: &impl Tx, seen: Seen) -> Result<GroupView, Trouble> {
    let mut seen = seen;
    let stretches = std::mem::take(&mut seen.stretches);
    let lanes = fill(tx, &seen.settings.group, keep(stretches)).await?;
    Ok(seen.into_view(lanes))
}

impl Seen {
    fn into_view(self, lanes: Vec<Lane>) -> GroupView {
        let Self { now, settings, out, shard_out, dispatched, holds, stretches: _ } = self;
        GroupView { now, settings, out, shard_out, dispatched, holds, lanes }
    }
}

/// One statement: each costs more than what it reads.
const GROUP: Statement = Statement::of(
    "SELECT mailfleet_now(), o.interactive, o.bulk, s.interactive, s.bulk, \
       coalesce(g.dispatched, 0), g.paused_since, g.full_since, g.bulk_full_since, \
       g.name IS NOT NULL, g.version, g.paused, g.concurrency, g.per_source, g.rate_logins, g.rate_per \
     FROM (SELECT count(*) FILTER (WHERE class = 'INTERACTIVE') AS interactive, \
         count(*) FILTER (WHERE class <> 'INTERACTIVE') AS bulk FROM legs \
         WHERE zone = $1 AND name = $2 AND state IN ('RELEASED', 'PUBLISHED')) o \
     CROSS JOIN (SELECT count(*) FILTER (WHERE class = 'INTERACTIVE') AS interactive, \
         count(*) FILTER (WHERE class <> 'INTERACTIVE') AS bulk FROM legs \
         WHERE zone = $1 AND state IN ('RELEASED', 'PUBLISHED') AND shard = ( \
           SELECT shard FROM limit_groups WHERE zone = $1 AND name = $2)) s \
     LEFT JOIN limit_groups g ON g.zone = $1 AND g.name = $2",
);

/// Waiting legs of one tenant, class and batch.
pub(crate) struct Stretch {
    class: JobClass,
    tenant: TenantId,
    batch: Uuid,
    served: u64,
}

/// Where legs of the group wait, paused batches left out.
async fn stretches(tx: &impl Tx, group: &GroupId) -> Result<Vec<Stretch>, Trouble> {
    let mut stretches = Vec::new();
    for mut row in tx.rows(STRETCHES, &key(group)).await? {
        stretches.push(Stretch {
            class: row.name("class")?,
            tenant: row.name("tenant")?,
            batch: row.id("batch")?,
            served: row.number("served")?,
        });
    }
    Ok(stretches)
}

const STRETCHES: Statement = Statement {
    postgres: "WITH RECURSIVE found (class, tenant, batch) AS ( \
           (SELECT class, tenant, batch FROM legs \
             WHERE state = 'READY' AND zone = $1 AND name = $2 \
             ORDER BY class, tenant, batch LIMIT 1) \
         UNION ALL \
           SELECT n.class, n.tenant, n.batch FROM found f, LATERAL ( \
             SELECT class, tenant, batch FROM legs \
             WHERE state = 'READY' AND zone = $1 AND name = $2 \
               AND (class, tenant, batch) > (f.class, f.tenant, f.batch) \
             ORDER BY class, tenant, batch LIMIT 1) n \
         ) \
         SELECT f.class, f.tenant, f.batch, coalesce(t.served, 0) FROM found f \
           LEFT JOIN turns t ON t.zone = $1 AND t.name = $2 \
             AND t.class = f.class AND t.tenant = f.tenant \
         WHERE NOT EXISTS ( \
           SELECT 1 FROM batches b WHERE b.id = f.batch AND b.paused IS NOT NULL)",
    // SQLite finds the place of a row value in an index, and then reads past all that equal
    // it; it steps over equal values of one column at once. So each column has its look.
    sqlite: Some(
        "WITH RECURSIVE found (class, tenant, batch) AS ( \
           SELECT * FROM (SELECT class, tenant, batch FROM legs \
             WHERE state = 'READY' AND zone = $1 AND name = $2 \
             ORDER BY class, tenant, batch LIMIT 1) \
         UNION ALL \
           SELECT n.class, n.tenant, n.batch FROM found f JOIN legs n ON n.rowid = coalesce( \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = $1 \
               AND l.name = $2 AND l.class = f.class AND l.tenant = f.tenant \
               AND l.batch > f.batch ORDER BY l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = $1 \
               AND l.name = $2 AND l.class = f.class AND l.tenant > f.tenant \
               ORDER BY l.tenant, l.batch LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' AND l.zone = $1 \
               AND l.name = $2 AND l.class > f.class \
               ORDER BY l.class, l.tenant, l.batch LIMIT 1)) \
         ) \
         SELECT f.class, f.tenant, f.batch, coalesce(t.served, 0) FROM found f \
           LEFT JOIN turns t ON t.zone = $1 AND t.name = $2 \
             AND t.class = f.class AND t.tenant = f.tenant \
         WHERE NOT EXISTS ( \
           SELECT 1 FROM batches b WHERE b.id = f.batch AND b.paused IS NOT NULL)",
    ),
};

/// A lane that is to be filled, with the batches that its legs belong to.
struct Empty {
    lane: Lane,
    batches: Vec<Uuid>,
}

/// The lanes of each class that were served longest ago.
fn keep(stretches: Vec<Stretch>) -> Vec<Empty> {
    let mut lanes: BTreeMap<(JobClass, u64, TenantId), Vec<Uuid>> = BTreeMap::new();
    for Stretch { class, tenant, batch, served } in stretches {
        lanes.entry((class, served, tenant)).or_default().push(batch);
    }
    let mut kept: BTreeMap<JobClass, usize> = BTreeMap::new();
    let mut empty = Vec::new();
    for ((class, served, tenant), batches) in lanes {
        let n_kept = kept.entry(class).or_default();
        if *n_kept < GroupView::LANES {
            *n_kept += 1;
            let lane = Lane { tenant, class, served, legs: Vec::new() };
            empty.push(Empty { lane, batches });
        }
    }
    empty
}

/// Reads the oldest legs of each lane.
async fn fill(tx: &impl Tx, group: &GroupId, empty: Vec<Empty>) -> Result<Vec<Lane>, Trouble> {
    let [zone, name] = key(group);
    let most = Value::number(u64::try_from(GroupView::LEGS).unwrap_or(u64::MAX));
    let mut keys = Vec::new();
    for Empty { lane, batches } in &empty {
        let (class, tenant) = (Value::Text(lane.class.into()), Value::Text(lane.tenant.as_str()));
        for batch in batches {
            keys.push(vec![zone, name, class, tenant, Value::id(batch), most]);
        }
    }
    let mut answers = tx.each(LEGS, &keys).await?.into_iter();
    drop(keys);
    let mut lanes = Vec::new();
    for Empty { mut lane, batches } in empty {
        for mut row in answers.by_ref().take(batches.len()).flatten() {
            let (id, since) = (read_id(&mut row)?, row.time("since")?);
            lane.legs.push(ReadyLeg { id, since, budget: read_budget(&mut row)? });
        }
        lane.legs.sort_by_key(|leg| (leg.since, leg.id));
        lane.legs.truncate(GroupView::LEGS);
        lanes.push(lane);
    }
    Ok(lanes)
}

const LEGS: Statement = Statement::of(concat!(
    "SELECT l.job, l.idx, l.since, ",
    budget_columns!(),
    " FROM legs l WHERE l.state = 'READY' AND l.zone = $1 AND l.name = $2 AND l.class = $3 \
     AND l.tenant = $4 AND l.batch = $5 ORDER BY l.since, l.job, l.idx LIMIT $6"
));
