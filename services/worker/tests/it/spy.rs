//! A worker's queue that notes what goes over it, and fails when told to.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use mailfleet_broker::InProcessWorker;
use mailfleet_model::fleet::{
    ClaimError, Delivery, GatewayId, LegId, Live, Outcome, QueueError, ShardClaim, ShardIndex,
    WorkerMessage, WorkerQueue, ZoneName,
};

/// What went over the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    Refused(LegId),
    Confirmed(LegId),
    Acked(LegId),
}

/// What a test has in its hands.
pub(crate) struct Spy<Q = InProcessWorker> {
    pub(crate) queue: Q,
    pub(crate) noted: Mutex<Vec<Noted>>,
    /// Publications of results that still fail.
    pub(crate) failures: AtomicU32,
    /// Whether live events make it panic.
    pub(crate) panics: AtomicBool,
    /// Whether probes are not answered any more.
    pub(crate) silent: AtomicBool,
}

impl<Q> Spy<Q> {
    pub(crate) fn on(queue: Q) -> Arc<Self> {
        Arc::new(Self {
            queue,
            noted: Mutex::default(),
            failures: AtomicU32::new(0),
            panics: AtomicBool::new(false),
            silent: AtomicBool::new(false),
        })
    }

    pub(crate) fn noted(&self) -> Vec<Noted> {
        self.noted.lock().expect("not poisoned").clone()
    }

    fn note(&self, noted: Noted) {
        self.noted.lock().expect("not poisoned").push(noted);
    }
}

/// The handle that the worker gets.
pub(crate) struct Spied<Q = InProcessWorker>(pub(crate) Arc<Spy<Q>>);

impl<Q: WorkerQueue> WorkerQueue for Spied<Q> {
    type Claim = SpiedClaim<Q>;
    type Link = Q::Link;

    async fn connect(&self) -> Result<(), QueueError> {
        self.0.queue.connect().await
    }

    async fn claim(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        prefetch: u16,
    ) -> Result<SpiedClaim<Q>, ClaimError> {
        let claim = self.0.queue.claim(zone, shard, prefetch).await?;
        Ok(SpiedClaim { spy: Arc::clone(&self.0), claim, legs: Vec::new() })
    }

    async fn probe(&self) -> Result<(), QueueError> {
        if self.0.silent.load(Ordering::SeqCst) {
            return pending().await;
        }
        self.0.queue.probe().await
    }

    async fn abort(&self) {
        self.0.queue.abort().await;
    }

    async fn publish(&self, message: &WorkerMessage) -> Result<(), QueueError> {
        let leg = message.leg;
        if let Outcome::MayStart { .. } = message.outcome {
            return self.0.queue.publish(message).await;
        }
        let left = |left: u32| left.checked_sub(1);
        if self.0.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            self.0.note(Noted::Refused(leg));
            return Err(QueueError::Refused { operation: "publish", source: None });
        }
        self.0.queue.publish(message).await?;
        self.0.note(Noted::Confirmed(leg));
        Ok(())
    }

    fn live(&self, gateway: &GatewayId, live: Live) {
        assert!(!self.0.panics.load(Ordering::SeqCst), "as the test wants it");
        self.0.queue.live(gateway, live);
    }

    async fn control(&self) -> Result<Q::Link, QueueError> {
        self.0.queue.control().await
    }
}

pub(crate) struct SpiedClaim<Q: WorkerQueue> {
    spy: Arc<Spy<Q>>,
    claim: Q::Claim,
    legs: Vec<(u64, LegId)>,
}

impl<Q: WorkerQueue> ShardClaim for SpiedClaim<Q> {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.claim.next().await?;
        self.legs.push((delivery.tag, delivery.leg()));
        Some(delivery)
    }

    async fn ack(&mut self, tag: u64) -> Result<(), QueueError> {
        let leg = self.legs.iter().find(|(known, _)| *known == tag);
        self.spy.note(Noted::Acked(leg.expect("it was delivered").1));
        self.claim.ack(tag).await
    }

    async fn close(self) -> Result<(), QueueError> {
        self.claim.close().await
    }
}
