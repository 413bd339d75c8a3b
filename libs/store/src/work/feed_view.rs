//! What feeding a batch looks at. Costs the same however many items are held.
//!
//! Domains with held items are found by skipping through their index from one to the next,
//! beginning after the one that was looked at last.

use mailfleet_model::fleet::{BatchRecord, BatchState, BatchView, DomainView, HeldItem, LoginTag};

use crate::trouble::Trouble;
use crate::tx::{Statement, Tx};
use crate::value::Value;

/// What is around a batch's own row.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) refusals: u32,
    pub(crate) domains: Vec<DomainView>,
    /// Where the next look begins; `None`: as it was.
    pub(crate) next: Option<String>,
    pub(crate) more: bool,
}

/// Reads it. The caller holds the batch's lock.
pub(crate) async fn around(
    tx: &impl Tx,
    batch: &BatchRecord,
    fed: &str,
) -> Result<Around, Trouble> {
    if batch.state != BatchState::Running {
        return Ok(Around::default());
    }
    let refusals = refusals(tx, batch).await?;
    let full = u64::from(batch.settings.max_open) <= batch.counts.open;
    if batch.counts.held == 0 || full {
        return Ok(Around { refusals, ..Around::default() });
    }
    let mut names = names(tx, batch, fed).await?;
    let more = BatchView::DOMAINS < names.len();
    names.truncate(BatchView::DOMAINS);
    // Behind the last domain comes the first one.
    let next = names.last().filter(|_| more).cloned().unwrap_or_default();
    let domains = domains(tx, batch, &names).await?;
    Ok(Around { refusals, domains, next: Some(next), more })
}

/// How many of the last logins in a row were refused for good.
async fn refusals(tx: &impl Tx, batch: &BatchRecord) -> Result<u32, Trouble> {
    const LAST: Statement = Statement::of(
        "SELECT answer FROM batch_items WHERE batch = $1 \
           AND answer IN ('ACCEPTED', 'REFUSED_DEFINITIVELY') AND finished > $2 \
         ORDER BY finished DESC LIMIT $3",
    );
    let Some(most) = batch.settings.stop_when else { return Ok(0) };
    let values = [Value::id(&batch.id.0), Value::time(batch.guard_since), Value::number(most)];
    let mut run = 0_u32;
    for mut row in tx.rows(LAST, &values).await? {
        if row.maybe_text("answer")?.as_deref() != Some("REFUSED_DEFINITIVELY") {
            break;
        }
        run = run.saturating_add(1);
    }
    Ok(run)
}

/// Domains with held items, one more than fit.
async fn names(tx: &impl Tx, batch: &BatchRecord, fed: &str) -> Result<Vec<String>, Trouble> {
    const NAMES: Statement = Statement::of(
        "WITH RECURSIVE found (domain) AS ( \
           SELECT (SELECT min(domain) FROM batch_items \
             WHERE state = 'HELD' AND batch = $1 AND domain > $2) \
         UNION ALL \
           SELECT (SELECT min(domain) FROM batch_items \
             WHERE state = 'HELD' AND batch = $1 AND domain > f.domain) \
           FROM found f WHERE f.domain IS NOT NULL \
         ) SELECT domain FROM found WHERE domain IS NOT NULL LIMIT $3",
    );
    let most = u64::try_from(BatchView::DOMAINS).unwrap_or(u64::MAX).saturating_add(1);
    let values = [Value::id(&batch.id.0), Value::Text(fed), Value::number(most)];
    let mut names = Vec::new();
    for mut row in tx.rows(NAMES, &values).await? {
        names.push(row.name("domain")?);
    }
    Ok(names)
}

async fn domains(
    tx: &impl Tx,
    batch: &BatchRecord,
    names: &[String],
) -> Result<Vec<DomainView>, Trouble> {
    const DOMAIN: Statement = Statement::of(
        "SELECT \
           (SELECT count(*) FROM batch_items WHERE batch = $1 AND domain = $2 AND state = 'OPEN'), \
           (SELECT count(*) FROM (SELECT 1 FROM batch_items WHERE batch = $1 AND domain = $2 \
             AND answer IS NOT NULL AND answer = 'REFUSED_DEFINITIVELY' LIMIT $3) r), \
           (SELECT count(*) FROM (SELECT 1 FROM batch_items WHERE batch = $1 AND domain = $2 \
             AND answer IS NOT NULL AND answer < 'REFUSED_DEFINITIVELY' LIMIT 1) a) \
           + (SELECT count(*) FROM (SELECT 1 FROM batch_items WHERE batch = $1 AND domain = $2 \
             AND answer IS NOT NULL AND answer > 'REFUSED_DEFINITIVELY' LIMIT 1) b)",
    );
    const HELD: Statement = Statement::of(
        "SELECT i.position, i.login FROM batch_items i \
         WHERE i.batch = $1 AND i.domain = $2 AND i.state = 'HELD' AND NOT EXISTS ( \
           SELECT 1 FROM batch_items o WHERE o.state = 'OPEN' AND o.login = i.login) \
         ORDER BY i.position LIMIT $3",
    );
    let id = Value::id(&batch.id.0);
    let with = |limit: u32| {
        let row = move |name| vec![id, Value::Text(name), Value::number(limit)];
        names.iter().map(move |name| row(name.as_str())).collect::<Vec<_>>()
    };
    let (known, held) = (with(batch.settings.canaries), with(BatchView::OPEN));
    let known = tx.each(DOMAIN, &known).await?;
    let held = tx.each(HELD, &held).await?;
    let mut domains = Vec::new();
    for (known, rows) in known.into_iter().zip(held) {
        let known = known.into_iter().next();
        let mut known = known.ok_or_else(|| Trouble::corrupt("a count has no row"))?;
        let (open, refused) = (known.number("open")?, known.number("refused")?);
        let proven = 0 < known.number::<u64>("proven")?;
        let mut held = Vec::new();
        for mut row in rows {
            let (position, login) = (row.number("position")?, row.array("login")?);
            held.push(HeldItem { position, login: LoginTag(login) });
        }
        domains.push(DomainView { open, refused, proven, held });
    }
    Ok(domains)
}
