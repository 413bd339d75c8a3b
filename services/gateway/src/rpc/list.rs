//! A page of a list of jobs.
//!
//! The store filters by state; the rest is looked for in what it gives, within bounds: a page
//! may come out short, and the next one goes on behind the last job that was looked at.

use mailfleet_api::{job, v1};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{GatewayQueue, JobRecord, LegRecord, Store};
use tonic::Status;

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Caller;

/// Rows that one call looks at, at most.
const ROWS: u32 = 1_000;
/// Rows that the store is asked for at once.
const AT_ONCE: u32 = 200;
/// Jobs whose legs one call looks at, at most: each is a query of its own.
const LEGS: u32 = 200;

pub(super) async fn list<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    caller: &Caller,
    request: &v1::ListJobsRequest,
) -> Result<v1::ListJobsResponse, Status> {
    let listing = job::listing(request).map_err(|bad| status::invalid(&bad, None))?;
    let tenant = &caller.tenant.name;
    let size = usize::try_from(listing.page_size).unwrap_or(usize::MAX);
    let mut found: Vec<v1::Job> = Vec::new();
    let (mut from, mut rows, mut legs) = (listing.from, 0, 0);
    let full = |found: &[v1::Job], rows: u32, legs: u32| {
        size <= found.len() || ROWS <= rows || LEGS <= legs
    };
    loop {
        let page = gateway.store.jobs(tenant, &listing.filter, from, AT_ONCE).await;
        let page = page.map_err(|error| status::store(&error, None))?;
        let last = page.next.is_none();
        let count = page.jobs.len();
        for (index, record) in page.jobs.into_iter().enumerate() {
            rows += 1;
            from = Some(record.id);
            let mut wanted = listing.wants(&record);
            if wanted && listing.code.is_some() {
                legs += 1;
                wanted = listing.wants_legs(&legs_of(gateway, caller, record.id).await?);
            }
            if wanted {
                found.push(message(&record));
            }
            if full(&found, rows, legs) && !(last && index + 1 == count) {
                return Ok(answer(found, from));
            }
        }
        if last || count == 0 {
            return Ok(answer(found, None));
        }
    }
}

async fn legs_of<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    caller: &Caller,
    job: JobId,
) -> Result<Vec<LegRecord>, Status> {
    let view = gateway.store.job(&caller.tenant.name, job).await;
    let view = view.map_err(|error| status::store(&error, None))?;
    Ok(view.map(|view| view.legs.into_iter().map(|row| row.leg).collect()).unwrap_or_default())
}

fn message(record: &JobRecord) -> v1::Job {
    job::message(record, &[], None)
}

fn answer(jobs: Vec<v1::Job>, next: Option<JobId>) -> v1::ListJobsResponse {
    let next_page_token = next.map(|job| job.to_string()).unwrap_or_default();
    v1::ListJobsResponse { jobs, next_page_token }
}
