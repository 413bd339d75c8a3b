//! Reaching a gateway: its address, who calls, and what a failed call means for a person.
//!
//! The token comes from a file or the environment, never from an argument: other users can see
//! the arguments of a process. It is never printed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use mailfleet_model::Secret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::exit::Error;
use crate::render::wrap;
use crate::span;

/// The gateway that `serve` offers without any configuration.
const DEFAULT_URL: &str = "http://127.0.0.1:7443";
/// The variable that holds a token.
const TOKEN: &str = "MAILFLEET_TOKEN";
/// Longest time to reach the gateway.
const CONNECT: Duration = Duration::from_secs(10);

/// Which gateway, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct GatewayArgs {
    /// The gateway
    #[arg(long, value_name = "URL", env = "MAILFLEET_GATEWAY", default_value = DEFAULT_URL)]
    #[arg(help_heading = "Gateway", hide_env_values = true)]
    pub(crate) gateway: String,
    #[command(flatten)]
    pub(crate) caller: CallerArgs,
}

/// As whom a gateway is called.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CallerArgs {
    /// File with the token; without it, the variable MAILFLEET_TOKEN
    #[arg(long, value_name = "FILE", help_heading = "Gateway")]
    pub(crate) token_file: Option<PathBuf>,
    /// Trust the authorities in this PEM file for https:// gateways, beside the system's
    #[arg(long, value_name = "FILE", help_heading = "Gateway")]
    pub(crate) gateway_ca: Option<PathBuf>,
}

/// A gateway that was reached.
pub(crate) struct Gateway {
    url: String,
    channel: Channel,
    bearer: Bearer,
}

/// The channel that a generated client takes.
pub(crate) type Calls = InterceptedService<Channel, Bearer>;

/// Adds the token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl Gateway {
    /// Connects.
    ///
    /// # Errors
    /// Wrong usage for a token or URL that cannot be used; our own if nobody answers.
    pub(crate) async fn reach(url: &str, caller: &CallerArgs) -> Result<Self, Error> {
        let bearer = caller.bearer()?;
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        let endpoint = Endpoint::from_shared(url.to_owned()).ok().filter(|_| is_url);
        let Some(endpoint) = endpoint else {
            let url = wrap::clean(url);
            return Err(Error::Request(format!(
                "--gateway: {url} is no URL such as {DEFAULT_URL} or https://gateway.example.com"
            )));
        };
        let cannot = || format!("cannot reach the gateway at {url}");
        let endpoint = endpoint.connect_timeout(CONNECT).tcp_nodelay(true);
        let endpoint = if url.starts_with("https://") {
            endpoint.tls_config(caller.tls()?).with_context(cannot)?
        } else {
            endpoint
        };
        let channel = endpoint.connect().await.with_context(cannot)?;
        Ok(Self { url: url.to_owned(), channel, bearer })
    }

    /// What a generated client is made with.
    pub(crate) fn calls(&self) -> Calls {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// What a failed call means for whoever made it.
    pub(crate) fn told(&self, status: &Status) -> Error {
        let said = wrap::clean(status.message());
        match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => {
                Error::Request(format!("the gateway refuses the request: {said}"))
            }
            Code::Unauthenticated => Error::Request(format!(
                "the gateway at {} wants a token: set {TOKEN} or use --token-file ({said})",
                self.url
            )),
            Code::PermissionDenied => {
                Error::Request(format!("the gateway does not allow it: {said}"))
            }
            code => {
                let details = status.get_error_details();
                let wait = details.retry_info().and_then(|info| info.retry_delay);
                let again = wait.map(|wait| format!("; try again in {}", span::brief(wait)));
                let again = again.unwrap_or_default();
                Error::Own(anyhow!("the gateway at {} answered {code:?}: {said}{again}", self.url))
            }
        }
    }
}

impl CallerArgs {
    fn bearer(&self) -> Result<Bearer, Error> {
        let (token, from) = match &self.token_file {
            Some(path) => {
                let read = std::fs::read(path);
                let cannot = |error| format!("--token-file: {}: {error}", path.display());
                (read.map_err(|error| Error::Request(cannot(error)))?, "--token-file")
            }
            None => match std::env::var_os(TOKEN) {
                Some(token) => (token.into_encoded_bytes(), TOKEN),
                None => return Ok(Bearer(None)),
            },
        };
        let token = Secret::new(token);
        // Files end in a line break that is no part of the token.
        let trimmed = token.expose().trim_ascii();
        let header = [b"Bearer ".as_slice(), trimmed].concat();
        let value = MetadataValue::try_from(header).ok();
        let graphic = !trimmed.is_empty() && trimmed.iter().all(u8::is_ascii_graphic);
        let Some(mut value) = value.filter(|_| graphic) else {
            return Err(Error::Request(format!("{from}: holds no token of printable characters")));
        };
        value.set_sensitive(true);
        Ok(Bearer(Some(value)))
    }

    fn tls(&self) -> Result<ClientTlsConfig, Error> {
        let tls = ClientTlsConfig::new().with_native_roots();
        let Some(path) = &self.gateway_ca else { return Ok(tls) };
        let pem = std::fs::read(path).map_err(|error| {
            Error::Request(format!("--gateway-ca: {}: {error}", path.display()))
        })?;
        Ok(tls.ca_certificate(Certificate::from_pem(pem)))
    }
}
