//! `mailfleet.v1.JobService`: shows jobs, and ends them. Of the caller's tenant only.

use std::sync::Arc;

use mailfleet_api::job as wire;
use mailfleet_api::v1;
use mailfleet_api::v1::job_service_server::JobService;
use mailfleet_api::{order, v1 as message};
use mailfleet_engine::collect::Event;
use mailfleet_model::fleet::{GatewayQueue, JobRecord, JobView, LegRecord, Store};
use mailfleet_model::{JobId, Report};
use mailfleet_remedy::Language;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::language;
use crate::gateway::Gateway;
use crate::message::report_message;
use crate::status;
use crate::tenants::{Caller, Role};

/// The service.
#[derive(Debug)]
pub(crate) struct Jobs<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);

#[tonic::async_trait]
impl<S: Store, Q: GatewayQueue> JobService for Jobs<S, Q> {
    type WatchJobStream = ReceiverStream<super::watch::Answer>;

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let language = language(&asked.language)?;
        let view = self.find(&metadata, &asked.name, Role::Reader, language).await?.1;
        let job = Some(self.0.message(&view, language));
        Ok(Response::new(v1::GetJobResponse { job }))
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let caller = self.0.caller(&metadata, Role::Reader, None)?;
        Box::pin(super::list::list(&self.0, &caller, &asked)).await.map(Response::new)
    }

    async fn watch_job(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let language = language(&asked.language)?;
        let seen = wire::parse_watch_token(&asked.watch_token);
        let seen = seen.map_err(|bad| status::invalid(&bad, language))?;
        let _counted = self.0.streams.token();
        if self.0.draining.is_cancelled() {
            return Err(status::draining(language));
        }
        // Registered before the look, so that no change in between is missed.
        let job = parse(&asked.name, language)?;
        let caller = self.0.caller(&metadata, Role::Reader, language)?;
        let watch = self.0.watchers.watch(job);
        self.0.job(&caller, job, language).await?;
        let stream = super::watch::start(&self.0, caller, watch, seen, language);
        Ok(Response::new(stream))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (caller, view) = self.find(&metadata, &asked.name, Role::Submitter, None).await?;
        let job = view.job.id;
        let cancelled = self.0.advance(job, &Event::Cancel).await;
        cancelled.map_err(|error| status::store(&error, None))?;
        tracing::info!(job.id = %job, tenant = %caller.tenant.name, "job cancelled by its tenant");
        let view = self.0.job(&caller, job, None).await?;
        let job = Some(self.0.message(&view, None));
        Ok(Response::new(v1::CancelJobResponse { job }))
    }

    async fn explain_job(
        &self,
        request: Request<v1::ExplainJobRequest>,
    ) -> Result<Response<v1::ExplainJobResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let language = language(&asked.language)?;
        let view = self.find(&metadata, &asked.name, Role::Reader, language).await?.1;
        Box::pin(super::explain::explain(&self.0, &view, language)).await.map(Response::new)
    }
}

impl<S: Store, Q: GatewayQueue> Jobs<S, Q> {
    async fn find(
        &self,
        metadata: &MetadataMap,
        name: &str,
        needs: Role,
        language: Option<Language>,
    ) -> Result<(Caller, JobView), Status> {
        let caller = self.0.caller(metadata, needs, language)?;
        let job = parse(name, language)?;
        let view = self.0.job(&caller, job, language).await?;
        Ok((caller, view))
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// A job of the caller's tenant.
    pub(super) async fn job(
        &self,
        caller: &Caller,
        job: JobId,
        language: Option<Language>,
    ) -> Result<JobView, Status> {
        let found = self.store.job(&caller.tenant.name, job).await;
        let found = found.map_err(|error| status::store(&error, language))?;
        found.ok_or_else(|| status::no_such_job(language))
    }

    /// A job with its legs and, once it stands, its report.
    pub(super) fn message(&self, view: &JobView, language: Option<Language>) -> message::Job {
        let legs: Vec<LegRecord> = view.legs.iter().map(|row| row.leg.clone()).collect();
        wire::message(&view.job, &legs, self.report(&view.job, language))
    }

    /// The final report, with remedies if a language is given.
    pub(super) fn report(
        &self,
        job: &JobRecord,
        language: Option<Language>,
    ) -> Option<message::Report> {
        let stored = order::report(job.report.as_ref()?).ok()?;
        match Report::try_from(stored.clone()) {
            Ok(report) => Some(report_message(&report, language)),
            // What a newer gateway stored is shown as it stands.
            Err(_) => Some(stored),
        }
    }
}

fn parse(name: &str, language: Option<Language>) -> Result<JobId, Status> {
    wire::parse_name(name).map_err(|bad| status::invalid(&bad, language))
}
