//! The end of a gateway: callers get their reports, what is new is refused, health says so.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::report::Verdict;
use mailfleet_gateway::Config;
use mailfleet_mailsim::{Fault, Server, Step};
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::calls::{accepted, broken_off, mail, pop3_request, reason, report, seen};
use crate::world::{Ground, PATIENCE, World, config, everybody};

const SERVICE: &str = "mailfleet.v1.ValidationService";

#[tokio::test]
async fn a_drain_waits_for_reports_and_refuses_what_is_new() {
    let server = mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_secs(1)))).await;
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let mut health = HealthClient::new(world.channel().await);
    let asked = HealthCheckRequest { service: SERVICE.to_owned() };
    let mut watch = health.watch(asked).await.expect("it is known").into_inner();
    loop {
        let status = timeout(PATIENCE, watch.message()).await.expect("in time");
        if status.expect("no error").expect("a status").status() == ServingStatus::Serving {
            break;
        }
    }
    let running = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    seen(&server, "STAT").await;
    let ended = world.stop();
    let status = timeout(PATIENCE, watch.message()).await.expect("in time");
    assert_eq!(status.expect("no error").expect("a status").status(), ServingStatus::NotServing);

    let refused = client.validate(pop3_request(&server)).await.expect_err("it is draining");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));

    assert_eq!(report(running).await.verdict(), Verdict::Healthy);
    // The health watcher never leaves by itself and does not hold the end up.
    let ended = timeout(PATIENCE, ended).await.expect("in time");
    ended.expect("no panic").expect("no failure");
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_goes_on_without_its_caller() {
    let server =
        mail(Server::pop3().at(Step::Stat, Fault::Delay(Duration::from_millis(900)))).await;
    let ground = Ground::new(Config { drain_grace: Duration::ZERO, ..config() }).await;
    let _worker = ground.worker();
    let (ending, other) = (ground.gateway(everybody()).await, ground.gateway(everybody()).await);
    let call = ending.client().await.validate(pop3_request(&server)).await;
    let mut stream = call.expect("accepted").into_inner();
    let job = accepted(&mut stream).await.job_id;
    seen(&server, "STAT").await;
    let ended = ending.stop();
    let status = broken_off(stream).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "JOB_GOES_ON"));
    timeout(PATIENCE, ended).await.expect("in time").expect("no panic").expect("no failure");

    let asked = v1::WatchJobRequest { name: format!("jobs/{job}"), ..Default::default() };
    let mut watch = other.jobs().await.watch_job(asked).await.expect("it is known").into_inner();
    let mut seen = None;
    while let Some(message) =
        timeout(PATIENCE, watch.message()).await.expect("in time").expect("no error")
    {
        seen = message.job.or(seen);
    }
    let job = seen.expect("the job was shown");
    assert_eq!((job.state(), job.verdict()), (v1::job::State::Done, Verdict::Healthy));
    assert!(server.recorder().commands().contains(&"UIDL".to_owned()), "it was not cut off");
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    let world = World::start(config()).await;
    let mut client = world.client().await;
    let server = mail(Server::pop3()).await;
    let mut stream = client.validate(pop3_request(&server)).await.expect("accepted").into_inner();
    accepted(&mut stream).await;
    report(stream).await;
    let ended = timeout(Duration::from_secs(5), world.stop()).await.expect("at once");
    ended.expect("no panic").expect("no failure");
}
