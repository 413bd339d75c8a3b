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
        let mut groups = Vec::new();
        for mut row in tx.rows(GROUPS, &key).await? {
            let group = group_id(&mut row)?;
            groups.push(columns::read(&mut row, group, &self.defaults)?);
        }
        Ok(groups)
    }
}

pub(crate) struct SetGroup {
    pub(crate) group: GroupId,
    pub(crate) shard: ShardIndex,
    pub(crate) limits: GroupLimits,
    pub(crate) paused: bool,
}

impl Work for SetGroup {
    type View = ();
    type Answer = ();
    type Output = GroupSettings;
    const OPERATION: &'static str = "set a group";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<GroupSettings, Trouble> {
        const SET: Statement = Statement::of(
            "INSERT INTO limit_groups (zone, name, shard, paused, concurrency, per_source, \
               rate_logins, rate_per, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1) \
             ON CONFLICT (zone, name) DO UPDATE SET shard = excluded.shard, \
               paused = excluded.paused, concurrency = excluded.concurrency, \
               per_source = excluded.per_source, rate_logins = excluded.rate_logins, \
               rate_per = excluded.rate_per, version = limit_groups.version + 1 \
             RETURNING version",
        );
        let [zone, name] = key(&self.group);
        let start = [zone, name, Value::number(self.shard.0), Value::Flag(self.paused)];
        let values = [&start[..], &columns::values(&self.limits)].concat();
        let row = tx.row(SET, &values).await?;
        let mut row = row.ok_or_else(|| Trouble::corrupt("a group was not written"))?;
        let version = row.number("version")?;
        let group = self.group.clone();
        Ok(GroupSettings { group, limits: self.limits, paused: self.paused, version })
    }
}
