//! More callers than places.

use std::num::NonZeroUsize;
use std::time::Duration;

use mailfleet_api::v1::report::Verdict;
use mailfleet_api::v1::{self, fault};
use mailfleet_gateway::Config;
use mailfleet_mailsim::{Fault, Running, Server, Step, What};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::world::{World, config, mail, pop3_request, report, seen};

fn narrow(queue: usize) -> Config {
    Config { max_concurrent: NonZeroUsize::MIN, queue, ..config() }
}

#[tokio::test]
async fn whoever_finds_no_place_is_told_when_to_come_back() {
    let server = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(1)))).await;
    let world = World::start(narrow(0)).await;
    let mut client = world.client().await;
    let first = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    seen(&server, "STAT").await;
    let asked = v1::ValidateRequest { language: "ja".to_owned(), ..pop3_request(&server) };
    let refused = client.validate(asked).await.expect_err("there is no place");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    let delay = details.retry_info().expect("a time").retry_delay;
    assert_eq!(delay, Some(Config::default().retry_after));
    assert_eq!(details.localized_message().expect("a text").locale, "ja");

    assert_eq!(report(first).await.verdict(), Verdict::Healthy);
    let again = client.validate(pop3_request(&server)).await.expect("the place is free again");
    assert_eq!(report(again.into_inner()).await.verdict(), Verdict::Healthy);
}

#[tokio::test]
async fn whoever_waits_is_served_in_turn() {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(300)))).await;
    let world = World::start(narrow(1)).await;
    let mut client = world.client().await;
    let first = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    let second = client.validate(pop3_request(&server)).await.expect("may wait").into_inner();
    let (first, second) = tokio::join!(report(first), report(second));
    assert_eq!((first.verdict(), second.verdict()), (Verdict::Healthy, Verdict::Healthy));
    assert!(opened_after_goodbye(&server), "{}", server.recorder().lines());
}

/// Whether the second session began only after the first one had said QUIT.
fn opened_after_goodbye(server: &Running) -> bool {
    let events = server.recorder().events();
    let place = |session: u64, is: fn(&What) -> bool| {
        events.iter().position(|event| event.session == session && is(&event.what))
    };
    let goodbye = place(1, |what| matches!(what, What::Command { line } if line == "QUIT"));
    let second = place(2, |what| matches!(what, What::Opened { .. }));
    goodbye.is_some() && goodbye < second
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue_is_ours_to_answer_for() {
    let slow = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(5)))).await;
    let world = World::start(narrow(1)).await;
    let mut client = world.client().await;
    let _first = client.validate(pop3_request(&slow)).await.expect("accepted").into_inner();
    seen(&slow, "STAT").await;
    let mut call = Request::new(pop3_request(&slow));
    call.set_timeout(Duration::from_secs(1));
    let report = report(client.validate(call).await.expect("may wait").into_inner()).await;
    assert_eq!(report.faults[0].code(), fault::Code::CapacityLimit);
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    assert_eq!(slow.recorder().sessions().total, 1, "the second one never connected");
}
