//! The counters of tenants: moved in the transaction that changes a job, so
//! that they always equal the rows.

use std::collections::BTreeMap;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{JobClass, JobState, TenantId, Usage};

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
    pub(crate) state: JobState,
}

/// What is to be added to counters, gathered so that each row is touched once, and all
/// transactions touch them in the same order.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    tenants: BTreeMap<(TenantId, u64), [i64; 2]>,
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
    }
}

const TENANT: Statement = Statement::of(
    "INSERT INTO tenant_counts (tenant, slot, interactive, bulk) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (tenant, slot) DO UPDATE SET \
       interactive = tenant_counts.interactive + excluded.interactive, \
       bulk = tenant_counts.bulk + excluded.bulk",
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
    fn a_job_that_ends_is_not_counted_any_more() {
        let open = Counted {
            job: JobId(Uuid::from_u128(0x23)),
            tenant: "crm".parse().expect("a name"),
            class: JobClass::Revalidation,
            state: JobState::Open,
        };
        let done = Counted { state: JobState::Done, ..open.clone() };
        let mut counts = Counts::default();
        counts.remove(&open);
        counts.add(&done);
        assert_eq!(counts.tenants.get(&(open.tenant.clone(), 3)), Some(&[0, -1]));
    }
}
