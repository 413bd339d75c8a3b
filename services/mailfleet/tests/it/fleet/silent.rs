//! Workers that fall silent: frozen for a minute, or cut off from the broker in one direction or
//! both. All of them at once beside one that is well, since most of it is waiting; each is judged
//! by the mail servers that it owned.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use super::client::{Client, Load, now_us};
use super::ground::{Ground, Size, USUAL};
use super::judge::{Excuses, judge, sessions_over, takeover};
use super::lab::Use;
use super::mail::Estates;
use super::process::{Role, eventually};
use super::proxy::Cut;

/// The cuts, by worker. The worker after them is frozen, and the last one is well.
const CUTS: [Cut; 3] = [Cut::Up, Cut::Down, Cut::Both];
const FROZEN: usize = CUTS.len();
/// How long they are silent.
const SILENCE: Duration = Duration::from_secs(60);
/// A worker that is cut off closes its sockets after 1.5 heartbeats of 10 s; its fence is looked at
/// four times a second.
const FENCE: Duration = Duration::from_secs(17);
/// The broker gives a silent worker up after 2 to 3 heartbeats; then the legs that it had keep
/// their slots for 60 s.
const TAKEOVER: Duration = Duration::from_secs(105);

#[tokio::test(flavor = "multi_thread")]
async fn silent_workers_close_their_sockets_and_others_wait_as_long_as_they_may_not() {
    let mail = Estates { n_pairs: 6, ..USUAL.mail };
    let Some(mut ground) = Ground::prepare(Size { mail, ..USUAL }, Use::Shared).await else {
        return;
    };
    for _ in 0..USUAL.n_gateways {
        ground.add(Role::Gateway).await;
    }
    for _ in 0..CUTS.len() + 2 {
        ground.add_behind_proxy(Role::Worker).await;
    }
    ground.settled().await;
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(120));
    ground.busy(50).await;
    let owned: Vec<Vec<String>> = ground.servers_by_worker().await;
    let (silent, began) = (now_us(), Instant::now());
    for (worker, way) in ground.workers.iter().zip(CUTS) {
        ground.proxies[&worker.id].cut(way, None);
    }
    ground.workers[FROZEN].signal(Signal::SIGSTOP);
    // Work for every server, so that each shows when it is served again.
    let more = client.submit(&ground, Load { from: 30, ..Load::of(60) });
    for (servers, way) in owned.iter().zip(CUTS) {
        let what = format!("cut {way:?}: sockets are closed in time");
        let left = FENCE.saturating_sub(began.elapsed());
        eventually(&what, left, || async { sessions_over(&ground, servers, silent) }).await;
    }
    let fenced = now_us();
    tokio::time::sleep_until(began + SILENCE).await;
    ground.workers[FROZEN].signal(Signal::SIGCONT);
    for proxy in ground.proxies.values() {
        proxy.heal();
    }
    for (servers, way) in owned.iter().zip(CUTS) {
        // A worker that only hears nothing goes on until its fence.
        takeover(&format!("cut {way:?}, from the fence"), &ground, servers, fenced, TAKEOVER).await;
    }
    takeover("frozen", &ground, &owned[FROZEN], silent, TAKEOVER).await;
    ground.all_ready().await;
    ground.settled().await;
    loading.await.expect("all are accepted");
    more.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(90)).await;
    judge("silent workers", &ground, &outcomes, &Excuses::CRASHED);
}
