//! How legs and workers end: cancel, drain, a lost claim, a silent broker.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mailfleet_api::order::Pair;
use mailfleet_engine::fence::Standing;
use mailfleet_mailsim::{Fault, Recorder, Running as MailServer, Server, Step};
use mailfleet_model::fleet::{Control, GatewayQueue, ReturnReason, WorkerQueue};
use mailfleet_model::leg::{LegPlan, OutgoingPlan};

use crate::order::Sent;
use crate::spy::{Noted, Spied, Spy};
use crate::world::{PATIENCE, Running, World, alone, logs_in, mail, name, no_pool};

pub(crate) async fn is_left(server: &MailServer) {
    let left = |record: &Recorder| record.sessions().current == 0;
    assert!(server.recorder().wait_until(PATIENCE, left).await);
}

pub(crate) fn said(server: &MailServer, word: &str) -> bool {
    server.recorder().commands().iter().any(|line| line.starts_with(word))
}

/// A leg that hangs at its login for as long as it may.
pub(crate) async fn stuck<H, G: GatewayQueue>(world: &World<H, G>) -> (MailServer, Sent) {
    let server = mail(Server::imap().at(Step::Login, Fault::Silent), &["user@example.test"]).await;
    let sent = Sent::to(&server, 1);
    sent.send(world).await;
    logs_in(&server).await;
    (server, sent)
}

#[tokio::test]
async fn a_running_leg_of_a_cancelled_job_takes_leave() {
    let server = mail(Server::smtp(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let spy = Spy::on(world.hub.worker(name("worker-1")));
    let mut worker = world.start(alone("worker-1"), Spied(spy.clone()), no_pool()).await;
    // It waits for marks that nobody will take.
    let to = "user@example.test".parse().expect("an address");
    let plan = OutgoingPlan::TestMail { to, token: "0123456789abcdef".to_owned() };
    let sent = Sent {
        plan: LegPlan::Outgoing(plan),
        pair: Pair::Outgoing,
        budget: Duration::from_secs(60),
        ..Sent::out(&server, 1)
    };
    let leg = sent.send(&world).await;
    logs_in(&server).await;
    world.say(Control::Cancel(leg.job)).await;
    is_left(&server).await;
    assert!(said(&server, "QUIT"));
    worker.runs(0).await;
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    assert_eq!(spy.noted(), [Noted::Acked(leg)], "nothing is told about it");
    assert_eq!(server.recorder().mails(), 0);
}

#[tokio::test]
async fn a_drain_lets_legs_end_and_starts_no_more() {
    let slow = Server::imap().latency(Step::Login, Duration::from_millis(700));
    let server = mail(slow, &["user@example.test"]).await;
    let world = World::new(1).await;
    let worker = world.worker().await;
    let first = Sent::to(&server, 1).send(&world).await;
    let second = Sent::to(&server, 2).send(&world).await;
    logs_in(&server).await;
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    let end = world.until(|seen| seen.end(first)).await;
    assert_eq!(end.summary.code, None);
    assert!(said(&server, "LOGOUT"));
    assert!(world.now(|seen| seen.end(second).is_none()));
    assert_eq!(server.recorder().sessions().total, 1);
}

#[tokio::test]
async fn a_drain_that_takes_too_long_takes_leave_of_the_servers() {
    let world = World::new(10).await;
    let config = crate::world::alone("worker-1");
    let config = mailfleet_worker::Config { drain: Duration::from_millis(100), ..config };
    let queue = world.hub.worker(name("worker-1"));
    let worker = world.start(config, queue, no_pool()).await;
    let (server, sent) = stuck(&world).await;
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    is_left(&server).await;
    assert!(world.now(|seen| seen.end(sent.leg).is_none()), "the next owner has it redelivered");
}

#[tokio::test]
async fn a_dropped_worker_ends_at_once() {
    let world = World::new(10).await;
    let Running { task, .. } = world.worker().await;
    let (server, sent) = stuck(&world).await;
    task.abort();
    is_left(&server).await;
    assert!(!said(&server, "LOGOUT"));
    // Its shards are free: the next worker has the leg redelivered.
    let _next = world.worker().await;
    let returned = world.until(|seen| seen.returned(sent.leg)).await;
    assert_eq!(returned.reason, ReturnReason::Redelivered);
}

#[tokio::test]
async fn a_lost_claim_closes_the_sockets_of_its_legs() {
    let world = World::new(10).await;
    let spy = Spy::on(world.hub.worker(name("worker-1")));
    let _worker = world.start(alone("worker-1"), Spied(spy.clone()), no_pool()).await;
    let (server, sent) = stuck(&world).await;
    spy.queue.abort().await;
    is_left(&server).await;
    assert!(!said(&server, "LOGOUT"), "there is no time for it");
    // The same worker claims its shards again, and knows better than to run the leg.
    let returned = world.until(|seen| seen.returned(sent.leg)).await;
    assert_eq!(returned.reason, ReturnReason::Redelivered);
    assert_eq!(server.recorder().sessions().total, 1);
}

#[tokio::test]
async fn behind_the_fence_every_socket_is_closed() {
    let world = World::new(10).await;
    let spy = Spy::on(world.hub.worker(name("worker-1")));
    let mut config = alone("worker-1");
    let hold = &mut config.rules.hold;
    hold.heartbeat = Duration::from_millis(1_000);
    (hold.stop, hold.abort) = (hold.heartbeat, hold.heartbeat * 3 / 2);
    let mut worker = world.start(config, Spied(spy.clone()), no_pool()).await;
    let (server, _) = stuck(&world).await;
    spy.silent.store(true, Ordering::SeqCst);
    let doubts = worker.health.wait_until(|state| state.standing == Standing::Doubtful);
    assert!(tokio::time::timeout(PATIENCE, doubts).await.expect("in time"));
    assert_eq!(server.recorder().sessions().current, 1, "what runs may still run");
    is_left(&server).await;
    assert!(!said(&server, "LOGOUT"));
    assert!(!worker.health.is_ready());
}
