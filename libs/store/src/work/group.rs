//! Settings of limit groups.

use std::collections::BTreeMap;

use mailfleet_model::fleet::{GroupId, GroupLimits, GroupSettings, ShardIndex, ZoneName};

use crate::columns::{group as columns, group_id};
use crate::config::Defaults;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;

/// Makes the rows of groups that were never met before. In one order, so that two
/// transactions that bring the same ones do not block each other.
pub(crate) fn know_all<'a>(
    writes: &mut Writes<'a>,
    groups: impl Iterator<Item = (&'a GroupId, ShardIndex)>,
) {
    const KNOW: Statement = Statement::of(
        "INSERT INTO limit_groups (zone, name, shard) VALUES ($1, $2, $3) \
         ON CONFLICT (zone, name) DO NOTHING",
    );
    let groups: BTreeMap<&GroupId, ShardIndex> = groups.collect();
    let rows = groups.into_iter().map(|(group, shard)| {
        let [zone, name] = key(group);
        vec![zone, name, Value::number(shard.0)]
    });
    writes.each(KNOW, rows.collect());
}

/// The values of `zone` and `name`.
pub(crate) fn key(group: &GroupId) -> [Value<'_>; 2] {
    [Value::Text(group.zone.as_str()), Value::Text(group.key.as_str())]
}

pub(crate) struct Group {
    pub(crate) group: GroupId,
    pub(crate) defaults: Defaults,
}

impl Work for Group {
    type View = ();
    type Answer = ();
    type Output = GroupSettings;
    const OPERATION: &'static str = "read a group's settings";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<GroupSettings, Trouble> {
        const GROUP: Statement = Statement::of(
            "SELECT version, paused, concurrency, per_source, rate_logins, rate_per \
             FROM limit_groups WHERE zone = $1 AND name = $2",
        );
        match tx.row(GROUP, &key(&self.group)).await? {
            Some(mut row) => columns::read(&mut row, self.group.clone(), &self.defaults),
            None => Ok(unset(&self.group, &self.defaults)),
        }
    }
}

/// The settings of a group without a row.
pub(crate) fn unset(group: &GroupId, defaults: &Defaults) -> GroupSettings {
    let limits = defaults.of(group);
    GroupSettings { group: group.clone(), limits, paused: false, version: 0 }
}

pub(crate) struct Groups {
    pub(crate) zone: ZoneName,
    pub(crate) shard: ShardIndex,
    pub(crate) defaults: Defaults,
}

impl Work for Groups {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupSettings>;
    const OPERATION: &'static str = "read a shard's settings";
    const ACCESS: Access = Access::Look;

    async fn work(
        &self,
        tx: &impl Tx,
        _: &impl Decide<(), ()>,
    ) -> Result<Vec<GroupSettings>, Trouble> {
        const GROUPS: Statement = Statement::of(
            "SELECT zone, name, version, paused, concurrency, per_source, rate_logins, rate_per \
             FROM limit_groups WHERE zone = $1 AND shard = $2 AND 0 < version \
             ORDER BY zone, name",
        );
        let key = [Value::Text(self.zone.as_str()), Value::number(self.shard.0)];
        read_all(tx, GROUPS, &key, &self.defaults).await
    }
}

/// The settings in all rows of a statement that gives `zone`, `name` and what
/// [`columns::read`] reads.
pub(crate) async fn read_all(
    tx: &impl Tx,
    statement: Statement,
    values: &[Value<'_>],
    defaults: &Defaults,
) -> Result<Vec<GroupSettings>, Trouble> {
    let rows = tx.rows(statement, values).await?;
    let read = |mut row| {
        let group = group_id(&mut row)?;
        columns::read(&mut row, group, defaults)
    };
    rows.into_iter().map(read).collect()
}

pub(crate) struct SetGroup {
    /// One group in several zones.
    pub(crate) groups: Vec<GroupId>,
    pub(crate) shard: ShardIndex,
    pub(crate) limits: GroupLimits,
    pub(crate) paused: bool,
}

impl Work for SetGroup {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupSettings>;
    const OPERATION: &'static str = "set a group";
    const ACCESS: Access = Access::Touch;

    async fn work(
        &self,
        tx: &impl Tx,
        _: &impl Decide<(), ()>,
    ) -> Result<Vec<GroupSettings>, Trouble> {
        const VERSION: Statement =
            Statement::of("SELECT version FROM limit_groups WHERE zone = $1 AND name = $2");
        const SET: Statement = Statement::of(
            "INSERT INTO limit_groups (zone, name, shard, paused, concurrency, per_source, \
               rate_logins, rate_per, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (zone, name) DO UPDATE SET shard = excluded.shard, \
               paused = excluded.paused, concurrency = excluded.concurrency, \
               per_source = excluded.per_source, rate_logins = excluded.rate_logins, \
               rate_per = excluded.rate_per, \
               version = CASE WHEN limit_groups.version < excluded.version \
                 THEN excluded.version ELSE limit_groups.version + 1 END \
             RETURNING version",
        );
        let mut next: u64 = 1;
        for group in &self.groups {
            if let Some(mut row) = tx.row(VERSION, &key(group)).await? {
                let known: u64 = row.number("version")?;
                next = next.max(known.saturating_add(1));
            }
        }
        // In one order, so that two who set the same group do not block each other.
        let mut written = BTreeMap::new();
        let groups: std::collections::BTreeSet<&GroupId> = self.groups.iter().collect();
        for group in groups {
            let [zone, name] = key(group);
            let start = [zone, name, Value::number(self.shard.0), Value::Flag(self.paused)];
            let values =
                [&start[..], &columns::values(&self.limits), &[Value::number(next)]].concat();
            let row = tx.row(SET, &values).await?;
            let mut row = row.ok_or_else(|| Trouble::corrupt("a group was not written"))?;
            written.insert(group, row.number("version")?);
        }
        let settings = |group: &GroupId| {
            let version = written.get(group).copied().unwrap_or(next);
            GroupSettings {
                group: group.clone(),
                limits: self.limits,
                paused: self.paused,
                version,
            }
        };
        Ok(self.groups.iter().map(settings).collect())
    }
}

pub(crate) struct SpreadGroups {
    pub(crate) zones: Vec<ZoneName>,
}

impl Work for SpreadGroups {
    type View = ();
    type Answer = ();
    type Output = ();
    const OPERATION: &'static str = "give zones the settings of groups";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<(), Trouble> {
        // Read once at the start of a gateway; groups with settings are few.
        const SPREAD: Statement = Statement::of(
            "INSERT INTO limit_groups (zone, name, shard, paused, concurrency, per_source, \
               rate_logins, rate_per, version) \
             SELECT $1, g.name, g.shard, g.paused, g.concurrency, g.per_source, g.rate_logins, \
               g.rate_per, g.version \
             FROM limit_groups g \
             WHERE 0 < g.version AND NOT EXISTS (SELECT 1 FROM limit_groups o \
               WHERE 0 < o.version AND o.name = g.name AND (g.version < o.version \
                 OR (g.version = o.version AND o.zone < g.zone))) \
             ORDER BY g.name \
             ON CONFLICT (zone, name) DO UPDATE SET shard = excluded.shard, \
               paused = excluded.paused, concurrency = excluded.concurrency, \
               per_source = excluded.per_source, rate_logins = excluded.rate_logins, \
               rate_per = excluded.rate_per, version = excluded.version \
             WHERE limit_groups.version < excluded.version",
        );
        let zones: std::collections::BTreeSet<&ZoneName> = self.zones.iter().collect();
        for zone in zones {
            tx.run(SPREAD, &[Value::Text(zone.as_str())]).await?;
        }
        Ok(())
    }
}
