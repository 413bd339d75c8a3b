//! The same worker on RabbitMQ.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use mailfleet_broker::{RabbitConfig, RabbitGateway, RabbitMq, Topology};
use mailfleet_mailsim::Server;
use mailfleet_model::Secret;
use mailfleet_model::fleet::{ReturnReason, WorkerQueue};
use uuid::Uuid;

use crate::ends::{is_left, said, stuck};
use crate::facts;
use crate::order::Sent;
use crate::spy::{Spied, Spy};
use crate::world::{World, alone, limits, mail, name, no_pool, topology};

/// The lab's RabbitMQ, with names that no other test has.
struct There {
    url: String,
    namespace: String,
    mq: RabbitMq,
}

impl There {
    /// `None`, said aloud, if the environment names no lab.
    fn from_environment() -> Option<Self> {
        let lab = facts::from_environment()?;
        let url = lab["rabbitmq"]["url"].as_str().expect("the lab says it").to_owned();
        let namespace = format!("t{}", &Uuid::new_v4().simple().to_string()[..20]);
        let secret = Secret::new(url.as_bytes().to_vec());
        let config =
            RabbitConfig { namespace: namespace.clone(), ..RabbitConfig::new(secret, topology()) };
        let mq = RabbitMq::new(config).expect("the lab's URL");
        Some(Self { url, namespace, mq })
    }

    async fn world(self) -> World<Self, RabbitGateway> {
        let gateway = self.mq.gateway(name("gateway")).await.expect("a gateway");
        World::on(self, gateway, limits(10), Vec::new()).await
    }

    /// Deletes what a test left on the broker.
    async fn clean(&self) {
        let connected = Connection::connect(&self.url, ConnectionProperties::default()).await;
        let connection = connected.expect("a broker");
        let channel = connection.create_channel().await.expect("a channel");
        let topology: Topology = topology();
        let shards = topology.every_shard().map(|(zone, k)| format!("shard.{zone}.{k}"));
        for queue in shards.chain(["news".to_owned(), "dead".to_owned()]) {
            let queue = format!("{}.v1.{queue}", self.namespace);
            let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
            deleted.await.expect("a deleted queue");
        }
        for exchange in ["control", "tell"] {
            let exchange = format!("{}.v1.{exchange}", self.namespace);
            let options = ExchangeDeleteOptions::default();
            channel.exchange_delete(exchange.into(), options).await.expect("a deleted exchange");
        }
    }
}

#[tokio::test]
async fn a_leg_runs_over_rabbitmq_and_the_worker_drains() {
    let Some(there) = There::from_environment() else { return };
    let world = there.world().await;
    let server = mail(Server::imap(), &["user@example.test"]).await;
    let queue = world.hub.mq.worker(name("worker-1")).await.expect("a worker");
    let worker = world.start(alone("worker-1"), queue, no_pool()).await;
    let leg = Sent { watched: true, ..Sent::to(&server, 1) }.send(&world).await;
    let end = world.until(|seen| seen.end(leg)).await;
    assert_eq!(end.summary.code, None);
    world.until(|seen| (!seen.live.is_empty()).then_some(())).await;
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    // Its shards are free, and hold nothing.
    let queue = world.hub.mq.worker(name("worker-2")).await.expect("a worker");
    let next = world.start(alone("worker-2"), queue, no_pool()).await;
    next.shutdown.cancel();
    next.ended().await.expect("it drains");
    assert!(world.now(|seen| seen.returned(leg).is_none()), "it was acked");
    world.hub.clean().await;
}

#[tokio::test]
async fn a_lost_connection_closes_the_sockets_and_the_worker_comes_back() {
    let Some(there) = There::from_environment() else { return };
    let world = there.world().await;
    let spy = Spy::on(world.hub.mq.worker(name("worker-1")).await.expect("a worker"));
    let worker = world.start(alone("worker-1"), Spied(spy.clone()), no_pool()).await;
    let (server, sent) = stuck(&world).await;
    spy.queue.abort().await;
    is_left(&server).await;
    assert!(!said(&server, "LOGOUT"));
    let returned = world.until(|seen| seen.returned(sent.leg)).await;
    assert_eq!(returned.reason, ReturnReason::Redelivered);
    worker.task.abort();
    world.hub.clean().await;
}
