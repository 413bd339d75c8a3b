//! Callers of one job on two gateways: each sees its live steps, whichever of them made it.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use mailfleet_api::v1::{leg, step, step_event};
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;

use super::ground::{CRM, Ground, Size, USUAL, as_tenant};
use super::lab::Use;
use super::mail::{Estates, PASSWORD, mailbox};
use super::process::PATIENCE;

/// Logins take so long that there is time to join: the outgoing one begins when the incoming one
/// is answered.
const LOGIN: Duration = Duration::from_secs(3);

const SLOW: Size =
    Size { n_workers: 2, mail: Estates { n_pairs: 1, n_mailboxes: 1, login: LOGIN }, ..USUAL };

type Stream = Streaming<v1::ValidateResponse>;

fn request(ground: &Ground) -> v1::ValidateRequest {
    ground.mail.pairs[0].request(&mailbox(0, 0), PASSWORD)
}

/// Asks for the validation; gives its job and what follows.
async fn validate(ground: &Ground, channel: Channel) -> (String, Stream) {
    let call = as_tenant(CRM, request(ground));
    let answer = ValidationServiceClient::new(channel).validate(call).await;
    let mut stream = answer.expect("accepted").into_inner();
    match next(&mut stream).await {
        Event::Accepted(accepted) => (accepted.job_id, stream),
        other @ (Event::Step(_) | Event::Report(_)) => panic!("began with {other:?}"),
    }
}

async fn next(stream: &mut Stream) -> Event {
    let message = timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("no error").expect("a report is last").event.expect("always set")
}

/// Waits until a login has begun.
async fn logging_in(stream: &mut Stream) {
    loop {
        let Event::Step(v1::StepEvent { event: Some(event), .. }) = next(stream).await else {
            panic!("no login")
        };
        if event == step_event::Event::Started(step::Kind::Login.into()) {
            return;
        }
    }
}

/// Reads to the report; gives the steps that ended before it.
async fn steps(mut stream: Stream) -> Vec<(leg::Kind, step::Kind)> {
    let mut steps = Vec::new();
    loop {
        match next(&mut stream).await {
            Event::Step(told) => {
                let leg = told.leg();
                if let Some(step_event::Event::Finished(step)) = told.event {
                    steps.push((leg, step.kind()));
                }
            }
            Event::Report(report) => {
                assert_eq!(report.verdict(), v1::report::Verdict::Healthy, "{:?}", report.faults);
                return steps;
            }
            Event::Accepted(_) => panic!("accepted twice"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_at_another_gateway_sees_the_steps_from_then_on() {
    let Some(ground) = Ground::start(SLOW, Use::Shared).await else { return };
    let channels = ground.channels();
    let (job, mut first) = validate(&ground, channels[0].clone()).await;
    logging_in(&mut first).await;
    let (joined, second) = validate(&ground, channels[1].clone()).await;
    assert_eq!(joined, job);
    let (first, second) = tokio::join!(steps(first), steps(second));
    let last = (leg::Kind::Smtp, step::Kind::Login);
    assert!(first.contains(&last), "{first:?}");
    assert!(second.contains(&last), "{second:?}");
    eprintln!("joined at another gateway: {} steps of {}", second.len(), first.len());
    assert_eq!(ground.mail.total(), 2, "one session at each server");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_what_nobody_watched_sees_the_steps_from_then_on_at_every_gateway() {
    let Some(ground) = Ground::start(SLOW, Use::Shared).await else { return };
    let channels = ground.channels();
    let validation = Some(request(&ground));
    let call = as_tenant(CRM, v1::SubmitValidationRequest { validation });
    let mut client = ValidationServiceClient::new(channels[0].clone());
    let answer = client.submit_validation(call).await.expect("accepted").into_inner();
    let job = answer.job.expect("always set").job_id;
    let mut watched = Vec::new();
    for channel in channels {
        let (joined, stream) = validate(&ground, channel).await;
        assert_eq!(joined, job);
        watched.push(tokio::spawn(steps(stream)));
    }
    for steps in watched {
        let steps = steps.await.expect("a report");
        assert!(steps.contains(&(leg::Kind::Smtp, step::Kind::Login)), "{steps:?}");
    }
}
