//! A broker that crashes, restarts, runs out of memory, loses a queue, or carries what nobody can
//! read.

use std::time::Duration;

use super::client::{Client, Load};
use super::ground::{Ground, Size, USUAL};
use super::judge::{Excuses, judge};
use super::lab::{Server, Use};
use super::mail::group;
use super::process::eventually;

/// Slow enough, and room enough, that the slots which are kept for legs that somebody else may
/// still run hold up nobody: after a broker's end nobody knows how long a worker was silent.
const PACE: Duration = Duration::from_millis(60);
const LIMIT: u32 = 20;
/// What may be out in a shard when its queue is deleted: the windows of its groups.
const LOST_AT_MOST: usize = 20;

/// Ends the broker under load, and starts it again.
async fn restarted(ground: &Ground, client: &Client, verb: &str, load: Load) {
    let loading = client.submit(ground, load);
    ground.busy(ground.mail.total() + 40).await;
    ground.lab.operate(Server::RabbitMq, verb).await;
    ground.nobody_ready().await;
    ground.lab.operate(Server::RabbitMq, "start").await;
    ground.all_ready().await;
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(90)).await;
    judge(&format!("broker, {verb}"), ground, &outcomes, &Excuses::CRASHED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_crashes_or_restarts_loses_nothing() {
    let size = Size { limit: LIMIT, ..USUAL };
    let Some(ground) = Ground::start(size, Use::Own).await else { return };
    let client = Client::new(&ground);
    let load = Load { pace: PACE, ..Load::of(80) };
    restarted(&ground, &client, "kill", load).await;
    restarted(&ground, &client, "stop", Load { from: 20, ..load }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_memory_holds_everything_up_and_loses_nothing() {
    const ALARM: Duration = Duration::from_secs(8);
    let Some(ground) = Ground::start(USUAL, Use::Own).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(80));
    ground.busy(40).await;
    ground.lab.ctl(&["set_vm_memory_high_watermark", "0"]).await;
    tokio::time::sleep(ALARM).await;
    ground.lab.ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]).await;
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    judge("memory alarm", &ground, &outcomes, &Excuses::DEAF);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_comes_back_and_its_jobs_end_by_their_deadline() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let load = Load { budget: Duration::from_secs(45), ..Load::of(80) };
    let loading = client.submit(&ground, load);
    ground.busy(40).await;
    let queue = ground.queue_of(&group(&ground.mail.pairs[0].incoming));
    ground.lab.ctl(&["delete_queue", &ground.lab.queue(&queue)]).await;
    loading.await.expect("all are accepted");
    let more = client.submit(&ground, Load { from: 20, ..load });
    more.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let excuses = Excuses { inconclusive: true, ..Excuses::CRASHED };
    let findings = judge("queue deleted", &ground, &outcomes, &excuses);
    let lost = findings.endings.get("INCONCLUSIVE").copied().unwrap_or_default();
    assert!(lost <= LOST_AT_MOST, "{lost} jobs are inconclusive");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_read_is_set_aside_and_the_rest_goes_on() {
    let Some(ground) = Ground::start(USUAL, Use::Shared).await else { return };
    let client = Client::new(&ground);
    let loading = client.submit(&ground, Load::of(80));
    ground.busy(30).await;
    let shard = ground.queue_of(&group(&ground.mail.pairs[0].incoming));
    for queue in [shard.as_str(), "news"] {
        ground.lab.inject(queue, b"\xff\xff poison").await;
    }
    let dead = format!("{}\t2", ground.lab.queue("dead"));
    eventually("both are set aside", Duration::from_secs(20), || async {
        ground.lab.ctl(&["list_queues", "name", "messages"]).await.contains(&dead)
    })
    .await;
    loading.await.expect("all are accepted");
    let outcomes = client.finish(Duration::from_secs(60)).await;
    let findings = judge("poison", &ground, &outcomes, &Excuses::NONE);
    assert_eq!(findings.repeated, 0, "nothing was interrupted");
}
