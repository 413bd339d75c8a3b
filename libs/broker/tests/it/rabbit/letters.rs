//! Dead letters: what cannot be read is set aside, counted, and can be sent back.

use std::time::Instant;

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use mailfleet_api::queue::{UNKNOWN_VERSION, leg_to_bytes, news_to_bytes};
use mailfleet_broker::Redriven;
use mailfleet_model::fleet::{GatewayQueue, NewsSource, ShardClaim, WorkerNews};

use super::There;
use crate::conformance::{Broker, PATIENCE, claim, numbers, publish, soon, take};
use crate::samples::{leg, news};

async fn inject(broker: &There, queue: &str, body: &[u8]) {
    let (_connection, raw) = broker.lab.raw().await;
    let key = format!("{}.v1.{queue}", broker.namespace);
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let published = raw.basic_publish("".into(), key.into(), options, body, properties).await;
    drop(published.expect("a publication").await);
    // Closed politely, so that what was written is read.
    raw.close(200, "OK".into()).await.expect("a closed channel");
}

async fn dead(broker: &There, expected: u32) {
    let began = Instant::now();
    while soon("a count", broker.mq.dead_letters()).await.expect("a count") != expected {
        assert!(began.elapsed() < PATIENCE, "not {expected} dead letters");
    }
}

#[tokio::test]
async fn a_leg_that_cannot_be_read_is_set_aside_and_the_next_ones_go_on() {
    let Some(broker) = There::start().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    inject(&broker, "shard.default.0", b"\xff\xff").await;
    publish::<There>(&gateway, &[leg(0, 1)]).await;
    let mut held = claim::<There>(&worker, 0, 1).await;
    assert_eq!(numbers(&take(&mut held, 1).await), [1]);
    dead(&broker, 1).await;
    drop((gateway, worker, held));
    broker.stop().await;
}

#[tokio::test]
async fn a_leg_of_a_newer_version_reaches_its_owner_which_can_give_it_back() {
    let Some(broker) = There::start().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    // Version 2 stands behind the version of this build, and then a field that it does not know.
    let newer = [leg_to_bytes(&leg(0, 1)), vec![0x08, 2, 0x82, 0x7d, 1, 9]].concat();
    inject(&broker, "shard.default.0", &newer).await;
    let mut held = claim::<There>(&worker, 0, 1).await;
    let delivery = soon("a leg", held.next()).await.expect("a live stream");
    assert_eq!(delivery.message.kind.as_str(), UNKNOWN_VERSION);
    assert_eq!(delivery.message.leg, leg(0, 1).leg);
    held.ack(delivery.tag).await.expect("an ack");
    dead(&broker, 0).await;
    drop((gateway, worker, held));
    broker.stop().await;
}

#[tokio::test]
async fn dead_letters_go_back_where_they_came_from() {
    let Some(broker) = There::start().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    // As from a newer version: version 2 stands behind the version of this build.
    let newer = [news_to_bytes(&news(1)), vec![0x08, 2]].concat();
    inject(&broker, "news", &newer).await;
    let mut source = gateway.news().await.unwrap();
    for _ in 0..2 {
        let delivery = soon("news", source.next()).await.expect("a live stream");
        assert_eq!(delivery.news, WorkerNews::Unreadable);
        source.ack(delivery.tag).await.unwrap();
        dead(&broker, 1).await;
        // What is sent back is still too new, and comes back.
        let redriven = soon("a redrive", broker.mq.redrive(10)).await.expect("a redrive");
        assert!(redriven.sent >= 1, "{redriven:?}");
    }
    drop((gateway, worker, source));
    broker.stop().await;
}

#[tokio::test]
async fn a_dead_letter_without_an_origin_stays() {
    let Some(broker) = There::start().await else { return };
    let gateway = broker.gateway("gateway").await;
    inject(&broker, "dead", &leg_to_bytes(&leg(0, 1))).await;
    dead(&broker, 1).await;
    let redriven = soon("a redrive", broker.mq.redrive(10)).await.expect("a redrive");
    assert_eq!(redriven, Redriven { sent: 0, kept: 1 });
    dead(&broker, 1).await;
    drop(gateway);
    broker.stop().await;
}
