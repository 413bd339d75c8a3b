//! `worker`: one of the workers of a fleet. Keeps nothing: it may be killed at any moment.

use std::sync::Arc;

use anyhow::Context as _;
use mailfleet_worker::{Config as WorkerConfig, Runner, Worker};
use tokio_util::sync::CancellationToken;

use super::{Process, parts};
use crate::admin;
use crate::args::ServeArgs;
use crate::exit::{Error, Exit};

/// Runs until the first signal, then drains; a second signal ends the process.
pub(crate) async fn worker(args: &ServeArgs, verbose: u8) -> Result<Exit, Error> {
    let process = Process::begin(args, verbose, "mailfleet-worker")?;
    let settings = &process.settings;
    let broker = parts::rabbit(settings)?;
    if settings.pools_of(&settings.zone).next().is_none() {
        return Err(Error::Request(format!(
            "worker.zone is {}, and no [[egress.pool]] is in that zone",
            settings.zone
        )));
    }
    let admin = admin::bind(settings.admin).await?;
    let pools = parts::pools(settings)?;
    // Before anything is connected: a worker without its addresses must own nothing.
    pools.prove().await.context("the egress pools cannot be used (egress.pool)")?;
    let keys = Arc::new(parts::ring(settings, false)?);
    let runner = Runner::new(parts::shared_probe(settings)?, keys, pools);
    let id = parts::worker_id(&process.run);
    let queue = broker.worker(id.clone()).await.context("cannot use the broker (broker.url)")?;
    let mut config = WorkerConfig::new(id.clone(), settings.zone.clone());
    (config.shards, config.slots) = (settings.shards, settings.slots);
    config.kinds.clone_from(&settings.kinds);
    config.rules = parts::rules(settings);
    let worker = Worker::new(config, queue, runner);
    let (closing, scrape) = (CancellationToken::new(), process.logs.scrape());
    let admin_at = admin.local_addr().context("the admin port is gone")?;
    let ready = vec![admin::worker(worker.health())];
    let admin = tokio::spawn(admin::serve(admin, ready, scrape, closing.clone()));
    let what = format!("mailfleet worker {id} runs in zone {}, health on", settings.zone);
    process.announce(&what, &[("admin", admin_at)])?;
    // Beside what it talks to: every word from another thread would wake this one.
    let working = tokio::spawn(worker.run(process.shutdown.clone()));
    let worked = working.await.context("the worker ended early")?;
    closing.cancel();
    admin.await.context("the admin port ended early")?.context("the admin port failed")?;
    process.end().await?;
    worked.context("the worker failed")?;
    Ok(Exit::Good)
}
