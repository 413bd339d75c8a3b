//! Processes that are killed without a warning, under load.

use std::time::Duration;

use super::chance::Chance;
use super::client::{Client, Load, now_us};
use super::ground::{Ground, Size, USUAL};
use super::judge::{Excuses, judge, takeover};
use super::lab::Use;
use super::process::Role;

/// A killed worker's servers are served again after so long. 2.5 s until it is missed, 2 s until
/// its sockets count as closed, and the claims; the rest is for a busy machine.
const TAKEOVER: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_legs_run_elsewhere_within_seconds() {
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(100));
    ground.busy(30).await;
    let (victim, servers) = ground.busiest_worker().await;
    let victim = ground.workers.remove(victim);
    let killed = now_us();
    victim.kill().await;
    // Work for every server, so that each shows when it is served again.
    let more = client.submit(&ground, Load { from: 25, ..Load::of(40) });
    takeover("killed", &ground, &servers, killed, TAKEOVER).await;
    // Whoever comes now has not heard the dead one: it is given its share by the others.
    ground.add(Role::Worker).await;
    ground.settled().await;
    loading.await.expect("all are accepted");
    more.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    judge("worker killed", &ground, &outcomes, &Excuses::CRASHED);
}

/// The same of a worker that starts only then: it is ready after it has connected, and listens for
/// 2 s before it claims. Slots that it kept for the dead one would be taken for 60 s.
const SUCCESSION: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_right_after_a_kill_keeps_no_slots_for_the_dead_one() {
    let Some(mut ground) = Ground::start(Size { n_workers: 1, ..USUAL }, Use::Shared).await else {
        return;
    };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(100));
    ground.busy(30).await;
    let (victim, servers) = ground.busiest_worker().await;
    let victim = ground.workers.remove(victim);
    let killed = now_us();
    victim.kill().await;
    // Nobody is left who has heard the dead one, but the gateways.
    ground.add(Role::Worker).await;
    let more = client.submit(&ground, Load { from: 25, ..Load::of(40) });
    takeover("killed, and followed by a new one", &ground, &servers, killed, SUCCESSION).await;
    loading.await.expect("all are accepted");
    more.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(40)).await;
    judge("worker killed and followed", &ground, &outcomes, &Excuses::CRASHED);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_are_killed_at_any_moment_lose_nothing() {
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let mut chance = Chance::new("gateways killed");
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(200));
    for _ in 0..8 {
        // The first one each time: the one that lives longest.
        chance.moment(Duration::from_millis(700)).await;
        let victim = ground.gateways.remove(0);
        let place = victim.listen.expect("a gateway listens");
        victim.kill().await;
        ground.add_gateway_at(place).await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    // Workers go on: what ran came to its end, and was not run again.
    let findings = judge("gateways killed", &ground, &outcomes, &Excuses::NONE);
    eprintln!("gateways killed: {} legs ran twice", findings.repeated);
}
