//! `CreateBatch`: reads the stream, seals what comes, and starts the batch at its end.
//!
//! Holds one message of the stream at a time. Nothing is sealed or stored any more once an
//! item was wrong: the rest is only read to tell what else is wrong.

use std::sync::Arc;

use mailfleet_api::request::batch::{Item, Template, Upload, parse_settings};
use mailfleet_api::v1::create_batch_request::Part;
use mailfleet_api::{batch as wire, v1};
use mailfleet_engine::batch::Ask;
use mailfleet_model::Violations;
use mailfleet_model::fleet::{
    Added, BatchDraft, BatchId, BatchOpened, BatchState, GatewayQueue, ItemDraft, RequestKey, Store,
};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status, Streaming};
use uuid::Uuid;

use crate::gateway::Gateway;
use crate::item::KnownGroups;
use crate::server::Traced;
use crate::status;
use crate::tenants::{Caller, Role};

/// Items that are stored in one transaction.
const STORED: usize = 500;
/// Most items in one message.
const MESSAGE: usize = 1_000;
/// Most wrong fields that are told.
const TOLD: usize = 1_000;

/// Takes a batch in.
pub(super) async fn take<S: Store, Q: GatewayQueue>(
    gateway: &Arc<Gateway<S, Q>>,
    (metadata, extensions): (&MetadataMap, &Extensions),
    mut stream: Streaming<v1::CreateBatchRequest>,
) -> Result<v1::CreateBatchResponse, Status> {
    let caller = gateway.caller(metadata, Role::Submitter, None)?;
    let Some(Part::Settings(settings)) = next(gateway, &mut stream).await? else {
        return Err(wrong("settings", "are required in the first message"));
    };
    let upload = parse_settings(*settings).map_err(|bad| {
        let mut told = Violations::default();
        for violation in bad.as_slice() {
            told.add(format!("settings.{}", violation.field), &violation.description);
        }
        status::invalid(&told, None)
    })?;
    let (batch, state) = open(gateway, &caller, &upload, extensions).await?;
    let mut taking = Taking {
        gateway: Arc::clone(gateway),
        caller,
        batch,
        template: upload.template,
        known: KnownGroups::default(),
        seen: 0,
        added: Added::default(),
        bad: Violations::default(),
    };
    if state == BatchState::Uploading {
        taking.read(&mut stream).await?;
        gateway.ask_batch(batch, &Ask::Start).await.map_err(|error| status::store(&error, None))?;
        tracing::info!(
            batch.id = %batch, tenant = %taking.caller.tenant.name, items = taking.seen,
            "batch uploaded"
        );
    }
    let report = gateway.batch(&taking.caller, batch).await?;
    let Added { stored, known } = taking.added;
    Ok(v1::CreateBatchResponse { batch: Some(wire::message(&report)), stored, known })
}

/// The next part of the stream; `None` at its end.
async fn next<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    stream: &mut Streaming<v1::CreateBatchRequest>,
) -> Result<Option<Part>, Status> {
    let message = tokio::select! {
        () = gateway.draining.cancelled() => return Err(status::draining(None)),
        message = stream.message() => message?,
    };
    match message {
        None => Ok(None),
        Some(message) => {
            message.part.map(Some).ok_or_else(|| wrong("part", "is required in every message"))
        }
    }
}

async fn open<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    caller: &Caller,
    upload: &Upload,
    extensions: &Extensions,
) -> Result<(BatchId, BatchState), Status> {
    let tenant = &caller.tenant.name;
    let traced = extensions.get::<Traced>();
    let body = gateway.ring.request_tag(tenant, &[b"batch", upload.body.expose()]);
    let draft = BatchDraft {
        id: BatchId(Uuid::now_v7()),
        tenant: tenant.clone(),
        request: upload.request_id.map(|id| RequestKey { id: id.to_string(), body }),
        display_name: upload.display_name.clone(),
        settings: upload.settings,
        traceparent: traced.map(|traced| traced.context.to_string()),
    };
    match gateway.store.open_batch(&draft).await.map_err(|error| status::store(&error, None))? {
        BatchOpened::There(batch, state) => Ok((batch, state)),
        BatchOpened::RequestIdReused => Err(status::request_id_reused(None)),
    }
}

/// An upload on its way.
struct Taking<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    caller: Caller,
    batch: BatchId,
    template: Template,
    known: KnownGroups,
    seen: usize,
    added: Added,
    bad: Violations,
}

impl<S: Store, Q: GatewayQueue> Taking<S, Q> {
    /// Reads the items to the end. A stream that breaks off leaves the batch as it is.
    async fn read(&mut self, stream: &mut Streaming<v1::CreateBatchRequest>) -> Result<(), Status> {
        let most = self.caller.tenant.quota.bulk;
        while let Some(part) = next(&self.gateway, stream).await? {
            let Part::Items(v1::BatchItems { items }) = part else {
                return Err(self.discarded(wrong("settings", "come once, and first")).await);
            };
            if MESSAGE < items.len() {
                return Err(self.discarded(wrong("items", "are more than 1,000")).await);
            }
            let items = self.judge(items);
            if most < u64::try_from(self.seen).unwrap_or(u64::MAX) {
                let wait = self.caller.tenant.quota().retry_after;
                return Err(self.discarded(status::over_quota(wait, None)).await);
            }
            if self.bad.is_empty() && !self.store(items).await? {
                // Somebody else has completed the same upload.
                return Ok(());
            }
        }
        if self.seen == 0 {
            return Err(self.discarded(wrong("items", "are required")).await);
        }
        if self.bad.is_empty() {
            return Ok(());
        }
        let bad = std::mem::take(&mut self.bad);
        Err(self.discarded(status::invalid(&bad, None)).await)
    }

    /// The items that are right; what is wrong is noted with its place.
    fn judge(&mut self, items: Vec<v1::BatchItem>) -> Vec<Item> {
        let mut good = Vec::new();
        for item in items {
            let place = self.seen;
            self.seen += 1;
            match self.template.item(item) {
                Ok(item) => good.push(item),
                Err(bad) => {
                    for violation in bad.as_slice() {
                        if self.bad.as_slice().len() < TOLD {
                            let field = format!("items[{place}].{}", violation.field);
                            self.bad.add(field, &violation.description);
                        }
                    }
                }
            }
        }
        good
    }

    /// Seals and stores items. `false` if the batch takes none any more.
    async fn store(&mut self, items: Vec<Item>) -> Result<bool, Status> {
        self.gateway.meet(&self.caller.tenant, &items, &mut self.known).await;
        let (gateway, tenant) = (Arc::clone(&self.gateway), Arc::clone(&self.caller.tenant));
        let known = std::mem::take(&mut self.known);
        let sealing = tokio::task::spawn_blocking(move || {
            let sealed = items.into_iter().map(|item| gateway.item(&tenant, item, &known));
            let sealed: Result<Vec<ItemDraft>, _> = sealed.collect();
            (sealed, known)
        });
        let (sealed, known) = sealing.await.expect("sealing does not panic");
        self.known = known;
        let drafts = sealed.map_err(|error| status::not_submitted(&error, None))?;
        for some in drafts.chunks(STORED) {
            let added = self.gateway.store.add_items(self.batch, some).await;
            let added = added.map_err(|error| status::store(&error, None))?;
            let Some(Added { stored, known }) = added else { return Ok(false) };
            self.added.stored += stored;
            self.added.known += known;
        }
        Ok(true)
    }

    /// Deletes what has arrived: nothing of a wrong upload may ever run.
    async fn discarded(&self, status: Status) -> Status {
        match self.gateway.store.discard_batch(self.batch).await {
            Ok(()) => status,
            Err(error) => status::store(&error, None),
        }
    }
}

fn wrong(field: &str, description: &str) -> Status {
    let mut bad = Violations::default();
    bad.add(field, description);
    status::invalid(&bad, None)
}
