//! What happens when the caller goes away.

use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::report::Verdict;
use mailfleet_mailsim::{Fault, Running, Server, Step};

use crate::calls::{accepted, mail, pop3_request, report, seen};
use crate::world::{World, config};

/// The server's pause before it answers STAT: longer than a caller needs to leave, shorter
/// than the time that a leg takes for its goodbye.
const PAUSE: Duration = Duration::from_millis(900);

async fn slow() -> Running {
    mail(Server::pop3().at(Step::Stat, Fault::Delay(PAUSE))).await
}

/// Calls, waits until the mailbox is being opened, and leaves.
async fn call_and_leave(world: &World, server: &Running, cancel_on_disconnect: bool) {
    let asked = v1::ValidateRequest { cancel_on_disconnect, ..pop3_request(server) };
    let response = world.client().await.validate(asked).await.expect("accepted");
    let mut stream = response.into_inner();
    accepted(&mut stream).await;
    seen(server, "STAT").await;
}

#[tokio::test]
async fn a_caller_that_asked_for_it_cancels_by_leaving_and_the_leg_says_goodbye() {
    let server = slow().await;
    let world = World::start(config()).await;
    call_and_leave(&world, &server, true).await;
    seen(&server, "QUIT").await;
    let commands = server.recorder().commands();
    assert!(!commands.contains(&"UIDL".to_owned()), "it went on: {commands:?}");
}

#[tokio::test]
async fn otherwise_the_validation_runs_to_its_end() {
    let server = slow().await;
    let world = World::start(config()).await;
    call_and_leave(&world, &server, false).await;
    seen(&server, "QUIT").await;
    let commands = server.recorder().commands();
    assert!(commands.contains(&"UIDL".to_owned()), "it stopped: {commands:?}");
}

#[tokio::test]
async fn a_caller_that_leaves_takes_the_job_from_nobody_else() {
    let server = slow().await;
    let world = World::start(config()).await;
    let asked = v1::ValidateRequest { cancel_on_disconnect: true, ..pop3_request(&server) };
    let mut client = world.client().await;
    let mut first = client.validate(asked).await.expect("accepted").into_inner();
    let mut second = client.validate(pop3_request(&server)).await.expect("joins").into_inner();
    assert_eq!(accepted(&mut first).await.job_id, accepted(&mut second).await.job_id);
    drop(first);
    assert_eq!(report(second).await.verdict(), Verdict::Healthy);
}
