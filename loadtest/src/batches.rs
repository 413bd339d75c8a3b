//! Batches while a run goes on: uploaded, watched, and cancelled where nobody waits for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::stream;
use mailfleet_api::v1;
use mailfleet_api::v1::batch_service_client::BatchServiceClient;
use mailfleet_api::v1::create_batch_request::Part;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::sleep;
use uuid::Uuid;

use crate::caller::Gateways;
use crate::generate::Requests;
use crate::scenario::{Batch, Wait};

/// Items in one message of an upload.
const CHUNK: u32 = 500;
/// How often a batch is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Longest time without any answer about a batch.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a batch. Times are seconds since its upload began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BatchOutcome {
    pub(crate) servers: String,
    pub(crate) name: String,
    pub(crate) items: u64,
    /// Seconds since the run began.
    pub(crate) began: f64,
    pub(crate) uploaded: f64,
    /// When the first result was there.
    pub(crate) first: Option<f64>,
    /// When the last one was.
    pub(crate) ended: Option<f64>,
    pub(crate) healthy: u64,
    pub(crate) faulty: u64,
    pub(crate) inconclusive: u64,
    /// Ended items over time.
    pub(crate) looks: Vec<(f64, u64)>,
}

impl BatchOutcome {
    /// Items a second, from the first to the last result.
    pub(crate) fn rate(&self) -> Option<f64> {
        let (first, last) = (self.first?, self.looks.last()?);
        let time = self.ended.unwrap_or(last.0) - first;
        (0.0 < time).then(|| last.1 as f64 / time)
    }
}

/// Which batch, and how its mailboxes are numbered.
pub(crate) struct Plan {
    pub(crate) batch: Batch,
    /// Numbers of other mailboxes are below.
    pub(crate) from: usize,
    /// The name of its population.
    pub(crate) servers: String,
    pub(crate) n_pairs: u32,
    /// Seconds since the run began.
    pub(crate) began: f64,
}

impl Plan {
    /// The pair of an item: one after the other.
    fn pair(&self, item: u32) -> u32 {
        item % self.n_pairs.max(1)
    }

    /// The mailbox of an item.
    pub(crate) fn mailbox(&self, requests: &Requests, item: u32) -> String {
        let number = self.from + usize::try_from(item).unwrap_or_default();
        requests.mailbox(self.batch.servers, self.pair(item), number)
    }

    fn item(&self, requests: &Requests, item: u32) -> v1::BatchItem {
        let ends = requests.endpoints(self.batch.servers, self.pair(item));
        let (incoming, outgoing) = match ends {
            Some([incoming, outgoing]) => (vec![incoming], Some(outgoing)),
            None => (Vec::new(), None),
        };
        let address = self.mailbox(requests, item);
        v1::BatchItem { address, incoming, outgoing, ..Default::default() }
    }

    fn settings(&self, requests: &Requests) -> v1::BatchSettings {
        v1::BatchSettings {
            request_id: Uuid::new_v4().to_string(),
            display_name: "load test".to_owned(),
            login: Some(requests.login(self.batch.servers, true)),
            login_only: true,
            trusted_certificates: requests.roots.iter().cloned().collect(),
            budget: requests.budget(self.batch.servers).try_into().ok(),
            // Turns at a slow server may take hours.
            item_deadline: Duration::from_secs(24 * 3600).try_into().ok(),
            stop_when: Some(0),
            ..Default::default()
        }
    }
}

/// Uploads a batch and watches it; returns when it has ended, or when nobody waits any more and
/// `is_over` says so: then it is cancelled.
pub(crate) async fn run(
    gateways: Gateways,
    requests: Arc<Requests>,
    plan: Arc<Plan>,
    uploaded: oneshot::Sender<()>,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<BatchOutcome> {
    let began = Instant::now();
    let mut outcome = BatchOutcome {
        servers: plan.servers.clone(),
        items: u64::from(plan.batch.items),
        began: plan.began,
        ..Default::default()
    };
    let part = |part| v1::CreateBatchRequest { part: Some(part) };
    let settings = part(Part::Settings(Box::new(plan.settings(&requests))));
    let chunks = (0..plan.batch.items.div_ceil(CHUNK)).map({
        let (plan, requests) = (Arc::clone(&plan), Arc::clone(&requests));
        move |chunk| {
            let until = plan.batch.items.min((chunk + 1) * CHUNK);
            let items = (chunk * CHUNK..until).map(|item| plan.item(&requests, item)).collect();
            part(Part::Items(v1::BatchItems { items }))
        }
    });
    let upload = stream::iter(std::iter::once(settings).chain(chunks));
    let mut client = BatchServiceClient::new(gateways.channel(gateways.next()));
    let answer = client.create_batch(gateways.request(upload)).await.context("the upload")?;
    let batch = answer.into_inner().batch.context("the upload made no batch")?;
    outcome.name = batch.name;
    outcome.uploaded = began.elapsed().as_secs_f64();
    // Not everybody waits for it.
    let _ = uploaded.send(());
    let mut heard = Instant::now();
    loop {
        let at = began.elapsed().as_secs_f64();
        let mut client = BatchServiceClient::new(gateways.channel(gateways.next()));
        let request = gateways.request(v1::GetBatchRequest { name: outcome.name.clone() });
        match client.get_batch(request).await {
            Ok(answer) => {
                heard = Instant::now();
                let batch = answer.into_inner().batch.context("always set")?;
                note(&mut outcome, &batch, at);
            }
            Err(status) if heard.elapsed() < PATIENCE => drop(status),
            Err(status) => return Err(status).context("no gateway knows the batch any more"),
        }
        if outcome.ended.is_some() {
            return Ok(outcome);
        }
        if plan.batch.wait != Wait::End && is_over() {
            let request = v1::CancelBatchRequest { name: outcome.name.clone() };
            client.cancel_batch(gateways.request(request)).await.context("cancelling a batch")?;
            return Ok(outcome);
        }
        sleep(LOOK).await;
    }
}

fn note(outcome: &mut BatchOutcome, batch: &v1::Batch, at: f64) {
    let counts = batch.counts.unwrap_or_default();
    let ended = counts.healthy + counts.faulty + counts.inconclusive + counts.cancelled;
    outcome.healthy = counts.healthy;
    outcome.faulty = counts.faulty;
    outcome.inconclusive = counts.inconclusive;
    if 0 < ended {
        outcome.first.get_or_insert(at);
    }
    outcome.looks.push((at, ended));
    let state = batch.state();
    if matches!(state, v1::batch::State::Done | v1::batch::State::Cancelled) {
        outcome.ended = Some(at);
    }
}
