//! The end of a gateway: what runs is finished, what is new is refused, health says so.

use std::time::Duration;

use mailfleet_api::v1::report::Verdict;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_gateway::Config;
use mailfleet_mailsim::{Fault, Server, Step};
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::world::{PATIENCE, World, config, mail, next, pop3_request, report, seen};

const SERVICE: &str = "mailfleet.v1.ValidationService";

#[tokio::test]
async fn a_drain_finishes_what_runs_and_refuses_what_is_new() {
    let server = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(1)))).await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let mut health = HealthClient::new(world.channel().await);
    let asked = HealthCheckRequest { service: SERVICE.to_owned() };
    let mut watch = health.watch(asked).await.expect("it is known").into_inner();
    let status = watch.message().await.expect("no error").expect("a status");
    assert_eq!(status.status(), ServingStatus::Serving);

    let running = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    seen(&server, "STAT").await;
    let ended = world.stop();
    let status = timeout(PATIENCE, watch.message()).await.expect("in time");
    assert_eq!(status.expect("no error").expect("a status").status(), ServingStatus::NotServing);

    let refused = client.validate(pop3_request(&server)).await.expect_err("it is draining");
    assert_eq!(refused.code(), Code::Unavailable);
    let details = refused.get_error_details();
    assert_eq!(details.error_info().expect("a reason").reason, "SHUTTING_DOWN");

    assert_eq!(report(running).await.verdict(), Verdict::Healthy);
    // The health watcher never leaves by itself and does not hold the end up.
    let ended = timeout(PATIENCE, ended).await.expect("in time");
    ended.expect("no panic").expect("no failure");
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_given_up_with_a_goodbye() {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(900)))).await;
    let world = World::start(Config { drain_grace: Duration::ZERO, ..config() }).await;
    let call = world.client().await.validate(pop3_request(&server)).await;
    let mut stream = call.expect("accepted").into_inner();
    seen(&server, "STAT").await;
    let ended = world.stop();
    let status = loop {
        match timeout(PATIENCE, stream.message()).await.expect("in time") {
            Ok(Some(message)) => assert!(!matches!(message.event, Some(Event::Report(_)))),
            Ok(None) => panic!("ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    let details = status.get_error_details();
    assert_eq!(details.error_info().expect("a reason").reason, "GIVEN_UP_AT_SHUTDOWN");
    seen(&server, "QUIT").await;
    assert!(!server.recorder().commands().contains(&"UIDL".to_owned()));
    timeout(PATIENCE, ended).await.expect("in time").expect("no panic").expect("no failure");
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let server = mail(Server::pop3()).await;
    let mut stream = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    assert!(matches!(next(&mut stream).await, Event::Accepted(_)));
    report(stream).await;
    let ended = timeout(Duration::from_secs(5), world.stop()).await.expect("at once");
    ended.expect("no panic").expect("no failure");
}
