//! A batch and its columns, and those of its items.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, BatchPause, BatchRecord, BatchSettings, ItemCounts, ItemRecord, PauseCause,
};

use crate::row::Row;
use crate::trouble::Trouble;

/// The columns that [`read`] takes, of a table `batches`.
macro_rules! batch_columns {
    () => {
        "id, tenant, display_name, state, class, max_open, canaries, stop_when, item_deadline, \
         deadline, created, started, ends, finished, pause_cause, paused, pause_since, \
         guard_since, traceparent"
    };
}
pub(crate) use batch_columns;

/// The columns that [`read_item`] takes, of a table `batch_items`.
macro_rules! item_columns {
    () => {
        "position, item_key, address, domain, state, job, redrives, verdict, code, limit_group, \
         finished"
    };
}
pub(crate) use item_columns;

/// Reads a batch. Its items are counted apart.
pub(crate) fn read(row: &mut Row) -> Result<BatchRecord, Trouble> {
    let (id, tenant) = (BatchId(row.id("id")?), row.name("tenant")?);
    let display_name = row.maybe_text("display_name")?.unwrap_or_default();
    let state = row.name("state")?;
    let settings = BatchSettings {
        class: row.name("class")?,
        max_open: row.number("max_open")?,
        canaries: row.number("canaries")?,
        stop_when: row.maybe_number("stop_when")?,
        item_deadline: row.span("item_deadline")?,
        deadline: row.span("deadline")?,
    };
    Ok(BatchRecord {
        id,
        tenant,
        display_name,
        state,
        settings,
        created: row.time("created")?,
        started: row.maybe_time("started")?,
        deadline: row.maybe_time("ends")?,
        finished: row.maybe_time("finished")?,
        pause: pause(row)?,
        guard_since: row.time("guard_since")?,
        traceparent: row.maybe_text("traceparent")?,
        counts: ItemCounts::default(),
    })
}

fn pause(row: &mut Row) -> Result<Option<BatchPause>, Trouble> {
    let cause: Option<PauseCause> = row.maybe_name("pause_cause")?;
    let (reason, since) = (row.maybe_text("paused")?, row.maybe_time("pause_since")?);
    Ok(match (cause, reason, since) {
        (Some(cause), Some(reason), Some(since)) => Some(BatchPause { cause, reason, since }),
        // One that the version before paused says only why.
        (_, _, _) => None,
    })
}

/// Reads an item.
pub(crate) fn read_item(row: &mut Row) -> Result<ItemRecord, Trouble> {
    Ok(ItemRecord {
        position: row.number("position")?,
        key: row.name("item_key")?,
        address: row.name("address")?,
        domain: row.name("domain")?,
        state: row.name("state")?,
        job: row.maybe_id("job")?.map(JobId),
        redrives: row.number("redrives")?,
        verdict: row.maybe_name("verdict")?,
        code: row.maybe_name("code")?,
        group: row.maybe_text("limit_group")?,
        finished: row.maybe_time("finished")?,
    })
}
