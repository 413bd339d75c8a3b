//! The lab's RabbitMQ: where it is, a proxy in front of it, and how its operator sees it.

use std::fmt::Write as _;
use std::process::Output;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use mailfleet_broker::{RabbitConfig, Topology};
use mailfleet_model::Secret;
use serde_json::Value;
use uuid::Uuid;

use crate::{conformance, facts};

/// The lab's RabbitMQ.
pub(crate) struct Lab {
    url: String,
    tls_url: String,
    ca_file: String,
    ctl: String,
}

/// A namespace of one's own.
pub(crate) fn namespace() -> String {
    format!("t{}", &Uuid::new_v4().simple().to_string()[..20])
}

impl Lab {
    /// The RabbitMQ that the environment names; `None`, said aloud, if it names none.
    pub(crate) fn from_environment() -> Option<Self> {
        let lab = facts::from_environment()?;
        let say = |value: &Value| value.as_str().expect("the lab says it").to_owned();
        let rabbit = &lab["rabbitmq"];
        Some(Self {
            url: say(&rabbit["url"]),
            tls_url: say(&rabbit["tls_url"]),
            ctl: say(&rabbit["ctl"]),
            ca_file: say(&lab["ca_file"]),
        })
    }

    /// The ordinary configuration.
    pub(crate) fn config(&self) -> RabbitConfig {
        self.config_at(&self.url)
    }

    /// The same over TLS.
    pub(crate) fn tls_config(&self) -> RabbitConfig {
        let roots = std::fs::read_to_string(&self.ca_file).expect("the authority's certificate");
        RabbitConfig { roots_pem: Some(roots), ..self.config_at(&self.tls_url) }
    }

    /// The same through another port of this machine.
    pub(crate) fn config_through(&self, port: u16) -> RabbitConfig {
        let (head, tail) = self.url.rsplit_once(':').expect("a port");
        let (_, path) = tail.split_once('/').expect("a path");
        self.config_at(&format!("{head}:{port}/{path}"))
    }

    fn config_at(&self, url: &str) -> RabbitConfig {
        RabbitConfig::new(Secret::new(url.as_bytes().to_vec()), conformance::topology())
    }

    /// The address of the broker itself.
    pub(crate) fn address(&self) -> &str {
        let (_, after) = self.url.rsplit_once('@').expect("a user");
        after.split_once('/').expect("a path").0
    }

    /// A channel with nothing between the test and the broker.
    pub(crate) async fn raw(&self) -> (Connection, Channel) {
        let connected = Connection::connect(&self.url, ConnectionProperties::default()).await;
        let connection = connected.expect("a broker");
        let channel = connection.create_channel().await.expect("a channel");
        (connection, channel)
    }

    /// Runs `rabbitmqctl`.
    pub(crate) async fn ctl(&self, words: &[&str]) -> String {
        let done = tokio::process::Command::new(&self.ctl).arg("-q").args(words).output().await;
        let Output { status, stdout, stderr } = done.expect("rabbitmqctl");
        let mut text = String::from_utf8_lossy(&stdout).into_owned();
        if !status.success() {
            write!(text, "{}", String::from_utf8_lossy(&stderr)).expect("memory");
            panic!("rabbitmqctl {words:?}: {text}");
        }
        text
    }

    /// Deletes what a test left on the broker.
    pub(crate) async fn delete_queues(&self, namespace: &str, topology: &Topology) {
        let (_connection, channel) = self.raw().await;
        let shards = topology.every_shard().map(|(zone, k)| format!("shard.{zone}.{k}"));
        for name in shards.chain(["news".to_owned(), "dead".to_owned()]) {
            let queue = format!("{namespace}.v1.{name}");
            let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
            deleted.await.expect("a deleted queue");
        }
        for name in ["control", "tell", "events"] {
            let exchange = format!("{namespace}.v1.{name}");
            let deleted =
                channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default());
            deleted.await.expect("a deleted exchange");
        }
    }
}
