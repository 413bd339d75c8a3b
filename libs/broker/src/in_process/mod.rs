//! The broker inside one process: embedded mode, and tests.
//!
//! Same promises as RabbitMQ except the disk: what was on it is gone after a crash, and
//! the store knows (what it had released becomes ready again at the start). It starts no
//! task and no thread, so nothing is left when its last handle is dropped.

mod control;
mod gateway;
mod queue;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::Sender;
use mailfleet_model::fleet::{
    GatewayId, LegMessage, Live, QueueError, ShardIndex, WorkerId, WorkerMessage, ZoneName,
};

use crate::Topology;
pub use control::InProcessLink;
use control::Links;
pub use gateway::{InProcessGateway, InProcessNews};
use queue::Queue;
pub use worker::{InProcessClaim, InProcessWorker};

/// A broker in this process. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct InProcess {
    hub: Arc<Hub>,
}

/// What all handles share.
#[derive(Debug)]
struct Hub {
    shards: BTreeMap<(ZoneName, ShardIndex), Arc<Queue<LegMessage>>>,
    news: Arc<Queue<WorkerMessage>>,
    /// Live events, by the gateway that they go to.
    live: Mutex<HashMap<GatewayId, Sender<Live>>>,
    links: Links,
    buffer_length: usize,
}

impl InProcess {
    /// An empty broker.
    #[must_use]
    pub fn new(topology: &Topology) -> Self {
        let shards = topology.every_shard().map(|(zone, shard)| {
            ((zone.clone(), shard), Arc::new(Queue::new(topology.shard_length)))
        });
        let hub = Hub {
            shards: shards.collect(),
            news: Arc::new(Queue::new(topology.news_length)),
            live: Mutex::default(),
            links: Links::new(topology.buffer_length),
            buffer_length: topology.buffer_length.get(),
        };
        Self { hub: Arc::new(hub) }
    }

    /// The gateway's side. Live events for `id` go to the last one that was made with it.
    #[must_use]
    pub fn gateway(&self, id: GatewayId) -> InProcessGateway {
        InProcessGateway::new(Arc::clone(&self.hub), id)
    }

    /// The worker's side.
    #[must_use]
    pub fn worker(&self, id: WorkerId) -> InProcessWorker {
        InProcessWorker::new(Arc::clone(&self.hub), id)
    }
}

impl Hub {
    fn shard(&self, zone: &ZoneName, shard: ShardIndex) -> Option<&Arc<Queue<LegMessage>>> {
        self.shards.get(&(zone.clone(), shard))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<GatewayId, Sender<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No shard of this deployment has that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no queue for this zone and shard")]
struct Unroutable;

/// The stream or claim has ended, and the message that was to be acked went back.
#[derive(Debug, thiserror::Error)]
#[error("the consumer has ended")]
struct ConsumerEnded;

/// The consumer holds no message with this tag.
#[derive(Debug, thiserror::Error)]
#[error("no delivery with this tag is out")]
struct NotOut;

fn refused(
    operation: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> QueueError {
    QueueError::Refused { operation, source: Some(Box::new(source)) }
}

/// What an acknowledgement comes to. A lost consumer is `Unknown` on every broker: there
/// the message may have been acked just before the connection went.
fn settle(operation: &'static str, acked: queue::Acked) -> Result<(), QueueError> {
    match acked {
        queue::Acked::Yes => Ok(()),
        queue::Acked::NotOut => Err(refused(operation, NotOut)),
        queue::Acked::Ended => {
            Err(QueueError::Unknown { operation, source: Some(Box::new(ConsumerEnded)) })
        }
    }
}

/// Whose link it is: what is told to one worker reaches only that worker's links.
type Receiver = Option<WorkerId>;
