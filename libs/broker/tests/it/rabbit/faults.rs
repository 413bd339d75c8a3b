//! What only a broker in another process can do: fall silent, lose queues, end connections.

use std::time::{Duration, Instant};

use futures::future::join_all;
use lapin::options::QueueDeleteOptions;
use mailfleet_broker::{RabbitConfig, RabbitMq};
use mailfleet_model::fleet::{
    ControlLink, GatewayQueue, NewsSource, QueueError, ShardClaim, ShardIndex, WorkerQueue,
};

use super::lab::Lab;
use super::proxy::{Flow, Proxy};
use super::{There, lab};
use crate::conformance::{
    Broker, PATIENCE, assert_refused, claim, claim_soon, numbers, publish, soon, take, topology,
};
use crate::samples::{self, leg};

/// A broker behind a proxy, and a deadline that a test can wait for.
async fn cuttable() -> Option<(There, Proxy)> {
    let lab = Lab::from_environment()?;
    let proxy = Proxy::before(lab.address()).await;
    let namespace = lab::namespace();
    let deadline = Duration::from_secs(2);
    let config = lab.config_through(proxy.port);
    let config = RabbitConfig { namespace: namespace.clone(), deadline, ..config };
    let mq = RabbitMq::new(config).expect("the lab's URL");
    Some((There { mq, namespace, lab }, proxy))
}

#[track_caller]
fn assert_unknown<T>(result: Result<T, QueueError>) {
    match result {
        Err(QueueError::Unknown { .. }) => {}
        Err(error) => panic!("not unknown: {error:?}"),
        Ok(_) => panic!("not unknown, but done"),
    }
}

#[tokio::test]
async fn every_call_ends_when_the_broker_falls_silent() {
    let Some((broker, proxy)) = cuttable().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    publish::<There>(&gateway, &[leg(0, 1)]).await;
    let (mut held, mut news) = (claim::<There>(&worker, 0, 8).await, gateway.news().await.unwrap());
    let link = worker.control().await.unwrap();
    take(&mut held, 1).await;
    proxy.set(Flow::Silent);

    assert_unknown(soon("publish", gateway.publish_leg(&leg(0, 2))).await);
    assert_unknown(soon("news", worker.publish(&samples::news(1))).await);
    assert_unknown(soon("broadcast", link.broadcast(&samples::control(1))).await);
    assert_unknown(soon("probe", worker.probe()).await);
    // The probe ended the connection: the claim is lost without waiting for anything.
    assert_eq!(soon("the claim's end", held.next()).await, None);
    assert!(soon("claim", worker.claim(&samples::zone(), ShardIndex(1), 1)).await.is_err());
    assert_unknown(soon("ack", held.ack(1)).await);
    assert_unknown(soon("close", held.close()).await);
    assert!(soon("control", worker.control()).await.is_err());
    assert!(soon("a worker", broker.mq.worker(samples::name("late"))).await.is_err());

    // The network comes back, and everything else with it.
    proxy.set(Flow::Open);
    let mut held = claim_soon::<There>(&worker, 0).await;
    assert!(take(&mut held, 1).await[0].redelivered);
    let began = Instant::now();
    while gateway.publish_leg(&leg(0, 3)).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "the gateway does not come back");
    }
    // This stream's connection was never used meanwhile, and may still be good.
    drop(tokio::time::timeout(Duration::ZERO, news.next()).await);
    drop((gateway, worker, held, news, link));
    broker.stop().await;
}

#[tokio::test]
async fn no_control_message_waits_for_the_confirm_of_another_one() {
    let Some((broker, proxy)) = cuttable().await else { return };
    let direct = RabbitConfig { namespace: broker.namespace.clone(), ..broker.lab.config() };
    let direct = RabbitMq::new(direct).expect("the lab's URL");
    let listener = direct.worker(samples::name("listener")).await.expect("a worker");
    let hears = listener.control().await.expect("a link");
    let worker = broker.worker("worker").await;
    let says = worker.control().await.expect("a link");
    let heard = async || soon("a control message", hears.next()).await;
    soon("a broadcast", says.broadcast(&samples::control(0))).await.expect("a broadcast");
    assert_eq!(heard().await, Some(samples::control(0)));
    let messages = [1, 2, 3, 4].map(samples::control);
    proxy.set(Flow::Deaf);
    let saying = join_all(messages.iter().map(|message| says.broadcast(message)));
    let hearing = async {
        for message in &messages {
            assert_eq!(heard().await.as_ref(), Some(message));
        }
        proxy.set(Flow::Open);
    };
    let (said, ()) = tokio::join!(soon("confirms", saying), hearing);
    // Where it took longer than the broker is waited for, nobody knows.
    assert!(said.iter().all(Result::is_ok), "{said:?}");
    drop((worker, listener, says, hears));
    broker.stop().await;
}

#[tokio::test]
async fn an_abort_does_not_wait_for_a_silent_broker() {
    let Some((broker, proxy)) = cuttable().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let mut held = claim::<There>(&worker, 0, 8).await;
    proxy.set(Flow::Silent);
    let began = Instant::now();
    worker.abort().await;
    assert_eq!(held.next().await, None);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    proxy.set(Flow::Open);
    drop((gateway, worker, held));
    broker.stop().await;
}

#[tokio::test]
async fn a_deleted_queue_is_noticed_and_made_anew() {
    let Some(broker) = There::start().await else { return };
    let (gateway, worker) = (broker.gateway("gateway").await, broker.worker("worker").await);
    let mut held = claim::<There>(&worker, 0, 8).await;
    let (_connection, raw) = broker.lab.raw().await;
    let delete = |name: &str| {
        let queue = format!("{}.v1.{name}", broker.namespace);
        raw.queue_delete(queue.into(), QueueDeleteOptions::default())
    };
    delete("shard.default.0").await.expect("a deleted queue");
    delete("news").await.expect("a deleted queue");
    // The lock went with the queue.
    assert_eq!(soon("the claim's end", held.next()).await, None);
    assert_refused(soon("an answer", gateway.publish_leg(&leg(0, 1))).await);
    publish::<There>(&gateway, &[leg(0, 2)]).await;
    assert_refused(soon("an answer", worker.publish(&samples::news(1))).await);
    soon("a confirm", worker.publish(&samples::news(2))).await.expect("confirmed news");
    let mut again = claim_soon::<There>(&worker, 0).await;
    assert_eq!(numbers(&take(&mut again, 1).await), [2]);
    drop((gateway, worker, held, again));
    broker.stop().await;
}

#[tokio::test]
async fn a_worker_finds_its_queue_where_no_gateway_was_yet() {
    let Some(broker) = There::start().await else { return };
    let worker = broker.worker("worker").await;
    let mut early = claim::<There>(&worker, 0, 8).await;
    let gateway = broker.gateway("gateway").await;
    publish::<There>(&gateway, &[leg(0, 1)]).await;
    assert_eq!(numbers(&take(&mut early, 1).await), [1]);
    drop((gateway, worker, early));
    broker.stop().await;
}

#[tokio::test]
async fn connections_that_the_operator_closes_come_back() {
    let Some(broker) = There::start().await else { return };
    let name = broker.namespace.clone();
    let (gateway, worker) = (broker.gateway(&name).await, broker.worker(&name).await);
    publish::<There>(&gateway, &[leg(0, 1)]).await;
    let mut held = claim::<There>(&worker, 0, 8).await;
    take(&mut held, 1).await;
    // Each connection says whose it is.
    let listed = broker.lab.ctl(&["list_connections", "pid", "client_properties"]).await;
    let ours: Vec<&str> = listed.lines().filter(|line| line.contains(&name)).collect();
    assert!(ours.len() >= 3, "{listed}");
    for line in ours {
        let pid = line.split('\t').next().expect("a first column");
        broker.lab.ctl(&["close_connection", pid, "a test"]).await;
    }
    assert_eq!(soon("the claim's end", held.next()).await, None);
    let mut again = claim_soon::<There>(&worker, 0).await;
    assert!(take(&mut again, 1).await[0].redelivered);
    publish::<There>(&gateway, &[leg(0, 2)]).await;
    worker.live(&samples::name(&name), samples::live(3));
    drop((gateway, worker, held, again));
    broker.stop().await;
}

#[tokio::test]
async fn it_speaks_tls_and_trusts_only_its_authorities() {
    let Some(lab) = Lab::from_environment() else { return };
    let namespace = lab::namespace();
    let config = RabbitConfig { namespace: namespace.clone(), ..lab.tls_config() };
    let stranger = RabbitConfig { roots_pem: None, ..lab.tls_config() };
    let refused = RabbitMq::new(stranger).expect("a URL").worker(samples::name("worker")).await;
    assert_unknown(refused);
    let mq = RabbitMq::new(config).expect("a URL");
    let gateway = mq.gateway(samples::name("gateway")).await.expect("a gateway over TLS");
    let worker = mq.worker(samples::name("worker")).await.expect("a worker over TLS");
    publish::<There>(&gateway, &[leg(0, 1)]).await;
    let mut held = claim::<There>(&worker, 0, 8).await;
    assert_eq!(numbers(&take(&mut held, 1).await), [1]);
    drop((gateway, worker, held));
    lab.delete_queues(&namespace, &topology()).await;
}

#[tokio::test]
async fn a_refused_password_stays_out_of_the_error() {
    let Some(lab) = Lab::from_environment() else { return };
    let url = format!("amqp://nobody:canary-51ae@{}/%2f", lab.address());
    let config =
        RabbitConfig { url: mailfleet_model::Secret::new(url.into_bytes()), ..lab.config() };
    let mq = RabbitMq::new(config).expect("a URL");
    let error = mq.worker(samples::name("worker")).await.err().expect("refused");
    let mut shown = format!("{error:?}");
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = source {
        shown.push_str(&error.to_string());
        source = error.source();
    }
    assert!(shown.contains("ACCESS_REFUSED") && !shown.contains("canary"), "{shown}");
}
