//! How full groups are, for operators: any number of groups in one statement, without a lock.

use mailfleet_model::fleet::{GroupId, GroupOccupancy, GroupSettings};

use crate::columns::{group as columns, group_id};
use crate::config::Defaults;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;
use crate::work::group::{read_all, unset};

pub(crate) struct SetGroups {
    pub(crate) defaults: Defaults,
}

impl Work for SetGroups {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupSettings>;
    const OPERATION: &'static str = "read all settings";
    const ACCESS: Access = Access::Look;

    async fn work(
        &self,
        tx: &impl Tx,
        _: &impl Decide<(), ()>,
    ) -> Result<Vec<GroupSettings>, Trouble> {
        const SET: Statement = Statement::of(
            "SELECT zone, name, version, paused, concurrency, per_source, rate_logins, rate_per \
             FROM limit_groups WHERE 0 < version ORDER BY zone, name",
        );
        read_all(tx, SET, &[], &self.defaults).await
    }
}

pub(crate) struct Occupancy {
    pub(crate) groups: Vec<GroupId>,
    pub(crate) defaults: Defaults,
}

impl Work for Occupancy {
    type View = ();
    type Answer = ();
    type Output = Vec<GroupOccupancy>;
    const OPERATION: &'static str = "look how full groups are";
    const ACCESS: Access = Access::Look;

    async fn work(
        &self,
        tx: &impl Tx,
        _: &impl Decide<(), ()>,
    ) -> Result<Vec<GroupOccupancy>, Trouble> {
        let pairs = self.groups.iter().map(|group| [group.zone.as_str(), group.key.as_str()]);
        // The one kind of list that both databases take as a parameter.
        let wanted = serde_json::Value::from_iter(pairs.map(serde_json::Value::from_iter));
        let wanted = wanted.to_string();
        let most = Value::number(GroupOccupancy::MOST_WAITING);
        let mut found = Vec::new();
        for mut row in tx.rows(LOOK, &[Value::Text(&wanted), most]).await? {
            let group = group_id(&mut row)?;
            let (out, waiting) = (row.number("out")?, row.number("waiting")?);
            let settings = if row.flag("known")? {
                columns::read(&mut row, group, &self.defaults)?
            } else {
                unset(&group, &self.defaults)
            };
            found.push(GroupOccupancy { settings, out, waiting });
        }
        Ok(found)
    }
}

/// `$wanted`: zones and names of the groups, from `$1`. Legs of paused batches do not wait.
macro_rules! look {
    ($wanted:literal) => {
        concat!(
            "SELECT w.zone, w.name, \
               (SELECT count(*) FROM legs l WHERE l.zone = w.zone AND l.name = w.name \
                 AND l.state IN ('RELEASED', 'PUBLISHED')), \
               (SELECT count(*) FROM (SELECT 1 FROM legs l WHERE l.state = 'READY' \
                 AND l.zone = w.zone AND l.name = w.name AND NOT EXISTS ( \
                   SELECT 1 FROM batches b WHERE b.id = l.batch AND b.paused IS NOT NULL) \
                 LIMIT $2) AS counted), \
               g.name IS NOT NULL, g.version, g.paused, g.concurrency, g.per_source, \
               g.rate_logins, g.rate_per \
             FROM (",
            $wanted,
            ") w LEFT JOIN limit_groups g ON g.zone = w.zone AND g.name = w.name \
             ORDER BY w.zone, w.name"
        )
    };
}

const LOOK: Statement = Statement {
    postgres: look!(
        "SELECT j->>0 AS zone, j->>1 AS name \
         FROM json_array_elements(CAST(CAST($1 AS text) AS json)) AS j"
    ),
    sqlite: Some(look!("SELECT value->>0 AS zone, value->>1 AS name FROM json_each($1)")),
};
