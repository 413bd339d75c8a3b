//! Releases waiting legs of a group, under the lock of its row.

use std::collections::{BTreeMap, BTreeSet};

use futures::try_join;
use mailfleet_model::fleet::{
    GroupHolds, GroupId, GroupView, LegId, LegRecord, Release, Served, Timestamp,
};

use crate::columns::leg;
use crate::config::Defaults;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::group::key;
use crate::work::view;

pub(crate) struct ReleaseLegs {
    pub(crate) group: GroupId,
    pub(crate) defaults: Defaults,
}

impl Work for ReleaseLegs {
    type View = GroupView;
    type Answer = Release;
    type Output = (Vec<LegRecord>, Release);
    const OPERATION: &'static str = "release legs";
    const ACCESS: Access = Access::Change;

    async fn work(
        &self,
        tx: &impl Tx,
        decide: &impl Decide<GroupView, Release>,
    ) -> Result<Self::Output, Trouble> {
        let (is_locked, mut seen) =
            try_join!(lock(tx, &self.group), view::see(tx, &self.group, &self.defaults))?;
        if !is_locked {
            // What begins to wait just now wakes the group anew.
            seen.stretches.clear();
        }
        let view = view::read(tx, seen).await?;
        let (view, release) = decide.decide(view)?;
        let legs = write(tx, &self.group, &release.legs, view.now).await?;
        if is_locked {
            note(tx, &self.group, &release, view.now).await?;
        }
        Ok((legs, release))
    }
}

/// Locks the group against other dispatchers, not against submissions that refer to it; and only
/// where a leg waits, since a lock is written down, and costs a wait for the disk. Whether it
/// was locked.
async fn lock(tx: &impl Tx, group: &GroupId) -> Result<bool, Trouble> {
    const LOCK: Statement = Statement::of(
        "SELECT shard FROM limit_groups WHERE zone = $1 AND name = $2 AND EXISTS ( \
           SELECT 1 FROM legs l WHERE l.state = 'READY' AND l.zone = $1 AND l.name = $2) \
         FOR NO KEY UPDATE",
    );
    Ok(tx.row(LOCK, &key(group)).await?.is_some())
}

pub(crate) struct HasWaiting {
    pub(crate) group: GroupId,
}

impl Work for HasWaiting {
    type View = ();
    type Answer = ();
    type Output = bool;
    const OPERATION: &'static str = "see whether a leg waits";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<bool, Trouble> {
        const WAITS: Statement = Statement::of(
            "SELECT idx FROM legs WHERE state = 'READY' AND zone = $1 AND name = $2 LIMIT 1",
        );
        Ok(tx.row(WAITS, &key(&self.group)).await?.is_some())
    }
}

/// Marks the chosen legs that are still waiting; returns them in the order chosen.
async fn write(
    tx: &impl Tx,
    group: &GroupId,
    chosen: &[LegId],
    now: Timestamp,
) -> Result<Vec<LegRecord>, Trouble> {
    let [zone, name] = key(group);
    // By ascending id, as everybody locks legs.
    let ascending: BTreeSet<LegId> = chosen.iter().copied().collect();
    let keys: Vec<_> = ascending
        .iter()
        .map(|leg| {
            let id = [Value::id(&leg.job.0), Value::number(leg.index)];
            [&id[..], &[zone, name, Value::time(now)]].concat()
        })
        .collect();
    let mut released = BTreeMap::new();
    for mut row in tx.each(RELEASE, &keys).await?.into_iter().flatten() {
        let leg = leg::read(&mut row)?;
        released.insert(leg.id, leg);
    }
    Ok(chosen.iter().filter_map(|id| released.remove(id)).collect())
}

const RELEASE: Statement = Statement::of(concat!(
    "UPDATE legs SET state = 'RELEASED', dispatch = dispatch + 1, since = $5, \
       revision = revision + 1 \
     WHERE job = $1 AND idx = $2 AND state = 'READY' AND zone = $3 AND name = $4 RETURNING ",
    leg::leg_columns!()
));

/// Notes that the group was dispatched, what keeps its legs after that, and how far lanes were
/// served.
async fn note(
    tx: &impl Tx,
    group: &GroupId,
    release: &Release,
    now: Timestamp,
) -> Result<(), Trouble> {
    const DISPATCHED: Statement = Statement::of(
        "UPDATE limit_groups SET dispatched = $3, paused_since = $4, full_since = $5, \
           bulk_full_since = $6 WHERE zone = $1 AND name = $2",
    );
    const SERVED: Statement = Statement::of(
        "INSERT INTO turns (zone, name, class, tenant, served) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (zone, name, class, tenant) DO UPDATE SET served = excluded.served",
    );
    let [zone, name] = key(group);
    let turns: Vec<_> = release
        .turns
        .iter()
        .map(|Served { class, tenant, served }| {
            let lane = [Value::Text(class.into()), Value::Text(tenant.as_str())];
            [&[zone, name][..], &lane, &[Value::number(*served)]].concat()
        })
        .collect();
    let mut writes = Writes::default();
    writes.each(SERVED, turns);
    let GroupHolds { paused, window, bulk_window } = release.holds;
    let [paused, window, bulk] =
        [paused, window, bulk_window].map(|since| Value::maybe(since, Value::time));
    writes.once(DISPATCHED, vec![zone, name, Value::time(now), paused, window, bulk]);
    tx.finish(&writes).await
}
