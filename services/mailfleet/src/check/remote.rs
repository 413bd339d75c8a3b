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
use tonic::Streaming;

use super::request::request;
use crate::client::{CallerArgs, Gateway};
use crate::exit::Error;

/// Time beyond those of the legs until the report must be there.
const GRACE: Duration = Duration::from_secs(30);
/// A report holds every step and the chain of certificates of each leg.
const MAX_REPORT: usize = 16 * 1024 * 1024;

/// Lets the gateway at `url` run the validation, and passes its live events on.
///
/// # Errors
/// Wrong usage if the gateway refuses the request; our own if it cannot be reached or ends
/// early; interrupted if `cancel` says so.
pub(crate) async fn run(
    url: &str,
    caller: &CallerArgs,
    validation: &Validation,
    observer: &dyn LegObserver,
    cancel: CancellationToken,
) -> Result<Report, Error> {
    let longest = longest(validation);
    let work = async {
        let gateway = Gateway::reach(url, caller).await?;
        let client = ValidationServiceClient::new(gateway.calls());
        let mut client = client.max_decoding_message_size(MAX_REPORT);
        let answer = client.validate(request(validation)).await;
        let answer = answer.map_err(|status| gateway.told(&status))?;
        read(&gateway, answer.into_inner(), observer).await
    };
    tokio::select! {
        done = timeout(longest, work) => done.unwrap_or_else(|_| {
            Err(Error::Own(anyhow!("the gateway at {url} sent no report in time")))
        }),
        // The stream is dropped with the future, and with it the check at the gateway.
        () = cancel.cancelled() => Err(Error::Interrupted),
    }
}

/// Reads events until the report.
async fn read(
    gateway: &Gateway,
    mut answer: Streaming<v1::ValidateResponse>,
    observer: &dyn LegObserver,
) -> Result<Report, Error> {
    while let Some(message) = answer.message().await.map_err(|status| gateway.told(&status))? {
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
    Err(Error::Own(anyhow!("the gateway ended the answer without a report")))
}

/// How long the whole call may take.
fn longest(validation: &Validation) -> Duration {
    let arrival = match validation.test_mail {
        TestMail::Envelope | TestMail::LoginOnly => Duration::ZERO,
        TestMail::ToSelf | TestMail::To(_) => validation.arrival_timeout,
    };
    validation.budget + arrival + GRACE
}
