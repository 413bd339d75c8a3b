//! How long the legs of a worker's shards wait after it has gone: frozen, drained, killed.
//!
//! A light, steady load goes to two mail servers, and the worker that owns the shard of one of
//! them is taken away. Whoever asked at that moment waits longest: the time until legs start
//! elsewhere, since everything else takes milliseconds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use mailfleet_api::v1;
use mailfleet_api::v1::fleet_service_client::FleetServiceClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::sleep;

use super::say;
use crate::offer::Offer;
use crate::setup::Servers;
use crate::simulate::Kind;
use crate::usage::load;

/// Validations a second.
const RATE: f64 = 20.0;
/// How long all is well before the fault.
const BEFORE: Duration = Duration::from_secs(2);
/// What is done, and how long the load lasts. The frozen one comes first: it returns.
const FAULTS: [(&str, Signal, Duration); 3] = [
    ("frozen (SIGSTOP)", Signal::SIGSTOP, Duration::from_secs(40)),
    ("drained (SIGTERM)", Signal::SIGTERM, Duration::from_secs(12)),
    ("killed (SIGKILL)", Signal::SIGKILL, Duration::from_secs(15)),
];

/// Takes one owner after the other away. `processes` are the workers, by their ids.
pub(crate) async fn run(gateways: &[String], processes: &[(String, u32)]) -> anyhow::Result<()> {
    ensure!(processes.len() >= 3, "name three workers: --process ID=PID");
    let servers = Servers::start(Kind::Prompt).await?;
    let offer = Arc::new(Offer::to(gateways, &servers).await?);
    say(&format!("a worker goes (longest wait of anybody; load before it {}):", load()));
    let calm = offer.open(RATE, Duration::from_secs(4)).await?;
    say(&format!("  nothing happens    {:>8.0} ms", calm.quantile(1.0)));
    for (what, signal, time) in FAULTS {
        let (name, pid) = settled(&offer, processes).await?;
        let pid = Pid::from_raw(i32::try_from(pid).context("a process id")?);
        let under_load = Arc::clone(&offer);
        let loading = tokio::spawn(async move { under_load.open(RATE, time).await });
        sleep(BEFORE).await;
        kill(pid, signal).with_context(|| format!("{name} cannot be taken away"))?;
        let outcome = loading.await.context("the load panicked")??;
        if signal == Signal::SIGSTOP {
            kill(pid, Signal::SIGCONT).context("the frozen worker is gone")?;
            // It finds that it is fenced, and joins again.
            sleep(BEFORE * 2).await;
        }
        say(&format!(
            "  {what:<18} {:>8.0} ms  ({} answered, {} failed; p50 {:.0} ms)",
            outcome.quantile(1.0),
            outcome.done,
            outcome.missed,
            outcome.quantile(0.5)
        ));
    }
    Ok(())
}

/// The owner, once the gateways know it: right after a change they may not.
async fn settled(offer: &Arc<Offer>, processes: &[(String, u32)]) -> anyhow::Result<(String, u32)> {
    let mut last = owner(offer, processes).await;
    for _ in 0..20 {
        if last.is_ok() {
            break;
        }
        sleep(Duration::from_millis(500)).await;
        offer.closed(1, Duration::from_millis(50)).await?;
        last = owner(offer, processes).await;
    }
    last
}

/// The worker that owns the shard of the IMAP server.
async fn owner(offer: &Offer, processes: &[(String, u32)]) -> anyhow::Result<(String, u32)> {
    let mut fleet = FleetServiceClient::new(offer.channel());
    let request = v1::ListLimitGroupsRequest { key_contains: "imap:".into(), ..Default::default() };
    let groups = fleet.list_limit_groups(request).await?.into_inner().groups;
    let shard = groups.first().context("the fleet knows no IMAP server")?.shard;
    let shards = fleet.list_shards(v1::ListShardsRequest {}).await?.into_inner().shards;
    let shard = shards.into_iter().find(|found| found.index == shard);
    let owner = shard.and_then(|shard| shard.owners.first().cloned());
    let owner = owner.context("the shard has no owner")?;
    let name = owner.strip_prefix("workers/").unwrap_or(&owner);
    let known = processes.iter().find(|(known, _)| known == name);
    known.cloned().with_context(|| format!("no --process for the worker {name}"))
}
