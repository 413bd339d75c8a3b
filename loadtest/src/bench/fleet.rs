//! A running fleet under load, beside a bare loop over the same RabbitMQ.
//!
//! The bare loop does what no queue of work can do without: a persistent publication is
//! confirmed, consumed, answered by a confirmed publication, acked; the answer is consumed and
//! acked. A validation has two legs, so two such rounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{knee, say};
use crate::offer::Offer;
use crate::setup::Servers;
use crate::simulate::Kind;
use crate::usage::load;

/// Rounds that are open at a time.
const OPEN: usize = 64;
/// Channels for publications, as many as an adapter has.
const CHANNELS: usize = 16;
/// How long the bare loop runs.
const TIME: Duration = Duration::from_secs(6);
/// Bytes of a leg's order and of its result, about.
const SIZES: (usize, usize) = (1_500, 4_000);

/// Runs both and prints the ratio.
pub(crate) async fn run(
    gateways: &[String],
    broker: &str,
    processes: &[(String, u32)],
) -> anyhow::Result<()> {
    ensure!(!gateways.is_empty(), "name the fleet's gateways: --gateway URL");
    let servers = Servers::start(Kind::Prompt).await?;
    say(&format!("a fleet (IMAPS + SMTPS, to the login; load before it {}):", load()));
    let rounds = bare(broker).await?;
    say(&format!("  bare loop   {rounds:>7.0} rounds a second on the same broker"));
    let offer = Arc::new(Offer::to(gateways, &servers).await?);
    let found = knee::find(&offer, processes).await?;
    for (name, cpu) in &found.cpu {
        say(&format!("  CPU of {name}: {cpu:.2?} each"));
    }
    say(&format!(
        "  knee {:.0} a second; at most {:.0} legs a second, {:.0} % of the bare loop's rounds \
         (target: at least 50 %; p99 at half the knee at most 25 ms)",
        found.knee,
        found.most * 2.0,
        found.most * 2.0 / rounds * 100.0
    ));
    Ok(())
}

/// Rounds a second.
async fn bare(url: &str) -> anyhow::Result<f64> {
    let connect = || Connection::connect(url, ConnectionProperties::default());
    let (work, results) = (connect().await?, connect().await?);
    let name = |what: &str| format!("bench.{what}.{}", Uuid::new_v4().simple());
    let (orders, answers) = (name("orders"), name("answers"));
    let declare = work.create_channel().await?;
    for queue in [&orders, &answers] {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        declare.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
    }
    let open = Arc::new(Semaphore::new(OPEN));
    let mut tasks = JoinSet::new();
    tasks.spawn(answer(channels(&results).await?, orders.clone(), answers.clone()));
    tasks.spawn(collect(work.create_channel().await?, answers.clone(), Arc::clone(&open)));
    let channels = channels(&work).await?;
    let (began, mut number) = (Instant::now(), 0_usize);
    while began.elapsed() < TIME {
        // Given back by whoever collects the answer.
        Arc::clone(&open).acquire_owned().await.context("never closed")?.forget();
        let channel = channels.get(number % channels.len()).context("a channel")?.clone();
        let orders = orders.clone();
        tasks.spawn(async move { publish(&channel, &orders, SIZES.0).await });
        number += 1;
        while let Some(ended) = tasks.try_join_next() {
            ended.context("the bare loop panicked")??;
        }
    }
    let all = u32::try_from(OPEN).unwrap_or(u32::MAX);
    let _all = open.acquire_many(all).await.context("never closed")?;
    let elapsed = began.elapsed();
    tasks.shutdown().await;
    for queue in [&orders, &answers] {
        declare.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Ok(f64::from(number) / elapsed.as_secs_f64())
}

/// Channels in confirm mode: each confirms one publication at a time without waiting for others.
async fn channels(connection: &Connection) -> anyhow::Result<Vec<Channel>> {
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        channels.push(channel);
    }
    Ok(channels)
}

async fn publish(channel: &Channel, queue: &str, bytes: usize) -> anyhow::Result<()> {
    let body = vec![b'x'; bytes];
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish("".into(), queue.into(), options, &body, persistent).await?;
    ensure!(matches!(sent.await?, Confirmation::Ack(None)), "a publication was refused");
    Ok(())
}

/// Consumes orders: each is answered, confirmed, then acked.
async fn answer(channels: Vec<Channel>, orders: String, answers: String) -> anyhow::Result<()> {
    let channel = channels.first().context("a channel")?;
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let consumer =
        channel.basic_consume(orders.as_str().into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    let (mut number, mut tasks) = (0_usize, JoinSet::new());
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let channel = channels.get(number % channels.len()).context("a channel")?.clone();
        let answers = answers.clone();
        tasks.spawn(async move {
            publish(&channel, &answers, SIZES.1).await?;
            anyhow::Ok(delivery.acker.ack(BasicAckOptions::default()).await?)
        });
        number += 1;
        while let Some(ended) = tasks.try_join_next() {
            ended.context("an answer panicked")??;
        }
    }
    Ok(())
}

/// Consumes answers, and lets the next round begin for each.
async fn collect(channel: Channel, answers: String, open: Arc<Semaphore>) -> anyhow::Result<()> {
    let options = BasicConsumeOptions::default();
    let consumer =
        channel.basic_consume(answers.as_str().into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.acker.ack(BasicAckOptions::default()).await?;
        open.add_permits(1);
    }
    Ok(())
}
