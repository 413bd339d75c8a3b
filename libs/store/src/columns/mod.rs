//! Records and the columns that they are kept in, in both directions.

pub(crate) mod batch;
pub(crate) mod end;
pub(crate) mod group;
pub(crate) mod job;
pub(crate) mod leg;
pub(crate) mod notice;

use mailfleet_model::fleet::{BatchId, GroupId};
use uuid::Uuid;

use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// How many rows share the counters of a batch or tenant.
const SLOTS: u8 = 16;

/// The row of counters that a job moves: always the same one, so that what it added is
/// taken from there.
pub(crate) fn slot(job: &Uuid) -> u64 {
    let [.., last] = job.as_bytes();
    u64::from(last % SLOTS)
}

/// The row of counters that an item moves.
pub(crate) fn item_slot(position: u64) -> u64 {
    position % u64::from(SLOTS)
}

/// How a leg says which batch it belongs to.
pub(crate) fn batch_or_nil(batch: Option<&BatchId>) -> Value<'_> {
    const NIL: &Uuid = &Uuid::nil();
    Value::id(batch.map_or(NIL, |batch| &batch.0))
}

/// Reads `zone` and `name`.
pub(crate) fn group_id(row: &mut Row) -> Result<GroupId, Trouble> {
    let zone = row.name("zone")?;
    let key = mailfleet_model::fleet::GroupKey::new(row.name::<String>("name")?);
    let key = key.map_err(|_| Trouble::corrupt("name holds no group"))?;
    Ok(GroupId { zone, key })
}
