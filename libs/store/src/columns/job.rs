//! A job and its columns.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{BatchId, JobRecord, Payload};

use crate::row::Row;
use crate::trouble::Trouble;

/// The columns that [`read`] takes, of a table `jobs j`: write them out with
/// `job_columns!`.
macro_rules! job_columns {
    ($report:literal) => {
        concat!(
            "j.id, j.tenant, j.class, j.batch, j.state, j.revision, j.created, j.deadline, ",
            "j.finished, j.verdict, j.traceparent, j.payload, ",
            $report
        )
    };
}
pub(crate) use job_columns;

/// Reads a job. Its version lacks the changes that its legs counted.
pub(crate) fn read(row: &mut Row) -> Result<JobRecord, Trouble> {
    Ok(JobRecord {
        id: JobId(row.id("id")?),
        tenant: row.name("tenant")?,
        class: row.name("class")?,
        batch: row.maybe_id("batch")?.map(BatchId),
        state: row.name("state")?,
        version: row.number("revision")?,
        created: row.time("created")?,
        deadline: row.time("deadline")?,
        finished: row.maybe_time("finished")?,
        verdict: row.maybe_name("verdict")?,
        traceparent: row.maybe_text("traceparent")?,
        payload: Payload(row.bytes("payload")?),
        report: row.maybe_bytes("report")?.map(Payload),
    })
}
