//! The counters of batches and tenants: moved in the transaction that changes a job, so
//! that they always equal the rows.

use std::collections::BTreeMap;

use mailfleet_model::fleet::{BatchId, JobClass, JobState, TenantId, Usage};
use mailfleet_model::{JobId, Verdict};

use crate::columns::slot;
use crate::trouble::Trouble;
use crate::tx::{Statement, Tx, Writes};
use crate::value::Value;

/// Everything that the counters of one job depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) job: JobId,
    pub(crate) tenant: TenantId,
    pub(crate) class: JobClass,
    pub(crate) batch: Option<BatchId>,
    pub(crate) state: JobState,
    pub(crate) verdict: Option<Verdict>,
}

/// What is to be added to counters, gathered so that each row is touched once, and all
/// transactions touch them in the same order.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    tenants: BTreeMap<(TenantId, u64), [i64; 2]>,
    batches: BTreeMap<(BatchId, u64), [i64; 5]>,
}

impl Counts {
    /// The job is there now.
    pub(crate) fn add(&mut self, job: &Counted) {
        self.shift(job, 1);
    }

    /// The job is gone, or is not what it was.
    pub(crate) fn remove(&mut self, job: &Counted) {
        self.shift(job, -1);
    }

    fn shift(&mut self, job: &Counted, by: i64) {
        let slot = slot(&job.job.0);
        if job.state == JobState::Open {
            let row = self.tenants.entry((job.tenant.clone(), slot)).or_default();
            let [interactive, bulk] = row;
            *(if job.class.is_bulk() { bulk } else { interactive }) += by;
        }
        if let Some(batch) = job.batch {
            let row = self.batches.entry((batch, slot)).or_default();
            let [open, healthy, faulty, inconclusive, cancelled] = row;
            *match (job.state, job.verdict) {
                (JobState::Open, _) => open,
                (JobState::Cancelled, _) => cancelled,
                (JobState::Done, Some(Verdict::Healthy)) => healthy,
                (JobState::Done, Some(Verdict::Faulty)) => faulty,
                (JobState::Done, Some(Verdict::Inconclusive) | None) => inconclusive,
            } += by;
        }
    }

    /// Writes what has changed.
    pub(crate) fn write<'a>(&'a self, writes: &mut Writes<'a>) {
        let tenants = self.tenants.iter().filter(|(_, by)| by.iter().any(|n| *n != 0));
        let tenants: Vec<_> = tenants
            .map(|((tenant, slot), [interactive, bulk])| {
                let key = [Value::Text(tenant.as_str()), Value::number(*slot)];
                [&key[..], &[Value::Int(*interactive), Value::Int(*bulk)]].concat()
            })
            .collect();
        writes.each(TENANT, tenants);
        let batches = self.batches.iter().filter(|(_, by)| by.iter().any(|n| *n != 0));
        let batches: Vec<_> = batches
            .map(|((batch, slot), by)| {
                let key = [Value::id(&batch.0), Value::number(*slot)];
                [&key[..], &by.map(Value::Int)].concat()
            })
            .collect();
        writes.each(BATCH, batches);
    }
}

const TENANT: Statement = Statement::of(
    "INSERT INTO tenant_counts (tenant, slot, interactive, bulk) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (tenant, slot) DO UPDATE SET \
       interactive = tenant_counts.interactive + excluded.interactive, \
       bulk = tenant_counts.bulk + excluded.bulk",
);

const BATCH: Statement = Statement::of(
    "INSERT INTO batch_counts (batch, slot, open, healthy, faulty, inconclusive, cancelled) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (batch, slot) DO UPDATE SET \
       open = batch_counts.open + excluded.open, \
       healthy = batch_counts.healthy + excluded.healthy, \
       faulty = batch_counts.faulty + excluded.faulty, \
       inconclusive = batch_counts.inconclusive + excluded.inconclusive, \
       cancelled = batch_counts.cancelled + excluded.cancelled",
);

/// What a tenant uses.
pub(crate) async fn usage(tx: &impl Tx, tenant: &TenantId) -> Result<Usage, Trouble> {
    const USAGE: Statement = Statement::of(
        "SELECT CAST(coalesce(sum(interactive), 0) AS bigint), \
                CAST(coalesce(sum(bulk), 0) AS bigint) \
         FROM tenant_counts WHERE tenant = $1",
    );
    let row = tx.row(USAGE, &[Value::Text(tenant.as_str())]).await?;
    let mut row = row.ok_or_else(|| Trouble::corrupt("a sum has no row"))?;
    Ok(Usage { interactive: row.number("interactive")?, bulk: row.number("bulk")? })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_job_that_ends_moves_from_one_counter_to_another() {
        let batch = BatchId(Uuid::from_u128(1));
        let open = Counted {
            job: JobId(Uuid::from_u128(0x23)),
            tenant: "crm".parse().expect("a name"),
            class: JobClass::Revalidation,
            batch: Some(batch),
            state: JobState::Open,
            verdict: None,
        };
        let done =
            Counted { state: JobState::Done, verdict: Some(Verdict::Faulty), ..open.clone() };
        let mut counts = Counts::default();
        counts.remove(&open);
        counts.add(&done);
        assert_eq!(counts.batches.get(&(batch, 3)), Some(&[-1, 0, 1, 0, 0]));
        assert_eq!(counts.tenants.get(&(open.tenant.clone(), 3)), Some(&[0, -1]));
    }
}
