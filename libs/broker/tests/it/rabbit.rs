//! RabbitMQ passes the suite, and does what only a broker of its own process can do wrong.

mod events;
mod faults;
mod lab;
mod letters;
mod proxy;

use mailfleet_broker::{RabbitConfig, RabbitGateway, RabbitMq, RabbitWorker};

use crate::conformance::{self, Broker};
use crate::samples;

/// The lab's RabbitMQ, with names that no other test has.
pub(crate) struct There {
    mq: RabbitMq,
    namespace: String,
    lab: lab::Lab,
}

impl Broker for There {
    type Gateway = RabbitGateway;
    type Worker = RabbitWorker;

    async fn start() -> Option<Self> {
        let lab = lab::Lab::from_environment()?;
        let namespace = lab::namespace();
        let config = RabbitConfig { namespace: namespace.clone(), ..lab.config() };
        let mq = RabbitMq::new(config).expect("the lab's URL");
        Some(Self { mq, namespace, lab })
    }

    async fn stop(self) {
        self.lab.delete_queues(&self.namespace, &conformance::topology()).await;
    }

    async fn gateway(&self, name: &str) -> RabbitGateway {
        self.mq.gateway(samples::name(name)).await.expect("a gateway")
    }

    async fn worker(&self, name: &str) -> RabbitWorker {
        // Gateways declare the queues; a test without one has a worker that finds none.
        self.mq.worker(samples::name(name)).await.expect("a worker")
    }
}

conformance::suite!(super::There);
