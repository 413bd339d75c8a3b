//! `serve`: gateway and owner in one process, with the queue in its memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use mailfleet_broker::InProcess;
use mailfleet_gateway::{Gateway, Parts, Server};
use mailfleet_model::fleet::Store as _;
use mailfleet_worker::{Config as WorkerConfig, Runner, Worker};
use tokio_util::sync::CancellationToken;

use super::{Process, parts};
use crate::admin;
use crate::args::ServeArgs;
use crate::exit::{Error, Exit};

/// Runs until the first signal, then drains; a second signal ends the process.
pub(crate) async fn serve(args: &ServeArgs, verbose: u8) -> Result<Exit, Error> {
    let process = Process::begin(args, verbose, "mailfleet")?;
    let settings = &process.settings;
    if settings.broker.is_some() {
        return Err(Error::Request(
            "broker.url names a broker, and serve has its own in its memory: run \
             'mailfleet gateway' and 'mailfleet worker' instead"
                .to_owned(),
        ));
    }
    let zones = settings.zones();
    if 1 < zones.len() || !zones.contains(&settings.zone) {
        let zones: Vec<String> = zones.iter().map(ToString::to_string).collect();
        return Err(Error::Request(format!(
            "serve runs one zone (worker.zone is {}), and the pools are in {}: run 'mailfleet \
             gateway', and 'mailfleet worker' in each zone",
            settings.zone,
            zones.join(", ")
        )));
    }
    let admin = admin::bind(settings.admin).await?;
    let opened = parts::store(settings).await?;
    let recalled = opened.store.recall_all().await.context("cannot look for legs that were out")?;
    if recalled > 0 {
        tracing::info!(legs = recalled, "legs that were out at the last end wait again");
    }
    let keys = parts::ring(settings, true)?;
    let probe = parts::shared_probe(settings)?;
    let rules = parts::rules(settings);
    let broker = InProcess::new(&parts::topology(settings));
    let (gateway_id, worker_id) = (parts::gateway_id(&process.run), parts::worker_id(&process.run));
    let mut config = WorkerConfig::new(worker_id.clone(), settings.zone.clone());
    (config.shards, config.slots, config.alone) = (settings.shards, settings.slots, true);
    (config.drain, config.rules) = (settings.drain, rules.clone());
    let gateway = Parts {
        id: gateway_id.clone(),
        store: Arc::clone(&opened.store),
        queue: Arc::new(broker.gateway(gateway_id)),
        ring: Arc::new(keys.to_public()),
        zone_rings: BTreeMap::new(),
        resolver: probe.resolver.clone(),
        targets: probe.targets.clone(),
        tenants: parts::tenants(settings)?,
        rules,
    };
    let runner = Runner::new(probe, Arc::new(keys), parts::pools(settings)?);
    let worker = Worker::new(config, broker.worker(worker_id), runner);
    let health = worker.health();

    let running = Gateway::start(gateway, parts::gateway(settings));
    let server = Server::bind(Arc::clone(running.gateway())).await;
    let server = server.context("the gateway cannot start")?;
    let drain = CancellationToken::new();
    let working = tokio::spawn(worker.run(drain.clone()));
    let admin_at = admin.local_addr().context("the admin port is gone")?;
    let ready = {
        let gateway = Arc::clone(running.gateway());
        vec![admin::gateway(move || gateway.is_ready()), admin::worker(health)]
    };
    let (closing, scrape) = (CancellationToken::new(), process.logs.scrape());
    let admin = tokio::spawn(admin::serve(admin, ready, scrape, closing.clone()));
    process.announce(
        "mailfleet listens on",
        &[("listen", server.local_addr()), ("admin", admin_at)],
    )?;

    let served = server.serve(process.shutdown.clone().cancelled_owned()).await;
    // The loops end last: the worker's last results are collected yet.
    drain.cancel();
    let worked = working.await.context("the worker ended early")?;
    running.stop().await;
    closing.cancel();
    admin.await.context("the admin port ended early")?.context("the admin port failed")?;
    process.end().await?;
    served.context("the gateway failed")?;
    worked.context("the worker failed")?;
    Ok(Exit::Good)
}
