//! Why the items of a batch ended as they did, by domain and limit group.

use mailfleet_model::fleet::{BatchId, CauseCount};

use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;

pub(crate) struct Causes {
    pub(crate) batch: BatchId,
}

impl Work for Causes {
    type View = ();
    type Answer = ();
    type Output = Vec<CauseCount>;
    const OPERATION: &'static str = "sum up a batch";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const CAUSES: Statement = Statement::of(
            "SELECT domain, limit_group, code, count(*) FROM batch_items \
             WHERE batch = $1 AND code IS NOT NULL GROUP BY domain, limit_group, code \
             ORDER BY domain, limit_group, code",
        );
        let mut causes = Vec::new();
        for mut row in tx.rows(CAUSES, &[Value::id(&self.batch.0)]).await? {
            causes.push(CauseCount {
                domain: row.name("domain")?,
                group: row.maybe_text("limit_group")?,
                code: row.name("code")?,
                items: row.number("count")?,
            });
        }
        Ok(causes)
    }
}

pub(crate) struct Examples {
    pub(crate) batch: BatchId,
    pub(crate) cause: CauseCount,
    pub(crate) limit: u32,
}

impl Work for Examples {
    type View = ();
    type Answer = ();
    type Output = Vec<String>;
    const OPERATION: &'static str = "look for examples";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const EXAMPLES: Statement = Statement::of(
            "SELECT address FROM batch_items \
             WHERE batch = $1 AND domain = $2 AND coalesce(limit_group, '') = $3 AND code = $4 \
             ORDER BY position LIMIT $5",
        );
        let CauseCount { domain, group, code, .. } = &self.cause;
        let values = [
            Value::id(&self.batch.0),
            Value::Text(domain),
            Value::Text(group.as_deref().unwrap_or_default()),
            Value::Text(code.into()),
            Value::number(self.limit),
        ];
        let rows = tx.rows(EXAMPLES, &values).await?;
        rows.into_iter().map(|mut row| row.name("address")).collect()
    }
}
