//! The queue port: what gateways and workers need of a broker.
//!
//! Two sides, since they run in different processes and use different connections. An
//! adapter bounds every call by a deadline of its own (10 s by default), encodes and
//! decodes, knows the names of queues, and never reconnects a shard claim by itself: a
//! lost claim is a lost lock, and the engine decides what follows.

use std::future::Future;

use super::id::{GatewayId, LegId, WorkerId, ZoneName};
use super::message::{Control, LegMessage, Live, WorkerMessage, WorkerNews};
use super::notice::Notice;
use super::shard::ShardIndex;

/// Why the broker did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Nobody knows whether it happened: the connection was lost, or the deadline passed.
    /// A message may be on the broker once, or not at all.
    #[error("the broker did not answer in time while it should {operation}")]
    Unknown {
        /// What was to be done, such as `publish a leg`.
        operation: &'static str,
        /// What the client said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It did not happen: the broker refused (a full queue, an alarm) or returned the
    /// message as unroutable (the queue is missing: the adapter declares it anew before
    /// the next publication).
    #[error("the broker refused to {operation}")]
    Refused {
        /// What was to be done.
        operation: &'static str,
        /// What the client said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl QueueError {
    /// Its kind in one word, for metrics and traces.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown",
            Self::Refused { .. } => "refused",
        }
    }
}

/// Why a shard could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another worker consumes it. Ordinary: try again later.
    #[error("another worker holds the shard")]
    Held,
    /// The broker did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What a gateway needs.
pub trait GatewayQueue: Send + Sync + 'static {
    /// The stream of workers' news.
    type News: NewsSource;
    /// The control link.
    type Link: ControlLink;

    /// Publishes a leg to its shard's queue: persistent, mandatory, confirmed.
    ///
    /// `Ok` means that the broker holds it on disk. After an error the leg stays
    /// `RELEASED` and is published again by the sweep; publishing twice is harmless as far
    /// as the second message says [`StartRule::Ask`](super::StartRule::Ask).
    fn publish_leg(
        &self,
        message: &LegMessage,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Publishes a notice for other services: persistent, confirmed, and gone where nobody has
    /// bound a queue. Publishing twice is harmless: receivers know it by its id.
    fn publish_notice(
        &self,
        notice: &Notice,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Consumes the durable queue of workers' news, beside all other gateways.
    fn news(&self) -> impl Future<Output = Result<Self::News, QueueError>> + Send;

    /// Joins the control exchange.
    fn control(&self) -> impl Future<Output = Result<Self::Link, QueueError>> + Send;

    /// The next live event of a leg that was sent to this gateway. Best effort: a slow gateway misses some. Waits for
    /// ever if there is none; cancel-safe.
    fn next_live(&self) -> impl Future<Output = Live> + Send;
}

/// Workers' news, each delivered to one gateway, and again if it was not acked.
pub trait NewsSource: Send + 'static {
    /// The next message; `None` once the stream has ended (broker gone, queue deleted):
    /// consume anew. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Option<NewsDelivery>> + Send;

    /// Acks a message, after the store has committed what follows from it. A lost ack
    /// brings the message again, which changes nothing then.
    fn ack(&mut self, tag: u64) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// One delivery of news.
#[derive(Debug, Clone, PartialEq)]
pub struct NewsDelivery {
    /// What to ack; valid for the stream that it came from only.
    pub tag: u64,
    /// What it says.
    pub news: WorkerNews,
}

/// The control exchange: everybody's broadcasts, at most once.
///
/// Several calls may be under way at once. What a link sends to the same receivers arrives in
/// the order in which its calls were first polled, also while an earlier one waits for the
/// broker's word.
pub trait ControlLink: Send + Sync + 'static {
    /// Sends to everybody of the message's [`audience`](Control::audience), the sender included.
    fn broadcast(&self, control: &Control) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Sends to one worker. Lost without a word if it is gone.
    fn tell(
        &self,
        worker: &WorkerId,
        control: &Control,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// The next message; `None` once the link has ended: join anew. A receiver that is too
    /// slow loses the oldest ones. Cancel-safe.
    fn next(&self) -> impl Future<Output = Option<Control>> + Send;
}

/// What a worker needs. Consuming, publishing and control run on three connections: one
/// that the broker blocks sends no acks either.
pub trait WorkerQueue: Send + Sync + 'static {
    /// A claimed shard.
    type Claim: ShardClaim;
    /// The control link.
    type Link: ControlLink;

    /// Opens the consuming connection, if it is not open. Whatever ended the last one has
    /// ended every claim on it.
    fn connect(&self) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Claims a shard: consumes its queue exclusively, on a channel of its own, with this
    /// prefetch. [`ClaimError::Held`] while anybody else does.
    fn claim(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        prefetch: u16,
    ) -> impl Future<Output = Result<Self::Claim, ClaimError>> + Send;

    /// A synchronous round trip on the consuming connection that touches one of the
    /// claimed queues: the fence's probe. `Ok` proves that the broker had heard from this
    /// connection after the call began. Never trusts an answer of an earlier connection.
    fn probe(&self) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Ends the consuming connection, and with it every claim, at once.
    fn abort(&self) -> impl Future<Output = ()> + Send;

    /// Publishes news to the gateways: persistent, mandatory, confirmed.
    fn publish(
        &self,
        message: &WorkerMessage,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Sends a live event to the gateway that the caller is on. Best effort, never blocks
    /// a leg: an event that finds a full buffer is dropped.
    fn live(&self, gateway: &GatewayId, live: Live);

    /// Joins the control exchange.
    fn control(&self) -> impl Future<Output = Result<Self::Link, QueueError>> + Send;
}

/// A claimed shard: the lock, as long as the stream has not ended.
pub trait ShardClaim: Send + 'static {
    /// The next leg; `None` once the claim is lost, for whatever reason. Cancel-safe.
    /// What cannot be decoded is dead-lettered by the adapter and not seen here.
    fn next(&mut self) -> impl Future<Output = Option<Delivery>> + Send;

    /// Acks a delivery, after what became of it has been confirmed. A lost ack brings the
    /// leg to the next owner as redelivered.
    fn ack(&mut self, tag: u64) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Gives the shard up by closing the channel, never by a cancel: what is out comes to
    /// the next owner as redelivered.
    fn close(self) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// One delivery of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What to ack; valid for the claim that it came from only.
    pub tag: u64,
    /// Whether the broker delivered it before.
    pub redelivered: bool,
    /// The leg.
    pub message: LegMessage,
}

impl Delivery {
    /// The leg that it is about.
    #[must_use]
    pub fn leg(&self) -> LegId {
        self.message.leg
    }
}
