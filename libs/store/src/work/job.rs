//! Reads jobs: one whole, many in a list, and what watchers compare.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    JobClass, JobFilter, JobPage, JobRecord, JobState, JobView, LegView, TenantId, Usage,
};
use strum::IntoEnumIterator;

use crate::columns::job::{self as columns, job_columns};
use crate::columns::leg::{self, budget_columns, leg_columns};
use crate::row::Row;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;
use crate::work::counts;

const LEGS: &str = concat!(
    "SELECT ",
    leg_columns!(),
    ", ",
    budget_columns!(),
    ", revision FROM legs l WHERE job = $1 ORDER BY idx"
);

/// Locks a job, then its legs, and reads both.
pub(crate) async fn lock(tx: &impl Tx, job: JobId) -> Result<Option<JobView>, Trouble> {
    const JOB: Statement = Statement::of(concat!(
        "SELECT ",
        job_columns!("j.report"),
        " FROM jobs j WHERE j.id = $1 FOR UPDATE"
    ));
    const LOCKED_LEGS: Statement = Statement::of(concat!(
        "SELECT ",
        leg_columns!(),
        ", ",
        budget_columns!(),
        ", revision FROM legs l WHERE job = $1 ORDER BY idx FOR UPDATE OF l"
    ));
    let id = [Value::id(&job.0)];
    let (job, legs, now) =
        futures::try_join!(tx.row(JOB, &id), tx.rows(LOCKED_LEGS, &id), tx.now())?;
    job.map(|job| view(job, legs, now)).transpose()
}

pub(crate) struct Job {
    pub(crate) tenant: TenantId,
    pub(crate) job: JobId,
}

impl Work for Job {
    type View = ();
    type Answer = ();
    type Output = Option<JobView>;
    const OPERATION: &'static str = "read a job";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const JOB: Statement = Statement::of(concat!(
            "SELECT ",
            job_columns!("j.report"),
            " FROM jobs j WHERE j.id = $1 AND j.tenant = $2"
        ));
        let key = [Value::id(&self.job.0), Value::Text(self.tenant.as_str())];
        let id = [Value::id(&self.job.0)];
        let (job, legs, now) =
            futures::try_join!(tx.row(JOB, &key), tx.rows(Statement::of(LEGS), &id), tx.now(),)?;
        job.map(|job| view(job, legs, now)).transpose()
    }
}

pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) job: JobId,
}

impl Work for Record {
    type View = ();
    type Answer = ();
    type Output = Option<JobRecord>;
    const OPERATION: &'static str = "read a job's row";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const RECORD: Statement = Statement::of(concat!(
            "SELECT ",
            job_columns!("j.report"),
            ", (SELECT CAST(coalesce(sum(l.revision), 0) AS bigint) FROM legs l \
                 WHERE l.job = j.id) \
             FROM jobs j WHERE j.id = $1 AND j.tenant = $2"
        ));
        let key = [Value::id(&self.job.0), Value::Text(self.tenant.as_str())];
        tx.row(RECORD, &key).await?.map(whole).transpose()
    }
}

/// A job whose row ends with what its legs counted.
fn whole(mut row: Row) -> Result<JobRecord, Trouble> {
    let mut job = columns::read(&mut row)?;
    job.version = job.version.saturating_add(row.number("revision")?);
    Ok(job)
}

fn view(
    mut job: Row,
    rows: Vec<Row>,
    now: mailfleet_model::fleet::Timestamp,
) -> Result<JobView, Trouble> {
    let mut job = columns::read(&mut job)?;
    let mut legs = Vec::new();
    for (index, mut row) in rows.into_iter().enumerate() {
        let leg = leg::read(&mut row)?;
        if usize::from(leg.id.index) != index {
            return Err(Trouble::corrupt("a job lacks a leg"));
        }
        let budget = leg::read_budget(&mut row)?;
        job.version = job.version.saturating_add(row.number("revision")?);
        legs.push(LegView { leg, budget });
    }
    Ok(JobView { now, job, legs })
}

pub(crate) struct Jobs {
    pub(crate) tenant: TenantId,
    pub(crate) filter: JobFilter,
    pub(crate) from: Option<JobId>,
    pub(crate) limit: u32,
}

/// What all lists begin with. Reports, which may be large, stay where they are.
macro_rules! page {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            job_columns!("NULL"),
            ", (SELECT CAST(coalesce(sum(l.revision), 0) AS bigint) FROM legs l \
                 WHERE l.job = j.id) \
             FROM jobs j WHERE j.tenant = $1 AND j.id < $2 \
               AND j.state IN ($3, $4, $5) AND j.class IN ($6, $7, $8) ",
            $rest
        )
    };
}

impl Work for Jobs {
    type View = ();
    type Answer = ();
    type Output = JobPage;
    const OPERATION: &'static str = "list jobs";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<JobPage, Trouble> {
        const ALL: Statement = Statement::of(page!("ORDER BY j.id DESC LIMIT $9"));
        const OF_BATCH: Statement =
            Statement::of(page!("AND j.batch = $10 ORDER BY j.id DESC LIMIT $9"));
        // No version of UUID is all ones.
        let from = self.from.map_or(uuid::Uuid::max(), |job| job.0);
        let mut values = vec![Value::Text(self.tenant.as_str()), Value::id(&from)];
        values.extend(names::<JobState>(&self.filter.states));
        values.extend(names::<JobClass>(&self.filter.classes));
        // One more than asked for: whether there is a next page.
        values.push(Value::number(u64::from(self.limit) + 1));
        let statement = match &self.filter.batch {
            None => ALL,
            Some(batch) => {
                values.push(Value::id(&batch.0));
                OF_BATCH
            }
        };
        let mut jobs = Vec::new();
        for row in tx.rows(statement, &values).await? {
            jobs.push(whole(row)?);
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = limit < jobs.len();
        jobs.truncate(limit);
        let next = jobs.last().filter(|_| has_more).map(|job| job.id);
        Ok(JobPage { jobs, next })
    }
}

/// Three names: those that are asked for, repeated as needed; all of them if none is.
fn names<T: IntoEnumIterator + Copy + Into<&'static str>>(asked: &[T]) -> [Value<'static>; 3] {
    let all: Vec<T> = if asked.is_empty() { T::iter().collect() } else { asked.to_vec() };
    let mut names = all.iter().cycle().map(|name| Value::Text((*name).into()));
    [(); 3].map(|()| names.next().unwrap_or(Value::Null))
}

pub(crate) struct Versions {
    pub(crate) jobs: Vec<JobId>,
}

impl Work for Versions {
    type View = ();
    type Answer = ();
    type Output = Vec<(JobId, u64, JobState)>;
    const OPERATION: &'static str = "read versions of jobs";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        let ids: Vec<String> =
            self.jobs.iter().map(|job| format!("\"{}\"", job.0.simple())).collect();
        let ids = format!("[{}]", ids.join(","));
        let mut versions = Vec::new();
        for mut row in tx.rows(OF_JOBS, &[Value::Text(&ids)]).await? {
            let (job, own) = (JobId(row.id("id")?), row.number::<u64>("revision")?);
            let legs: u64 = row.number("revision")?;
            versions.push((job, own.saturating_add(legs), row.name("state")?));
        }
        Ok(versions)
    }
}

/// The ids come as one JSON list: lists are what the two databases have least in common.
const OF_JOBS: Statement = Statement {
    postgres: "SELECT j.id, j.revision, \
           (SELECT CAST(coalesce(sum(l.revision), 0) AS bigint) FROM legs l WHERE l.job = j.id), \
           j.state \
         FROM jobs j WHERE j.id = ANY (ARRAY( \
           SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(CAST($1 AS text) AS json))))",
    sqlite: Some(
        "SELECT j.id, j.revision, \
           (SELECT coalesce(sum(l.revision), 0) FROM legs l WHERE l.job = j.id), \
           j.state \
         FROM jobs j WHERE j.id IN (SELECT unhex(value) FROM json_each($1))",
    ),
};

pub(crate) struct TenantUsage {
    pub(crate) tenant: TenantId,
}

impl Work for TenantUsage {
    type View = ();
    type Answer = ();
    type Output = Usage;
    const OPERATION: &'static str = "read what a tenant uses";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Usage, Trouble> {
        counts::usage(tx, &self.tenant).await
    }
}

pub(crate) struct Now;

impl Work for Now {
    type View = ();
    type Answer = ();
    type Output = mailfleet_model::fleet::Timestamp;
    const OPERATION: &'static str = "read the clock";
    const ACCESS: Access = Access::Look;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        tx.now().await
    }
}
