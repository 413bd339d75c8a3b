//! A check at a gateway: the request, its stream of events, and what can go wrong on the way.
//!
//! Dropping the stream cancels the check: the request always says `cancel_on_disconnect`.
//! A mailbox that does not work is a report like any other; an error here is about the gateway.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use mailfleet_api::{event, v1};
use mailfleet_model::{LegObserver, Report, TestMail, Validation};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status, Streaming};

use super::request::request;
use crate::exit::Error;

/// Longest time to reach the gateway.
const CONNECT: Duration = Duration::from_secs(10);
/// Time beyond those of the legs until the report must be there.
const GRACE: Duration = Duration::from_secs(30);

/// Lets the gateway at `url` run the validation, and passes its live events on.
///
/// # Errors
/// Wrong usage if the gateway refuses the request; our own if it cannot be reached or ends
/// early; interrupted if `cancel` says so.
pub(crate) async fn run(
    url: &str,
    validation: &Validation,
    observer: &dyn LegObserver,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let longest = longest(validation);
    let work = async {
        let mut client = ValidationServiceClient::new(connect(url).await?);
        let request = request(validation);
        let answer = client.validate(request).await.map_err(|status| refused(url, &status))?;
        read(url, answer.into_inner(), observer).await
    };
    tokio::select! {
        done = timeout(longest, work) => done.unwrap_or_else(|_| {
            Err(Error::Own(anyhow!("the gateway at {url} sent no report in time")))
        }),
        // The stream is dropped with the future, and with it the check at the gateway.
        () = cancel.cancelled() => Err(Error::Interrupted),
    }
}

async fn connect(url: &str) -> Result<Channel, Error> {
    let cannot = || format!("cannot reach the gateway at {url}");
    let endpoint = Endpoint::from_shared(url.to_owned()).with_context(cannot)?;
    let endpoint = endpoint.connect_timeout(CONNECT);
    let endpoint = if url.starts_with("https://") {
        let tls = ClientTlsConfig::new().with_native_roots();
        endpoint.tls_config(tls).with_context(cannot)?
    } else {
        endpoint
    };
    Ok(endpoint.connect().await.with_context(cannot)?)
}

/// Reads events until the report.
async fn read(
    url: &str,
    mut answer: Streaming<v1::ValidateResponse>,
    observer: &dyn LegObserver,
) -> Result<Report, Error> {
    while let Some(message) = answer.message().await.map_err(|status| refused(url, &status))? {
        match message.event {
            Some(Event::Step(step)) => {
                // A kind of step that a newer gateway has is in the report anyway.
                if let Some(step) = event::from_wire(step) {
                    observer.observe(step);
                }
            }
            Some(Event::Report(report)) => {
                let report = Report::try_from(report);
                return Ok(report.context("the gateway's report cannot be read")?);
            }
            Some(Event::Accepted(_)) | None => {}
        }
    }
    Err(Error::Own(anyhow!("the gateway at {url} ended the answer without a report")))
}

/// What a failed call means for whoever made it.
fn refused(url: &str, status: &Status) -> Error {
    let said = crate::render::wrap::clean(status.message());
    match status.code() {
        Code::InvalidArgument => Error::Request(format!("the gateway refuses the request: {said}")),
        code => Error::Own(anyhow!("the gateway at {url} answered {code:?}: {said}")),
    }
}

/// How long the whole call may take.
fn longest(validation: &Validation) -> Duration {
    let arrival = match validation.test_mail {
        TestMail::Envelope | TestMail::LoginOnly => Duration::ZERO,
        TestMail::ToSelf | TestMail::To(_) => validation.arrival_timeout,
    };
    validation.budget + arrival + GRACE
}
