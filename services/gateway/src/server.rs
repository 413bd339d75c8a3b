//! The listening side: binds, serves, and ends in an orderly way.
//!
//! The end has three parts. First the health service says NOT_SERVING and new validations
//! are refused, while the socket stays open for whoever asks. Then running validations get
//! their grace; what still runs is cancelled and logs out. Last the connections are closed.

use std::net::SocketAddr;
use std::time::Duration;

use mailfleet_api::FILE_DESCRIPTOR_SET;
use mailfleet_api::v1::validation_service_server::{self, ValidationServiceServer};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Router, TcpIncoming};
use tonic_health::server::HealthReporter;

use crate::config::Config;
use crate::validate::Validator;
use crate::validation_service::Validations;

/// Longest wait for cancelled validations: the hard stop of a leg, and some.
const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// Longest wait for connections to close once nothing runs any more; health watchers never
/// go by themselves.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// Calls at once on one connection.
const MAX_STREAMS: u32 = 1_000;
/// Largest header list of a call, in bytes.
const MAX_HEADERS: u32 = 16 * 1024;
/// Largest answer, in bytes. A report has at most a few hundred kilobytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Largest request to the health and reflection services, in bytes.
const MAX_SMALL_REQUEST: usize = 16 * 1024;
/// Names under which the reflection service describes itself.
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

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
    /// The reflection service could not read its own descriptors.
    #[error("cannot offer reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("cannot serve")]
    Serve(#[source] tonic::transport::Error),
}

/// A gateway that is bound and not serving yet.
#[derive(Debug)]
pub struct Server {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    validations: Validations,
}

impl Server {
    /// Binds the configured address.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] and [`Error::Bind`].
    pub async fn bind(config: Config, validator: Validator) -> Result<Self, Error> {
        let listen = config.listen;
        if !listen.ip().to_canonical().is_loopback() {
            return Err(Error::NotLoopback { listen });
        }
        let failed = |source| Error::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let validations = Validations::new(&config, validator);
        Ok(Self { config, listener, address, validations })
    }

    /// The address that is listened on, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends, then drains. Returns when nothing runs any more.
    ///
    /// Not cancel-safe: dropping the future cuts running validations off without a LOGOUT,
    /// which is what a second signal asks for.
    ///
    /// # Errors
    /// [`Error::Reflection`] and [`Error::Serve`].
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let (health, router) = self.router().await?;
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        let close = CancellationToken::new();
        let closing = close.clone().cancelled_owned();
        let serving = router.serve_with_incoming_shutdown(incoming, closing);
        let mut serving = std::pin::pin!(serving);
        tracing::info!(listen = %self.address, "gateway is serving");
        tokio::select! {
            // Ends before the shutdown only if the transport fails.
            ended = &mut serving => return ended.map_err(Error::Serve),
            () = async {
                shutdown.await;
                drain(&self.validations, &health, self.config.drain_grace).await;
            } => close.cancel(),
        }
        match timeout(CLOSE_GRACE, serving).await {
            Ok(ended) => ended.map_err(Error::Serve),
            Err(_) => Ok(()),
        }
    }

    async fn router(&self) -> Result<(HealthReporter, Router), Error> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<ValidationServiceServer<Validations>>().await;
        // By name: the descriptors also know services that other deployments serve.
        let describe = |reflection: &'static str| {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .with_service_name(validation_service_server::SERVICE_NAME)
                .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
                .with_service_name(reflection)
        };
        let service = ValidationServiceServer::new(self.validations.clone())
            .max_decoding_message_size(self.config.max_request_bytes)
            .max_encoding_message_size(MAX_ANSWER);
        let reflection = describe(REFLECTION).build_v1().map_err(Error::Reflection)?;
        let reflection_alpha =
            describe(REFLECTION_ALPHA).build_v1alpha().map_err(Error::Reflection)?;
        let router = tonic::transport::Server::builder()
            .max_concurrent_streams(MAX_STREAMS)
            .http2_max_header_list_size(MAX_HEADERS)
            .http2_keepalive_interval(Some(self.config.keepalive_interval))
            .http2_keepalive_timeout(Some(self.config.keepalive_timeout))
            .add_service(health_service.max_decoding_message_size(MAX_SMALL_REQUEST))
            .add_service(reflection.max_decoding_message_size(MAX_SMALL_REQUEST))
            .add_service(reflection_alpha.max_decoding_message_size(MAX_SMALL_REQUEST))
            .add_service(service);
        Ok((health, router))
    }
}

/// Refuses what is new, lets finish what runs, cancels what does not finish in time.
async fn drain(validations: &Validations, health: &HealthReporter, grace: Duration) {
    validations.draining.cancel();
    health.set_not_serving::<ValidationServiceServer<Validations>>().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    let running = &validations.running;
    running.close();
    tracing::info!(running = running.len(), "gateway is draining");
    if timeout(grace, running.wait()).await.is_ok() {
        tracing::info!("gateway has drained");
        return;
    }
    tracing::warn!(running = running.len(), "grace is over, cancelling what still runs");
    validations.stop.cancel();
    if timeout(CANCEL_GRACE, running.wait()).await.is_err() {
        tracing::error!(running = running.len(), "validations did not end, leaving them behind");
    }
}
