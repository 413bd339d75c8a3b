//! A fleet that changes in order: workers drain while others join, everything is replaced by
//! another version, and whoever is in a hurry signals twice.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::client::{Client, Load, now_us};
use super::ground::{Ground, USUAL};
use super::judge::{Excuses, judge, takeover};
use super::lab::Use;
use super::process::{Role, eventually};

/// A draining worker's servers are served by others after so long: a leg's time, and the claims.
const HAND_OVER: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_drains_while_another_joins_and_nothing_runs_twice() {
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(100));
    ground.busy(40).await;
    let (victim, servers) = ground.busiest_worker().await;
    let victim = ground.workers.remove(victim);
    let asked = now_us();
    victim.signal(Signal::SIGTERM);
    let more = client.submit(&ground, Load { from: 40, ..Load::of(40) });
    ground.add(Role::Worker).await;
    takeover("drained", &ground, &servers, asked, HAND_OVER).await;
    assert_eq!(victim.ended().await, Some(0));
    loading.await.expect("all are accepted");
    more.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    let findings = judge("drain and join", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.repeated, 0, "what ran came to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_can_be_replaced_under_load() {
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(160));
    ground.busy(40).await;
    for _ in 0..USUAL.n_workers {
        ground.add(Role::Worker).await;
        let old = ground.workers.remove(0);
        old.signal(Signal::SIGTERM);
        assert_eq!(old.ended().await, Some(0));
    }
    for _ in 0..USUAL.n_gateways {
        let old = ground.gateways.remove(0);
        let place = old.listen.expect("a gateway listens");
        old.signal(Signal::SIGTERM);
        assert_eq!(old.ended().await, Some(0));
        ground.add_gateway_at(place).await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    let findings = judge("all replaced", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.repeated, 0, "what ran came to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_busy_worker_at_once() {
    let Some(mut ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(80));
    ground.busy(30).await;
    let (hasty, _) = ground.busiest_worker().await;
    let hasty = ground.workers.remove(hasty);
    hasty.signal(Signal::SIGTERM);
    // The first signal counts as heard once the worker says so: two in one moment are one.
    eventually("the worker drains", Duration::from_secs(5), || async {
        hasty.readiness().await.is_none_or(|answer| answer.contains("draining"))
    })
    .await;
    hasty.signal(Signal::SIGTERM);
    let status = hasty.ended().await;
    // It may have been so quick that it had drained before.
    assert!(matches!(status, Some(130 | 0)), "{status:?}");
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(120)).await;
    judge("second signal", &ground, &outcomes, &Excuses::CRASHED);
}
