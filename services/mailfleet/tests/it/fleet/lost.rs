//! Words that are lost between a process and the broker at the worst moment: what was said has
//! arrived, and the sender cannot know.

use std::time::Duration;

use super::client::{Client, Load};
use super::ground::{Ground, ROOMY};
use super::judge::{Excuses, judge};
use super::lab::Use;
use super::process::{Process, Role};
use super::proxy::{Cut, Proxy, Purpose};

/// How often each word is lost.
const TIMES: usize = 4;
/// Bytes of a publication at least.
const PUBLICATION: u64 = 300;
/// More bytes than a process can send on a new connection before the broker has answered: a
/// connection that cannot be made is another fault than a confirm that is lost.
const HANDSHAKE: u64 = 1_500;
/// Longest wait for a publication under load.
const SOON: Duration = Duration::from_secs(10);
/// Slow enough that load lasts through all of it.
const PACE: Duration = Duration::from_millis(60);

/// Holds back what the broker says about publications, lets some arrive, and breaks the connection.
async fn lose_confirms(proxy: &Proxy) {
    for _ in 0..TIMES {
        proxy.cut(Cut::Down, Some(Purpose::Publish));
        proxy.wait_for_more(Purpose::Publish, PUBLICATION, SOON).await;
        proxy.reset(Purpose::Publish);
        proxy.heal();
        // The next one is on a new connection.
        proxy.wait_for_more(Purpose::Publish, HANDSHAKE + PUBLICATION, SOON).await;
    }
}

/// Holds back acks while results arrive, and breaks the connection that they were for.
async fn lose_acks(proxy: &Proxy) {
    proxy.cut(Cut::Up, Some(Purpose::Consume));
    proxy.wait_for_more(Purpose::Publish, 4 * PUBLICATION, SOON).await;
    proxy.reset(Purpose::Consume);
    proxy.heal();
}

fn names(processes: &[Process]) -> Vec<String> {
    processes.iter().map(|process| process.id.clone()).collect()
}

/// A fleet in which every process of this role has a proxy of its own.
async fn behind_proxies(role: Role) -> Option<Ground> {
    let mut ground = Ground::prepare(ROOMY, Use::Shared).await?;
    for each in [Role::Gateway, Role::Gateway, Role::Worker, Role::Worker] {
        if each == role {
            ground.add_behind_proxy(each).await;
        } else {
            ground.add(each).await;
        }
    }
    ground.settled().await;
    Some(ground)
}

#[tokio::test(flavor = "multi_thread")]
async fn confirms_that_gateways_never_hear_cost_copies_and_nothing_else() {
    let Some(ground) = behind_proxies(Role::Gateway).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load { pace: PACE, ..Load::of(240) });
    ground.busy(10).await;
    for name in names(&ground.gateways) {
        lose_confirms(&ground.proxies[&name]).await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let findings = judge("gateways' confirms lost", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.repeated, 0, "copies are not run");
}

#[tokio::test(flavor = "multi_thread")]
async fn confirms_and_acks_that_get_lost_at_workers_run_nothing_twice_that_had_ended() {
    let Some(ground) = behind_proxies(Role::Worker).await else { return };
    let client = Client::new(&ground);
    let load = Load { pace: PACE, ..Load::of(160) };
    let loading = client.submit(&ground, load);
    ground.busy(10).await;
    for name in names(&ground.workers) {
        lose_confirms(&ground.proxies[&name]).await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let findings = judge("workers' confirms lost", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.repeated, 0, "results are told twice, not found twice");
    let loading = client.submit(&ground, Load { from: 40, ..load });
    ground.busy(ground.mail.total() + 10).await;
    for name in names(&ground.workers) {
        lose_acks(&ground.proxies[&name]).await;
    }
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(90)).await;
    // Only what ran when its lock was lost may run again.
    judge("workers' acks lost", &ground, &outcomes, &Excuses::CRASHED);
}
