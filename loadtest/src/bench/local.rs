//! A fleet of a benchmark's own, with its mail servers: what `run` starts, without phases.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::caller::{Ending, Gateways};
use crate::faults::settled;
use crate::fleet::{Fleet, Given};
use crate::generate::Requests;
use crate::latency::Latencies;
use crate::mail::Mail;
use crate::scenario::Scenario;

/// A fleet that runs. Ends with `end`; whatever is left ends when it is dropped.
pub(super) struct Local {
    pub(super) gateways: Gateways,
    pub(super) requests: Arc<Requests>,
    pub(super) fleet: Fleet,
    pub(super) mail: Mail,
    number: AtomicUsize,
    _folder: TempDir,
}

/// The mailfleet program: the named one, or the one beside this one.
pub(super) fn program(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    match named {
        Some(program) => Ok(program.to_owned()),
        None => {
            let ours = std::env::current_exe().context("finding this program")?;
            Ok(ours.with_file_name("mailfleet"))
        }
    }
}

/// A scenario as text; what is wrong with it is a mistake in here.
pub(super) fn scenario(text: &str) -> anyhow::Result<Scenario> {
    Scenario::parse("bench", text).map_err(|wrong| anyhow::anyhow!("{}", wrong.join("; ")))
}

impl Local {
    /// Starts everything, and waits until every shard has an owner.
    pub(super) async fn start(
        scenario: &Scenario,
        given: &Given,
        program: &Path,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mailfleet-bench.").tempdir()?;
        let mail = Mail::start(&scenario.servers, folder.path()).await?;
        let fleet = Fleet::start(scenario, &mail, given, program, [folder.path(); 2]).await?;
        let gateways = Gateways::at(&fleet.urls(), None)?;
        settled(&gateways, Duration::from_secs(60)).await?;
        let requests = Requests::new(&scenario.servers, mail.pairs.clone(), None)?;
        let (requests, number) = (Arc::new(requests), AtomicUsize::new(0));
        Ok(Self { gateways, requests, fleet, mail, number, _folder: folder })
    }

    /// One validation at one of the servers after the other, which must be healthy. Gives its
    /// latency in microseconds.
    pub(super) fn once(&self, servers: usize) -> impl Future<Output = anyhow::Result<u64>> + use<> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (gateways, requests) = (self.gateways.clone(), Arc::clone(&self.requests));
        async move {
            let n_pairs = requests.pairs.get(servers).map_or(1, Vec::len).max(1);
            let pair = u32::try_from(number % n_pairs)?;
            let message = requests.message(servers, pair, true, number);
            let message = message.context("there are such servers")?;
            let budget = requests.budget(servers);
            let outcome = gateways.validate(message, Instant::now(), budget).await;
            match outcome.ending {
                Ending::Report { at, verdict, .. } => {
                    ensure!(
                        verdict == mailfleet_api::v1::report::Verdict::Healthy,
                        "a validation was {}",
                        verdict.as_str_name()
                    );
                    Ok(at)
                }
                Ending::Lost(why) | Ending::Failed(why) => anyhow::bail!("a validation: {why}"),
            }
        }
    }

    /// Keeps so many validations open for `before` and `time`; gives answers a second in the
    /// latter. Those that are open in the end are left to the fleet.
    pub(super) async fn closed(
        &self,
        servers: usize,
        open: usize,
        before: Duration,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let (began, mut running, mut done) = (Instant::now(), JoinSet::new(), 0_u32);
        while began.elapsed() < before + time {
            while running.len() < open {
                running.spawn(self.once(servers));
            }
            let ended = running.join_next().await.context("some are running")?;
            ended.context("a validation panicked")??;
            done += u32::from(before <= began.elapsed());
        }
        Ok(f64::from(done) / time.as_secs_f64())
    }

    /// One validation after the other at a rate, until `is_over`; gives their latencies.
    pub(super) async fn beside(
        &self,
        servers: usize,
        every: Duration,
        is_over: impl Fn() -> bool,
    ) -> anyhow::Result<Latencies> {
        let (mut running, mut latencies) = (JoinSet::new(), Latencies::default());
        let mut turns = tokio::time::interval(every);
        while !is_over() {
            turns.tick().await;
            running.spawn(self.once(servers));
            while let Some(ended) = running.try_join_next() {
                latencies.record(ended.context("a validation panicked")??);
            }
        }
        while let Some(ended) = running.join_next().await {
            latencies.record(ended.context("a validation panicked")??);
        }
        Ok(latencies)
    }

    /// Ends everything in order.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let Self { fleet, mail, .. } = self;
        fleet.end().await?;
        mail.end().await?;
        Ok(())
    }
}
