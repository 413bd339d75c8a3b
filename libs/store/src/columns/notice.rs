//! A notice and its columns.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{BatchId, BatchTurned, JobEnded, Notice, NoticeId, Subject, TenantId};
use uuid::Uuid;

use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// The columns that [`read`] takes, of a table `notices`.
macro_rules! notice_columns {
    () => {
        "id, serial, at, tenant, traceparent, job, batch, state, class, verdict, code, created, \
         pause_cause"
    };
}
pub(crate) use notice_columns;

/// The values of the columns from `tenant` to `pause_cause`.
pub(crate) fn values<'a>(
    tenant: &'a TenantId,
    traceparent: Option<&'a str>,
    subject: &'a Subject,
) -> Vec<Value<'a>> {
    let mut values = vec![Value::Text(tenant.as_str()), Value::maybe(traceparent, Value::Text)];
    values.extend(match subject {
        Subject::Job(JobEnded { job, class, state, verdict, code, batch, created }) => [
            Value::id(&job.0),
            Value::maybe(batch.as_ref(), |batch| Value::id(&batch.0)),
            Value::Text(state.into()),
            Value::Text(class.into()),
            Value::maybe(*verdict, |verdict| Value::Text(verdict.into())),
            Value::maybe(*code, |code| Value::Text(code.into())),
            Value::time(*created),
            Value::Null,
        ],
        Subject::Batch(BatchTurned { batch, state, pause }) => [
            Value::Null,
            Value::id(&batch.0),
            Value::Text(state.into()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::maybe(*pause, |pause| Value::Text(pause.into())),
        ],
    });
    values
}

/// Reads a notice that has its place.
pub(crate) fn read(row: &mut Row) -> Result<Notice, Trouble> {
    let (id, serial, at) = (NoticeId(row.id("id")?), row.number("serial")?, row.time("at")?);
    let (tenant, traceparent) = (row.name("tenant")?, row.maybe_text("traceparent")?);
    let subject = match (row.maybe_id("job")?, row.maybe_id("batch")?) {
        (Some(job), batch) => Subject::Job(job_ended(row, job, batch)?),
        (None, Some(batch)) => Subject::Batch(batch_turned(row, batch)?),
        (None, None) => return Err(Trouble::corrupt("a notice is about nothing")),
    };
    Ok(Notice { id, serial, at, tenant, traceparent, subject })
}

fn job_ended(row: &mut Row, job: Uuid, batch: Option<Uuid>) -> Result<JobEnded, Trouble> {
    Ok(JobEnded {
        job: JobId(job),
        batch: batch.map(BatchId),
        state: row.name("state")?,
        class: row.name("class")?,
        verdict: row.maybe_name("verdict")?,
        code: row.maybe_name("code")?,
        created: row.time("created")?,
    })
}

fn batch_turned(row: &mut Row, batch: Uuid) -> Result<BatchTurned, Trouble> {
    let state = row.name("state")?;
    for column in ["class", "verdict", "code", "created"] {
        if row.maybe_text(column)?.is_some() {
            return Err(Trouble::corrupt(format_args!("a batch's notice has a {column}")));
        }
    }
    Ok(BatchTurned { batch: BatchId(batch), state, pause: row.maybe_name("pause_cause")? })
}
