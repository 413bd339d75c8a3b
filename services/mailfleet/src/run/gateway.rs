//! `gateway`: one of the gateways of a fleet, behind RabbitMQ and beside others on one store.

use std::sync::Arc;

use anyhow::Context as _;
use mailfleet_gateway::{Gateway, Parts, Server};
use mailfleet_model::fleet::{Store as _, ZoneName};
use tokio_util::sync::CancellationToken;

use super::{Process, parts};
use crate::admin;
use crate::args::ServeArgs;
use crate::exit::{Error, Exit};

/// Runs until the first signal, then drains; a second signal ends the process.
pub(crate) async fn gateway(args: &ServeArgs, verbose: u8) -> Result<Exit, Error> {
    let process = Process::begin(args, verbose, "mailfleet-gateway")?;
    let settings = &process.settings;
    let broker = parts::rabbit(settings)?;
    let admin = admin::bind(settings.admin).await?;
    let opened = parts::store(settings).await?;
    let zones: Vec<ZoneName> = settings.zones().into_iter().collect();
    let spread = opened.store.spread_groups(&zones).await;
    spread.context("cannot tell new zones what operators have set")?;
    let probe = parts::shared_probe(settings)?;
    let id = parts::gateway_id(&process.run);
    let queue = broker.gateway(id.clone()).await.context("cannot use the broker (broker.url)")?;
    let gateway = Parts {
        id: id.clone(),
        store: opened.store,
        queue: Arc::new(queue),
        ring: Arc::new(parts::public_ring(settings)?),
        zone_rings: parts::zone_rings(settings)?,
        resolver: probe.resolver.clone(),
        targets: probe.targets.clone(),
        tenants: parts::tenants(settings)?,
        rules: parts::rules(settings),
    };
    let running = Gateway::start(gateway, parts::gateway(settings));
    let server = Server::bind(Arc::clone(running.gateway())).await;
    let server = server.context("the gateway cannot start")?;
    let admin_at = admin.local_addr().context("the admin port is gone")?;
    let ready = {
        let gateway = Arc::clone(running.gateway());
        vec![admin::gateway(move || gateway.is_ready())]
    };
    let (closing, scrape) = (CancellationToken::new(), process.logs.scrape());
    let admin = tokio::spawn(admin::serve(admin, ready, scrape, closing.clone()));
    let what = format!("mailfleet gateway {id} listens on");
    process.announce(&what, &[("listen", server.local_addr()), ("admin", admin_at)])?;
    let served = server.serve(process.shutdown.clone().cancelled_owned()).await;
    running.stop().await;
    closing.cancel();
    admin.await.context("the admin port ended early")?.context("the admin port failed")?;
    process.end().await?;
    served.context("the gateway failed")?;
    Ok(Exit::Good)
}
