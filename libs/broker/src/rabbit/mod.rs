//! The broker on RabbitMQ, 3.10 and later, over AMQP 0-9-1.
//!
//! The exclusive consumer of a shard's queue is the lock on the shard; a channel's end is
//! its release; a lost connection is a lost lock, and nothing here takes one up again by
//! itself. Every call ends within the deadline.

mod alarm;
mod config;
mod control;
mod dead;
mod gateway;
mod inbox;
mod intake;
mod line;
mod plug;
mod publish;
mod topology;
mod trouble;
mod wire;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;
use mailfleet_model::fleet::{GatewayId, QueueError, WorkerId};

use crate::Topology;
pub use config::{InvalidUrl, RabbitConfig};
pub use control::RabbitLink;
pub use dead::Redriven;
pub use gateway::{RabbitGateway, RabbitNews};
use line::Line;
use publish::Publisher;
use topology::Names;
pub use worker::{RabbitClaim, RabbitWorker};

/// A RabbitMQ that several processes share. Clones are handles of the same settings; each
/// gateway and worker has connections of its own.
#[derive(Debug, Clone)]
pub struct RabbitMq {
    settings: Arc<Settings>,
}

/// What everything needs to know.
struct Settings {
    uri: AMQPUri,
    roots_pem: Option<String>,
    names: Names,
    topology: Topology,
    deadline: Duration,
    n_publish_channels: usize,
}

impl Settings {
    /// Longest wait for one answer of the broker. A call may need two of them.
    fn patience(&self) -> Duration {
        self.deadline / 2
    }

    fn publisher(&self, line: Arc<Line>) -> Arc<Publisher> {
        Arc::new(Publisher::new(line, self.n_publish_channels))
    }
}

/// Names no user and no password.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.uri.authority.host)
            .field("port", &self.uri.authority.port)
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}

impl RabbitMq {
    /// Reads the URL; connects to nothing yet.
    pub fn new(config: RabbitConfig) -> Result<Self, InvalidUrl> {
        Ok(Self { settings: Arc::new(config.into_settings()?) })
    }

    /// The gateway's side: declares the queues, and opens the gateway's own. Fails if the
    /// broker cannot be reached within the deadline.
    pub async fn gateway(&self, id: GatewayId) -> Result<RabbitGateway, QueueError> {
        RabbitGateway::open(&self.settings, id).await
    }

    /// The worker's side. Fails if the broker cannot be reached within the deadline.
    pub async fn worker(&self, id: WorkerId) -> Result<RabbitWorker, QueueError> {
        RabbitWorker::open(&self.settings, id).await
    }
}
