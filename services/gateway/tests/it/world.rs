//! A gateway on a free port, and what a caller needs to talk to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use mailfleet_gateway::{Config, Error, Server, Validator};
use mailfleet_mailsim::{Authority, Running, Server as MailServer};
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, Probe, Rules};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Streaming;
use tonic::transport::Channel;

pub(crate) const ADDRESS: &str = "user@example.test";
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";
/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Client = ValidationServiceClient<Channel>;

/// A running gateway.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
}

pub(crate) fn validator() -> Validator {
    let authority = Authority::shared().expect("an authority");
    let probe = Probe {
        resolver: Resolver::fixed([("localhost".to_owned(), vec![Ipv4Addr::LOCALHOST.into()])]),
        targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a range")]),
        trust: Trust::only([authority.root_der()]).expect("a root"),
        limits: Limits::default(),
        identity: Identity::default(),
        rules: Rules { courier: CourierRule::Refuse },
    };
    Validator::new(Arc::new(probe), Vec::new())
}

/// The default settings on a free port.
pub(crate) fn config() -> Config {
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    Config { listen, ..Config::default() }
}

impl World {
    pub(crate) async fn start(config: Config) -> Self {
        let server = Server::bind(config, validator()).await.expect("a free port");
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        Self { address, stop, serving: tokio::spawn(server.serve(shutdown)) }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        endpoint.expect("an address").connect().await.expect("it listens")
    }

    pub(crate) async fn client(&self) -> Client {
        ValidationServiceClient::new(self.channel().await)
    }

    /// Asks the gateway to end.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), Error>> {
        let _ = self.stop.send(());
        self.serving
    }
}

/// Starts a mail server that knows the mailbox.
pub(crate) async fn mail(server: MailServer) -> Running {
    server.mailbox(ADDRESS, PASSWORD).start().await.expect("a free port")
}

fn settings(server: &Running, protocol: v1::endpoint::Protocol) -> v1::LegSettings {
    let endpoint = v1::Endpoint {
        protocol: protocol.into(),
        host: "localhost".to_owned(),
        port: server.port().into(),
        security: v1::endpoint::Security::Tls.into(),
    };
    v1::LegSettings { endpoint: Some(endpoint), login: None }
}

/// A request without legs.
pub(crate) fn request() -> v1::ValidateRequest {
    let password = v1::login::Credential::Password(PASSWORD.as_bytes().to_vec());
    v1::ValidateRequest {
        address: ADDRESS.to_owned(),
        login: Some(v1::Login { username: String::new(), credential: Some(password) }),
        ..v1::ValidateRequest::default()
    }
}

/// A request to look into a POP3 mailbox.
pub(crate) fn pop3_request(server: &Running) -> v1::ValidateRequest {
    v1::ValidateRequest {
        incoming: vec![settings(server, v1::endpoint::Protocol::Pop3)],
        ..request()
    }
}

/// A request to look into a POP3 mailbox and to try the envelope by SMTP.
pub(crate) fn both_request(incoming: &Running, outgoing: &Running) -> v1::ValidateRequest {
    v1::ValidateRequest {
        outgoing: Some(settings(outgoing, v1::endpoint::Protocol::Smtp)),
        ..pop3_request(incoming)
    }
}

/// The next message of the stream.
pub(crate) async fn next(stream: &mut Streaming<v1::ValidateResponse>) -> Event {
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("no error").expect("not the end").event.expect("every message has an event")
}

/// Reads the stream to its end; gives the last event.
pub(crate) async fn last(mut stream: Streaming<v1::ValidateResponse>) -> Event {
    let mut last = None;
    while let Some(message) =
        tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time").expect("no error")
    {
        last = message.event;
    }
    last.expect("at least one message")
}

/// The report at the end of the stream.
pub(crate) async fn report(stream: Streaming<v1::ValidateResponse>) -> v1::Report {
    match last(stream).await {
        Event::Report(report) => report,
        other @ (Event::Accepted(_) | Event::Step(_)) => panic!("ended with {other:?}"),
    }
}

/// Waits until the server has seen a command.
pub(crate) async fn seen(server: &Running, command: &str) {
    let has = |r: &mailfleet_mailsim::Recorder| r.commands().iter().any(|c| c == command);
    let is_seen = server.recorder().wait_until(PATIENCE, has).await;
    assert!(is_seen, "no {command} in {:?}", server.recorder().commands());
}
