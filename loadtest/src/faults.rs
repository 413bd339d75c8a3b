//! What is done to the fleet while it works, and what it was done to.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use mailfleet_api::v1;
use mailfleet_api::v1::fleet_service_client::FleetServiceClient;
use mailfleet_model::fleet::{GroupKey, shard_of};
use nix::sys::signal::Signal;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use tonic::Code;

use crate::caller::Gateways;
use crate::fleet::Fleet;
use crate::generate::now_us;
use crate::progress::Progress;
use crate::scenario::{Fault, FaultKind};

/// How long a drained worker may take: its legs end, or are cut off after 30 s.
const DRAINING: Duration = Duration::from_secs(60);

/// Something that was done.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) what: FaultKind,
    /// To whom.
    pub(crate) subject: String,
    /// Microseconds since 1970.
    pub(crate) at: u64,
    /// When it was over, where it lasted.
    pub(crate) until: u64,
    /// The mail servers that the worker owned.
    pub(crate) servers: Vec<String>,
}

/// What faults need.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) fleet: Arc<Mutex<Fleet>>,
    pub(crate) gateways: Gateways,
    /// All mail servers, as limits count them.
    pub(crate) servers: Arc<Vec<String>>,
    pub(crate) shards: NonZeroU16,
    pub(crate) progress: Arc<Progress>,
}

impl Hands {
    /// Does everything at its time, counted from now; ends when the last one is over.
    pub(crate) async fn all(&self, faults: &[Fault]) -> anyhow::Result<Vec<Done>> {
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for fault in faults.iter().copied() {
            let hands = self.clone();
            tasks.spawn(async move {
                sleep_until((began + fault.at).into()).await;
                let done = hands.one(fault).await;
                done.with_context(|| format!("the fault {} failed", fault.what.name()))
            });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            all.push(done.context("a fault panicked")??);
        }
        all.sort_by_key(|done| done.at);
        Ok(all)
    }

    async fn one(&self, fault: Fault) -> anyhow::Result<Done> {
        let (victim, servers) = if fault.what.takes_worker() {
            self.busiest().await?
        } else {
            (String::new(), Vec::new())
        };
        let subject = match fault.what {
            FaultKind::KillGateway => "a gateway".to_owned(),
            FaultKind::RestartBroker => "the broker".to_owned(),
            FaultKind::KillWorker
            | FaultKind::DrainWorker
            | FaultKind::FreezeWorker
            | FaultKind::CutWorker => self.fleet.lock().await.name_of(&victim),
        };
        self.progress.say(&format!("  {} ({subject})", fault.what.name()));
        let at = now_us();
        match fault.what {
            FaultKind::KillWorker | FaultKind::DrainWorker => {
                let signal = match fault.what {
                    FaultKind::KillWorker => Signal::SIGKILL,
                    _ => Signal::SIGTERM,
                };
                let (process, proxy) = {
                    let mut fleet = self.fleet.lock().await;
                    fleet.signal(&victim, signal)?;
                    fleet.remove_worker(&victim)?
                };
                let ended = process.ended(DRAINING);
                let (ended, ()) = tokio::join!(ended, sleep(fault.lasts));
                drop(proxy);
                if !ended {
                    self.progress.say(&format!("  {subject} did not end in time, and was killed"));
                }
                self.fleet.lock().await.add_worker().await?;
            }
            FaultKind::FreezeWorker => {
                self.fleet.lock().await.signal(&victim, Signal::SIGSTOP)?;
                sleep(fault.lasts).await;
                self.fleet.lock().await.signal(&victim, Signal::SIGCONT)?;
            }
            FaultKind::CutWorker => {
                self.fleet.lock().await.cut(&victim, true)?;
                sleep(fault.lasts).await;
                self.fleet.lock().await.cut(&victim, false)?;
            }
            FaultKind::KillGateway => {
                self.fleet.lock().await.replace_gateway().await?;
            }
            FaultKind::RestartBroker => self.fleet.lock().await.restart_broker().await?,
        }
        Ok(Done { what: fault.what, subject, at, until: now_us(), servers })
    }

    /// The worker that owns most of the mail servers, and which these are.
    async fn busiest(&self) -> anyhow::Result<(String, Vec<String>)> {
        let mut fleet = FleetServiceClient::new(self.gateways.channel(self.gateways.next()));
        let request = self.gateways.request(v1::ListShardsRequest {});
        let shards = fleet.list_shards(request).await?.into_inner().shards;
        let known = self.fleet.lock().await.worker_ids();
        let mut owned: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for server in self.servers.iter() {
            let shard = shard_of(&GroupKey::new(server.as_str())?, self.shards);
            let shard = shards.iter().find(|found| found.index == u32::from(shard.0));
            let owner = shard.and_then(|shard| shard.owners.first());
            let owner = owner.and_then(|owner| owner.strip_prefix("workers/"));
            if let Some(owner) = owner.filter(|owner| known.iter().any(|id| id == owner)) {
                owned.entry(owner.to_owned()).or_default().push(server.clone());
            }
        }
        let busiest = owned.into_iter().max_by_key(|(_, servers)| servers.len());
        busiest.context("no worker of ours owns a mail server")
    }
}

/// Waits until every shard has an owner.
pub(crate) async fn settled(gateways: &Gateways, limit: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut fleet = FleetServiceClient::new(gateways.channel(gateways.next()));
        let answer = fleet.list_shards(gateways.request(v1::ListShardsRequest {})).await;
        let is_settled = answer.as_ref().is_ok_and(|answer| {
            let shards = &answer.get_ref().shards;
            !shards.is_empty() && shards.iter().all(|shard| shard.owners.len() == 1)
        });
        if is_settled {
            return Ok(());
        }
        // No time makes these better.
        if let Err(status) = &answer
            && matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
        {
            anyhow::bail!(
                "the fleet wants a token of the role admin (MAILFLEET_TOKEN): {}",
                status.message()
            );
        }
        anyhow::ensure!(began.elapsed() < limit, "not every shard has an owner: {answer:?}");
        sleep(Duration::from_millis(200)).await;
    }
}
