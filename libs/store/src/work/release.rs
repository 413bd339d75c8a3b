//! Releases waiting legs of a group, under the lock of its row.

use std::collections::{BTreeMap, BTreeSet};

use mailfleet_model::fleet::{
    GroupId, GroupSettings, GroupView, JobClass, LegId, LegRecord, OutCount, Release, ShardIndex,
    TenantId, Timestamp,
};

use crate::columns::{group as columns, leg};
use crate::config::Defaults;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;
use crate::work::group::{key, unset};
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
        let Some(locked) = lock(tx, &self.group, &self.defaults).await? else {
            // No leg ever named this group.
            let (_, release) = decide.decide(nothing(unset(&self.group, &self.defaults)))?;
            return Ok((Vec::new(), release));
        };
        let view = view::read(tx, locked.settings, locked.shard).await?;
        let (view, release) = decide.decide(view)?;
        let legs = write(tx, &self.group, &release.legs, view.now).await?;
        note(tx, &self.group, &legs, locked.serial, view.now).await?;
        Ok((legs, release))
    }
}

struct Locked {
    settings: GroupSettings,
    shard: ShardIndex,
    serial: u64,
}

/// Locks the row against other dispatchers, not against submissions that refer to it.
async fn lock(
    tx: &impl Tx,
    group: &GroupId,
    defaults: &Defaults,
) -> Result<Option<Locked>, Trouble> {
    const LOCK: Statement = Statement::of(
        "SELECT shard, serial, version, paused, concurrency, per_source, rate_logins, rate_per \
         FROM limit_groups WHERE zone = $1 AND name = $2 FOR NO KEY UPDATE",
    );
    let Some(mut row) = tx.row(LOCK, &key(group)).await? else { return Ok(None) };
    let (shard, serial) = (ShardIndex(row.number("shard")?), row.number("serial")?);
    let settings = columns::read(&mut row, group.clone(), defaults)?;
    Ok(Some(Locked { settings, shard, serial }))
}

fn nothing(settings: GroupSettings) -> GroupView {
    GroupView {
        now: Timestamp::default(),
        settings,
        out: OutCount::default(),
        shard_out: OutCount::default(),
        lanes: Vec::new(),
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

/// Notes that the group was dispatched, and which lanes were served in which order.
async fn note(
    tx: &impl Tx,
    group: &GroupId,
    legs: &[LegRecord],
    serial: u64,
    now: Timestamp,
) -> Result<(), Trouble> {
    const DISPATCHED: Statement = Statement::of(
        "UPDATE limit_groups SET serial = $3, dispatched = $4 WHERE zone = $1 AND name = $2",
    );
    const SERVED: Statement = Statement::of(
        "INSERT INTO turns (zone, name, class, tenant, served) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (zone, name, class, tenant) DO UPDATE SET served = excluded.served",
    );
    let mut serial = serial;
    let mut served: BTreeMap<(JobClass, &TenantId), u64> = BTreeMap::new();
    for leg in legs {
        serial = serial.saturating_add(1);
        served.insert((leg.class, &leg.tenant), serial);
    }
    let [zone, name] = key(group);
    let turns: Vec<_> = served
        .iter()
        .map(|((class, tenant), served)| {
            let lane = [Value::Text(class.into()), Value::Text(tenant.as_str())];
            [&[zone, name][..], &lane, &[Value::number(*served)]].concat()
        })
        .collect();
    tx.each(SERVED, &turns).await?;
    tx.run(DISPATCHED, &[zone, name, Value::number(serial), Value::time(now)]).await.map(|_| ())
}
