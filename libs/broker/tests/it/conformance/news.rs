//! Workers' news: each to one gateway, until it is acked.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{
    GatewayQueue, NewsDelivery, NewsSource, WorkerMessage, WorkerNews, WorkerQueue,
};

use super::{Broker, assert_refused, soon, topology};
use crate::samples::{self, news};

async fn tell<B: Broker>(worker: &B::Worker, messages: &[WorkerMessage]) {
    for message in messages {
        soon("a confirm", worker.publish(message)).await.expect("confirmed news");
    }
}

async fn next<S: NewsSource>(source: &mut S) -> NewsDelivery {
    soon("news", source.next()).await.expect("a live stream")
}

fn message(delivery: &NewsDelivery) -> &WorkerMessage {
    match &delivery.news {
        WorkerNews::Message(message) => message,
        WorkerNews::Unreadable => panic!("unreadable news"),
    }
}

fn number(delivery: &NewsDelivery) -> u8 {
    message(delivery).leg.index
}

pub(crate) async fn news_that_was_acked_does_not_come_again<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    tell::<B>(&worker, &[news(1)]).await;
    let mut first = gateway.news().await.unwrap();
    let delivery = next(&mut first).await;
    assert_eq!(number(&delivery), 1);
    first.ack(delivery.tag).await.unwrap();
    drop(first);
    tell::<B>(&worker, &[news(2)]).await;
    let mut second = gateway.news().await.unwrap();
    assert_eq!(number(&next(&mut second).await), 2);
}

pub(crate) async fn news_that_was_not_acked_comes_to_another_gateway<B: Broker>(broker: &B) {
    let (one, two) = (broker.gateway("one").await, broker.gateway("two").await);
    let worker = broker.worker("worker").await;
    tell::<B>(&worker, &[1, 2, 3].map(news)).await;
    let mut first = one.news().await.unwrap();
    for _ in 0..3 {
        next(&mut first).await;
    }
    drop((first, one));
    let mut second = two.news().await.unwrap();
    for expected in 1..=3 {
        assert_eq!(number(&next(&mut second).await), expected);
    }
}

pub(crate) async fn gateways_share_the_news<B: Broker>(broker: &B) {
    let (one, two) = (broker.gateway("one").await, broker.gateway("two").await);
    let worker = broker.worker("worker").await;
    let (mut first, mut second) = (one.news().await.unwrap(), two.news().await.unwrap());
    tell::<B>(&worker, &[1, 2, 3, 4, 5, 6].map(news)).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 6 {
        let any = async {
            tokio::select! {
                delivery = first.next() => (1, delivery),
                delivery = second.next() => (2, delivery),
            }
        };
        let (from, delivery) = soon("news", any).await;
        let delivery = delivery.expect("a live stream");
        assert!(seen.insert(number(&delivery)), "twice");
        let acked = match from {
            1 => first.ack(delivery.tag).await,
            _ => second.ack(delivery.tag).await,
        };
        acked.unwrap();
    }
    assert_eq!(seen, (1..=6).collect());
}

pub(crate) async fn full_news_is_refused_until_there_is_room<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let length = u8::try_from(topology().news_length.get()).unwrap();
    tell::<B>(&worker, &(0..length).map(news).collect::<Vec<_>>()).await;
    assert_refused(soon("an answer", worker.publish(&news(200))).await);
    let mut source = gateway.news().await.unwrap();
    let delivery = next(&mut source).await;
    source.ack(delivery.tag).await.unwrap();
    tell::<B>(&worker, &[news(201)]).await;
}

pub(crate) async fn an_ack_of_what_is_not_out_is_an_error<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    tell::<B>(&worker, &[1, 2].map(news)).await;
    let mut source = gateway.news().await.unwrap();
    let delivery = next(&mut source).await;
    assert_refused(source.ack(delivery.tag + 1_000).await);
    source.ack(delivery.tag).await.unwrap();
    assert_refused(source.ack(delivery.tag).await);
    assert_eq!(number(&next(&mut source).await), 2);
}

pub(crate) async fn news_arrives_whole<B: Broker>(broker: &B) {
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let sent = samples::every_news();
    tell::<B>(&worker, &sent).await;
    let mut source = gateway.news().await.unwrap();
    for expected in sent {
        let delivery = next(&mut source).await;
        assert_eq!(*message(&delivery), expected);
        source.ack(delivery.tag).await.unwrap();
    }
}
