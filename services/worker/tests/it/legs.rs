//! What becomes of a leg on its ordinary way.

use std::sync::atomic::Ordering;

use mailfleet_api::order::leg_result;
use mailfleet_mailsim::Server;
use mailfleet_model::fleet::{
    Control, GatewayQueue, Live, Outcome, ReturnReason, ShardClaim, WorkerQueue,
};
use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{LegEvent, StepKind};
use mailfleet_worker::PREFETCH;
use tokio::time::timeout;

use crate::order::{Sent, shard};
use crate::spy::{Noted, Spied, Spy};
use crate::world::{PATIENCE, World, alone, mail, name, no_pool, zone};

#[tokio::test]
async fn a_leg_runs_and_its_result_is_confirmed_before_it_is_acked() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let spy = Spy::on(world.hub.worker(name("worker-1")));
    spy.failures.store(2, Ordering::SeqCst);
    let config = alone("worker-1");
    let mut worker = world.start(config, Spied(spy.clone()), no_pool()).await;

    let sent = Sent { watched: true, ..Sent::to(&server, 1) };
    let leg = sent.send(&world).await;
    let end = world.until(|seen| seen.end(leg)).await;
    assert_eq!((end.summary.code, end.summary.login), (None, LoginOutcome::Accepted));
    let report = leg_result(&end.report).expect("our own report");
    assert_eq!(report.endpoint, sent.endpoint);
    assert!(report.steps.iter().any(|step| step.kind == StepKind::Open));

    worker.runs(0).await;
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    let expect =
        [Noted::Refused(leg), Noted::Refused(leg), Noted::Confirmed(leg), Noted::Acked(leg)];
    assert_eq!(spy.noted(), expect);
    // A young owner asks for every leg; its watcher saw the steps.
    assert!(
        world.now(|seen| seen
            .news
            .iter()
            .any(|news| matches!(news.outcome, Outcome::MayStart { .. })))
    );
    let logged_in = |event: &LegEvent| matches!(event, LegEvent::StepFinished { step, .. } if step.kind == StepKind::Login);
    assert!(world.now(|seen| seen.live.iter().any(|live| logged_in(&live.event))));
}

#[tokio::test]
async fn every_gateway_whose_callers_look_on_sees_each_step_once() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let other = world.hub.gateway(name("other"));
    let _worker = world.worker().await;
    // One is there from the beginning, and joins as well.
    let sent = Sent { watched: true, ..Sent::to(&server, 1) };
    let jobs = vec![sent.leg.job];
    for gateway in ["gateway", "other"] {
        world.say(Control::StepsWanted { gateway: name(gateway), jobs: jobs.clone() }).await;
    }
    // A young owner asks before it starts a leg, and hears the answer after what was said before.
    let leg = sent.send(&world).await;
    world.until(|seen| seen.end(leg)).await;
    let is_last = |live: &Live| matches!(&live.event, LegEvent::StepFinished { step, .. } if step.kind == StepKind::Open);
    let steps = world.until(|seen| seen.live.iter().any(is_last).then(|| seen.live.clone())).await;
    let mut told = Vec::new();
    while !told.last().is_some_and(is_last) {
        let live = timeout(PATIENCE, other.next_live()).await;
        told.push(live.expect("it joined before the leg began"));
    }
    assert_eq!(told, steps[..told.len()]);
    let logins = |live: &&Live| matches!(&live.event, LegEvent::StepFinished { step, .. } if step.kind == StepKind::Login);
    assert_eq!(steps.iter().filter(logins).count(), 1);
}

#[tokio::test]
async fn a_redelivered_leg_comes_back_unrun() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let sent = Sent::to(&server, 1);
    let leg = sent.send(&world).await;
    let old = world.hub.worker(name("old"));
    let mut claim = old.claim(&zone(), shard(&sent.group), PREFETCH).await.expect("free");
    assert!(claim.next().await.is_some_and(|delivery| !delivery.redelivered));
    drop((claim, old));
    let _worker = world.worker().await;
    let returned = world.until(|seen| seen.returned(leg)).await;
    assert_eq!(returned.reason, ReturnReason::Redelivered);
    assert_eq!(server.recorder().sessions().total, 0);
}

#[tokio::test]
async fn a_leg_of_an_unknown_kind_comes_back() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let _worker = world.worker().await;
    let leg = Sent { kind: "teleport", ..Sent::to(&server, 1) }.send(&world).await;
    let returned = world.until(|seen| seen.returned(leg)).await;
    assert_eq!(returned.reason, ReturnReason::UnknownKind);
    assert_eq!(server.recorder().sessions().total, 0);
}

#[tokio::test]
async fn a_leg_whose_host_has_moved_goes_to_the_group_where_it_is_now() {
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let world = World::new(10).await;
    let _worker = world.worker().await;
    let there = "imap:203.0.113.9".to_owned();
    let leg = Sent { group: there, ..Sent::to(&server, 1) }.send(&world).await;
    let returned = world.until(|seen| seen.returned(leg)).await;
    let ReturnReason::Regroup(key) = returned.reason else { panic!("{:?}", returned.reason) };
    assert_eq!(key.as_str(), "imap:127.0.0.1");
    assert_eq!(server.recorder().sessions().total, 0);
    let leg = Sent { group: key.to_string(), ..Sent::to(&server, 1) }.message(&world);
    let leg = mailfleet_model::fleet::LegMessage { dispatch: leg.dispatch.next(), ..leg };
    world.publish(&leg).await;
    world.until(|seen| seen.end(leg.leg)).await;
}
