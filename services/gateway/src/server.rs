//! The listening side: binds, serves, and ends in an orderly way.
//!
//! The end has three parts. First the health service says NOT_SERVING and new submissions
//! are refused, while the socket stays open for whoever asks. Then open calls get their
//! reports, as far as they come within the grace; the others are told that their jobs go on.
//! Last the connections are closed. The loops go on meanwhile: they are `Running`'s.

mod calls;
mod tls;

pub(crate) use calls::{TRACE_ID, Traced};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use calls::CallsLayer;
use mailfleet_api::FILE_DESCRIPTOR_SET;
use mailfleet_api::v1::batch_service_server::{self, BatchServiceServer};
use mailfleet_api::v1::event_service_server::{self, EventServiceServer};
use mailfleet_api::v1::fleet_service_server::{self, FleetServiceServer};
use mailfleet_api::v1::job_service_server::{self, JobServiceServer};
use mailfleet_api::v1::validation_service_server::{self, ValidationServiceServer};
use mailfleet_model::fleet::{GatewayQueue, Store};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::ServerTlsConfig;
use tonic::transport::server::{Router, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity, Stack};

use crate::gateway::Gateway;
use crate::rpc::{Batches, Events, Fleet, Jobs, Validations};

/// Longest wait for streams that were told to end.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Longest wait for connections to close once nothing runs any more; health watchers never
/// go by themselves.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// How often health is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Calls at once on one connection.
const MAX_STREAMS: u32 = 1_000;
/// Largest header list of a call, in bytes.
const MAX_HEADERS: u32 = 16 * 1024;
/// Largest answer, in bytes. A report has at most a few hundred kilobytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Largest request to services that take no certificates, in bytes.
const MAX_SMALL_REQUEST: usize = 16 * 1024;
/// Names under which the reflection service describes itself.
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
/// The services whose health is told; the empty name stands for all of them.
const SERVICES: [&str; 6] = [
    "",
    validation_service_server::SERVICE_NAME,
    batch_service_server::SERVICE_NAME,
    event_service_server::SERVICE_NAME,
    job_service_server::SERVICE_NAME,
    fleet_service_server::SERVICE_NAME,
];

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Without tenants only loopback is allowed.
    #[error(
        "cannot listen on {listen}: without a [[tenant]] everybody could use the gateway; \
         listen on a loopback address such as 127.0.0.1:{}", listen.port()
    )]
    NotLoopback {
        /// The configured address.
        listen: SocketAddr,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {listen}")]
    Bind {
        /// The configured address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A PEM file cannot be read.
    #[error("cannot read {}", path.display())]
    TlsFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificates and keys do not make a TLS server.
    #[error("cannot use the gateway's certificates")]
    Tls(#[source] tonic::transport::Error),
    /// The reflection service could not read its own descriptors.
    #[error("cannot offer reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("cannot serve")]
    Serve(#[source] tonic::transport::Error),
}

/// A gateway that is bound and not serving yet.
#[derive(Debug)]
pub struct Server<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTlsConfig>,
}

impl<S: Store, Q: GatewayQueue> Server<S, Q> {
    /// Binds the configured address, and reads the PEM files.
    ///
    /// # Errors
    /// [`Error::NotLoopback`], [`Error::TlsFile`] and [`Error::Bind`].
    pub async fn bind(gateway: Arc<Gateway<S, Q>>) -> Result<Self, Error> {
        let config = &gateway.config;
        let listen = config.listen;
        let is_loopback = listen.ip().to_canonical().is_loopback();
        if gateway.tenants.is_local() && !is_loopback {
            return Err(Error::NotLoopback { listen });
        }
        let tls = match &config.tls {
            Some(files) => Some(tls::config(files).await?),
            None => None,
        };
        if tls.is_none() && !is_loopback {
            tracing::warn!(%listen, "tokens and passwords come in without TLS: add it in front");
        }
        let failed = |source| Error::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { gateway, listener, address, tls })
    }

    /// The address that is listened on, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends, then drains. Returns when no call is open any more.
    ///
    /// Not cancel-safe: dropping the future cuts open calls off, which is what a second
    /// signal asks for. Jobs go on either way, as long as the loops run.
    ///
    /// # Errors
    /// [`Error::Tls`], [`Error::Reflection`] and [`Error::Serve`].
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let Self { gateway, listener, address, tls } = self;
        let (health, router) = router(&gateway, tls).await?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let close = CancellationToken::new();
        let closing = close.clone().cancelled_owned();
        let serving = router.serve_with_incoming_shutdown(incoming, closing);
        let mut serving = Box::pin(serving);
        tracing::info!(listen = %address, "gateway is serving");
        tokio::select! {
            // Ends before the shutdown only if the transport fails.
            ended = &mut serving => return ended.map_err(Error::Serve),
            () = tell_health(&gateway, &health) => {}
            () = shutdown => {}
        }
        tokio::select! {
            ended = &mut serving => return ended.map_err(Error::Serve),
            () = drain(&gateway, &health) => close.cancel(),
        }
        match timeout(CLOSE_GRACE, serving).await {
            Ok(ended) => ended.map_err(Error::Serve),
            Err(_) => Ok(()),
        }
    }
}

async fn router<S: Store, Q: GatewayQueue>(
    gateway: &Arc<Gateway<S, Q>>,
    tls: Option<ServerTlsConfig>,
) -> Result<(HealthReporter, Router<Stack<CallsLayer, Identity>>), Error> {
    let config = &gateway.config;
    let (health, health_service) = tonic_health::server::health_reporter();
    set_health(&health, gateway.is_ready()).await;
    // By name: the descriptors also know services that other deployments serve.
    let describe = |reflection: &'static str| {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(validation_service_server::SERVICE_NAME)
            .with_service_name(batch_service_server::SERVICE_NAME)
            .with_service_name(event_service_server::SERVICE_NAME)
            .with_service_name(job_service_server::SERVICE_NAME)
            .with_service_name(fleet_service_server::SERVICE_NAME)
            .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
            .with_service_name(reflection)
    };
    let validations = ValidationServiceServer::new(Validations(Arc::clone(gateway)))
        .max_decoding_message_size(config.max_request_bytes)
        .max_encoding_message_size(MAX_ANSWER);
    let batches = BatchServiceServer::new(Batches(Arc::clone(gateway)))
        .max_decoding_message_size(config.max_request_bytes)
        .max_encoding_message_size(MAX_ANSWER);
    let jobs = JobServiceServer::new(Jobs(Arc::clone(gateway)))
        .max_decoding_message_size(MAX_SMALL_REQUEST)
        .max_encoding_message_size(MAX_ANSWER);
    let events = EventServiceServer::new(Events(Arc::clone(gateway)))
        .max_decoding_message_size(MAX_SMALL_REQUEST)
        .max_encoding_message_size(MAX_ANSWER);
    let fleet = FleetServiceServer::new(Fleet(Arc::clone(gateway)))
        .max_decoding_message_size(MAX_SMALL_REQUEST)
        .max_encoding_message_size(MAX_ANSWER);
    let reflection = describe(REFLECTION).build_v1().map_err(Error::Reflection)?;
    let reflection_alpha = describe(REFLECTION_ALPHA).build_v1alpha().map_err(Error::Reflection)?;
    let mut server = tonic::transport::Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(config.keepalive_interval))
        .http2_keepalive_timeout(Some(config.keepalive_timeout))
        .layer(CallsLayer);
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(Error::Tls)?;
    }
    let router = server
        .add_service(health_service.max_decoding_message_size(MAX_SMALL_REQUEST))
        .add_service(reflection.max_decoding_message_size(MAX_SMALL_REQUEST))
        .add_service(reflection_alpha.max_decoding_message_size(MAX_SMALL_REQUEST))
        .add_service(validations)
        .add_service(batches)
        .add_service(jobs)
        .add_service(events)
        .add_service(fleet);
    Ok((health, router))
}

/// Tells for ever whether calls can be served.
async fn tell_health<S: Store, Q: GatewayQueue>(gateway: &Gateway<S, Q>, health: &HealthReporter) {
    let mut told = None;
    loop {
        let ready = gateway.is_ready();
        if told != Some(ready) {
            set_health(health, ready).await;
            told = Some(ready);
        }
        sleep(LOOK).await;
    }
}

async fn set_health(health: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Refuses what is new, lets callers have their reports, tells the others that jobs go on.
async fn drain<S: Store, Q: GatewayQueue>(gateway: &Gateway<S, Q>, health: &HealthReporter) {
    gateway.draining.cancel();
    set_health(health, false).await;
    let streams = &gateway.streams;
    streams.close();
    tracing::info!(open = streams.len(), "gateway is draining");
    if timeout(gateway.config.drain_grace, streams.wait()).await.is_ok() {
        tracing::info!("gateway has drained");
        return;
    }
    tracing::warn!(open = streams.len(), "grace is over, jobs go on without their callers");
    gateway.stop.cancel();
    if timeout(STOP_GRACE, streams.wait()).await.is_err() {
        tracing::error!(open = streams.len(), "calls did not end, leaving them behind");
    }
}
