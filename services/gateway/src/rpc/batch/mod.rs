//! `mailfleet.v1.BatchService`: takes batches in, shows them, and asks things of them. Of the
//! caller's tenant only.

mod summary;
mod upload;
mod watch;

use std::sync::Arc;

use mailfleet_api::batch as wire;
use mailfleet_api::v1;
use mailfleet_api::v1::batch_service_server::BatchService;
use mailfleet_engine::batch::Ask;
use mailfleet_model::Violations;
use mailfleet_model::fleet::{BatchId, BatchReport, BatchState, GatewayQueue, Store};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::language;
use crate::gateway::Gateway;
use crate::status;
use crate::tenants::{Caller, Role};

/// Longest reason of a pause, in characters.
const MAX_REASON: usize = 500;
/// Items that begin anew in one transaction.
const REDRIVEN: u32 = 500;

/// The service.
#[derive(Debug)]
pub(crate) struct Batches<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);

#[tonic::async_trait]
impl<S: Store, Q: GatewayQueue> BatchService for Batches<S, Q> {
    type WatchBatchStream = ReceiverStream<watch::Answer>;

    async fn create_batch(
        &self,
        request: Request<Streaming<v1::CreateBatchRequest>>,
    ) -> Result<Response<v1::CreateBatchResponse>, Status> {
        let (metadata, extensions, stream) = request.into_parts();
        Box::pin(upload::take(&self.0, (&metadata, &extensions), stream)).await.map(Response::new)
    }

    async fn get_batch(
        &self,
        request: Request<v1::GetBatchRequest>,
    ) -> Result<Response<v1::GetBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let batch = self.find(&metadata, &asked.name, Role::Reader).await?.1;
        Ok(Response::new(v1::GetBatchResponse { batch: Some(wire::message(&batch)) }))
    }

    async fn list_batches(
        &self,
        request: Request<v1::ListBatchesRequest>,
    ) -> Result<Response<v1::ListBatchesResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let caller = self.0.caller(&metadata, Role::Reader, None)?;
        let (size, from) = wire::batch_page(&asked).map_err(|bad| status::invalid(&bad, None))?;
        // One more than asked for: whether there is a next page.
        let rows = self.0.store.batches(&caller.tenant.name, from, size + 1).await;
        let mut rows = rows.map_err(|error| status::store(&error, None))?;
        let more = usize::try_from(size).is_ok_and(|size| size < rows.len());
        rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|batch| batch.id.to_string());
        Ok(Response::new(v1::ListBatchesResponse {
            batches: rows.iter().map(wire::listed).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn watch_batch(
        &self,
        request: Request<v1::WatchBatchRequest>,
    ) -> Result<Response<Self::WatchBatchStream>, Status> {
        let (metadata, _, asked) = request.into_parts();
        if self.0.draining.is_cancelled() {
            return Err(status::draining(None));
        }
        let (caller, batch) = self.find(&metadata, &asked.name, Role::Reader).await?;
        let stream = watch::start(&self.0, &caller, batch.batch.id, asked.watch_token);
        Ok(Response::new(stream))
    }

    async fn list_batch_items(
        &self,
        request: Request<v1::ListBatchItemsRequest>,
    ) -> Result<Response<v1::ListBatchItemsResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let listing = wire::listing(&asked).map_err(|bad| status::invalid(&bad, None))?;
        self.find(&metadata, &asked.name, Role::Reader).await?;
        let wire::Listing { batch, page_size, from, filter } = listing;
        let rows = self.0.store.items(batch, &filter, from, page_size + 1).await;
        let mut rows = rows.map_err(|error| status::store(&error, None))?;
        let size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let more = size < rows.len();
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(|item| item.position.to_string());
        Ok(Response::new(v1::ListBatchItemsResponse {
            items: rows.iter().map(wire::item).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn summarize_batch(
        &self,
        request: Request<v1::SummarizeBatchRequest>,
    ) -> Result<Response<v1::SummarizeBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let language = language(&asked.language)?;
        let batch = self.find(&metadata, &asked.name, Role::Reader).await?.1.batch.id;
        summary::sum_up(&self.0, batch, language, asked.max_causes).await.map(Response::new)
    }

    async fn pause_batch(
        &self,
        request: Request<v1::PauseBatchRequest>,
    ) -> Result<Response<v1::PauseBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let mut bad = Violations::default();
        let reason = asked.reason.trim();
        if MAX_REASON < reason.chars().count() || reason.chars().any(char::is_control) {
            bad.add("reason", "is longer than 500 characters or holds a control character");
            return Err(status::invalid(&bad, None));
        }
        let reason = if reason.is_empty() { "somebody paused it" } else { reason };
        let ask = Ask::Pause(reason.to_owned());
        let batch = self.ask(&metadata, &asked.name, ask, &[BatchState::Paused]).await?;
        Ok(Response::new(v1::PauseBatchResponse { batch: Some(batch) }))
    }

    async fn resume_batch(
        &self,
        request: Request<v1::ResumeBatchRequest>,
    ) -> Result<Response<v1::ResumeBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let ask = Ask::Resume { lift_guard: asked.lift_guard };
        let batch = self.ask(&metadata, &asked.name, ask, &[BatchState::Running]).await?;
        Ok(Response::new(v1::ResumeBatchResponse { batch: Some(batch) }))
    }

    async fn cancel_batch(
        &self,
        request: Request<v1::CancelBatchRequest>,
    ) -> Result<Response<v1::CancelBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let fine = [BatchState::Cancelling, BatchState::Cancelled, BatchState::Done];
        let batch = self.ask(&metadata, &asked.name, Ask::Cancel, &fine).await?;
        Ok(Response::new(v1::CancelBatchResponse { batch: Some(batch) }))
    }

    async fn redrive_batch(
        &self,
        request: Request<v1::RedriveBatchRequest>,
    ) -> Result<Response<v1::RedriveBatchResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (id, filter) = wire::redrive(&asked).map_err(|bad| status::invalid(&bad, None))?;
        let (caller, batch) = self.find(&metadata, &asked.name, Role::Submitter).await?;
        let failed = |error| status::store(&error, None);
        // What fails again meanwhile is left alone.
        let (mut items, until) = (0, batch.now);
        loop {
            let some = self.0.store.redrive(id, &filter, until, REDRIVEN).await;
            let some = some.map_err(failed)?;
            let some = some.ok_or_else(|| status::batch_state(batch.batch.state, None))?;
            items += some;
            if some < u64::from(REDRIVEN) {
                break;
            }
        }
        self.0.feeds.wake([id]);
        self.0.notices.written();
        self.0.batch_watchers.happened_to(id);
        tracing::info!(batch.id = %id, tenant = %caller.tenant.name, items, "items begin anew");
        let batch = self.0.batch(&caller, id).await?;
        Ok(Response::new(v1::RedriveBatchResponse { batch: Some(wire::message(&batch)), items }))
    }
}

impl<S: Store, Q: GatewayQueue> Batches<S, Q> {
    async fn find(
        &self,
        metadata: &MetadataMap,
        name: &str,
        needs: Role,
    ) -> Result<(Caller, BatchReport), Status> {
        let caller = self.0.caller(metadata, needs, None)?;
        let batch = wire::parse_name(name).map_err(|bad| status::invalid(&bad, None))?;
        let report = self.0.batch(&caller, batch).await?;
        Ok((caller, report))
    }

    /// Asks something of a batch, which is to be in one of these states then.
    async fn ask(
        &self,
        metadata: &MetadataMap,
        name: &str,
        ask: Ask,
        fine: &[BatchState],
    ) -> Result<v1::Batch, Status> {
        let (caller, batch) = self.find(metadata, name, Role::Submitter).await?;
        let id = batch.batch.id;
        let fed = self.0.ask_batch(id, &ask).await;
        let fed = fed.map_err(|error| status::store(&error, None))?;
        let state = fed.ok_or_else(|| status::no_such_batch(None))?.batch.state;
        if !fine.contains(&state) {
            return Err(status::batch_state(state, None));
        }
        tracing::info!(batch.id = %id, tenant = %caller.tenant.name, ?ask, "batch told by its tenant");
        self.0.batch(&caller, id).await.map(|batch| wire::message(&batch))
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// A batch of the caller's tenant.
    pub(super) async fn batch(
        &self,
        caller: &Caller,
        batch: BatchId,
    ) -> Result<BatchReport, Status> {
        let found = self.store.batch_report(&caller.tenant.name, batch).await;
        let found = found.map_err(|error| status::store(&error, None))?;
        found.ok_or_else(|| status::no_such_batch(None))
    }
}
