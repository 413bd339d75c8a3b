//! Requests, and what comes back.

use std::str::FromStr;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::fleet_service_client::FleetServiceClient;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use mailfleet_mailsim::{Running, Server as MailServer};
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

use crate::world::{PATIENCE, World};

pub(crate) const ADDRESS: &str = "user@example.test";
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";

pub(crate) type Client = ValidationServiceClient<Channel>;

impl World {
    pub(crate) async fn client(&self) -> Client {
        ValidationServiceClient::new(self.channel().await)
    }

    pub(crate) async fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel().await)
    }

    pub(crate) async fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel().await)
    }
}

/// The request with a token.
pub(crate) fn as_tenant<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let header = MetadataValue::from_str(&format!("Bearer {token}")).expect("ASCII");
    request.metadata_mut().insert("authorization", header);
    request
}

/// Starts a mail server that knows the mailbox.
pub(crate) async fn mail(server: MailServer) -> Running {
    server.mailbox(ADDRESS, PASSWORD).start().await.expect("a free port")
}

/// The leg to this server.
pub(crate) fn leg(server: &Running, protocol: v1::endpoint::Protocol) -> v1::LegSettings {
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
    v1::ValidateRequest {
        address: ADDRESS.to_owned(),
        login: Some(login(PASSWORD)),
        ..v1::ValidateRequest::default()
    }
}

pub(crate) fn login(password: &str) -> v1::Login {
    let password = v1::login::Credential::Password(password.as_bytes().to_vec());
    v1::Login { username: String::new(), credential: Some(password) }
}

/// A request to look into a POP3 mailbox.
pub(crate) fn pop3_request(server: &Running) -> v1::ValidateRequest {
    v1::ValidateRequest { incoming: vec![leg(server, v1::endpoint::Protocol::Pop3)], ..request() }
}

/// The same with another budget, so that it does not join another one.
pub(crate) fn pop3_apart(server: &Running, seconds: u64) -> v1::ValidateRequest {
    let budget = Duration::from_secs(seconds).try_into().expect("a span of time");
    v1::ValidateRequest { budget: Some(budget), ..pop3_request(server) }
}

/// A request to look into a POP3 mailbox and to try the envelope by SMTP.
pub(crate) fn both_request(incoming: &Running, outgoing: &Running) -> v1::ValidateRequest {
    v1::ValidateRequest {
        outgoing: Some(leg(outgoing, v1::endpoint::Protocol::Smtp)),
        ..pop3_request(incoming)
    }
}

/// A request to send a test mail to the mailbox itself and to look for it by IMAP.
pub(crate) fn test_mail_request(imap: &Running, smtp: &Running) -> v1::ValidateRequest {
    let mode = v1::test_mail::Mode::ToSelf.into();
    v1::ValidateRequest {
        incoming: vec![leg(imap, v1::endpoint::Protocol::Imap)],
        test_mail: Some(v1::TestMail { mode, recipient: String::new() }),
        ..both_request(imap, smtp)
    }
}

/// The next message of the stream.
pub(crate) async fn next(stream: &mut Streaming<v1::ValidateResponse>) -> Event {
    let message = timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("no error").expect("not the end").event.expect("every message has an event")
}

/// The acceptance, which comes first.
pub(crate) async fn accepted(stream: &mut Streaming<v1::ValidateResponse>) -> v1::Accepted {
    match next(stream).await {
        Event::Accepted(accepted) => accepted,
        other @ (Event::Step(_) | Event::Report(_)) => panic!("began with {other:?}"),
    }
}

/// Reads the stream to its end; gives the last event.
pub(crate) async fn last(mut stream: Streaming<v1::ValidateResponse>) -> Event {
    let mut last = None;
    while let Some(message) =
        timeout(PATIENCE, stream.message()).await.expect("in time").expect("no error")
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

/// The status that a stream ends with, before any report.
pub(crate) async fn broken_off(mut stream: Streaming<v1::ValidateResponse>) -> Status {
    loop {
        match timeout(PATIENCE, stream.message()).await.expect("in time") {
            Ok(Some(message)) => assert!(!matches!(message.event, Some(Event::Report(_)))),
            Ok(None) => panic!("ended without a word"),
            Err(status) => return status,
        }
    }
}

/// The stable reason of an error.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().expect("every status has a reason").reason.clone()
}

/// Waits until the server has seen a command.
pub(crate) async fn seen(server: &Running, command: &str) {
    let has = |r: &mailfleet_mailsim::Recorder| r.commands().iter().any(|c| c == command);
    let is_seen = server.recorder().wait_until(PATIENCE, has).await;
    assert!(is_seen, "no {command} in {:?}", server.recorder().commands());
}
