//! The worker's side of the broker in this process.

use std::sync::{Arc, Mutex, PoisonError};

use mailfleet_model::fleet::{
    ClaimError, Delivery, GatewayId, LegMessage, Live, QueueError, ShardClaim, ShardIndex,
    WorkerId, WorkerMessage, WorkerQueue, ZoneName,
};

use super::queue::{Ender, InUse, Sharing, Subscription};
use super::{Hub, InProcessLink, Unroutable, refused, settle};

/// The worker's side. Its claims end when it is dropped.
#[derive(Debug)]
pub struct InProcessWorker {
    hub: Arc<Hub>,
    id: WorkerId,
    /// The claims that have not ended, as if all were on one connection.
    claims: Mutex<Vec<Ender<LegMessage>>>,
}

impl InProcessWorker {
    pub(super) fn new(hub: Arc<Hub>, id: WorkerId) -> Self {
        Self { hub, id, claims: Mutex::default() }
    }

    fn end_claims(&self) {
        let claims =
            std::mem::take(&mut *self.claims.lock().unwrap_or_else(PoisonError::into_inner));
        claims.iter().for_each(Ender::end);
    }
}

impl Drop for InProcessWorker {
    fn drop(&mut self) {
        self.end_claims();
    }
}

impl WorkerQueue for InProcessWorker {
    type Claim = InProcessClaim;
    type Link = InProcessLink;

    async fn connect(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn claim(
        &self,
        zone: &ZoneName,
        shard: ShardIndex,
        prefetch: u16,
    ) -> Result<InProcessClaim, ClaimError> {
        let queue = self.hub.shard(zone, shard);
        let queue = queue.ok_or_else(|| refused("claim a shard", Unroutable))?;
        let held = |InUse| ClaimError::Held;
        let subscription = queue.consume(Sharing::Exclusive, prefetch).map_err(held)?;
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(Ender::is_alive);
        claims.push(subscription.ender());
        drop(claims);
        Ok(InProcessClaim(subscription))
    }

    async fn probe(&self) -> Result<(), QueueError> {
        // Nothing lies between this process and itself.
        Ok(())
    }

    async fn abort(&self) {
        self.end_claims();
    }

    async fn publish(&self, message: &WorkerMessage) -> Result<(), QueueError> {
        let pushed = self.hub.news.push(message.clone());
        pushed.map_err(|full| refused("publish a worker's news", full))
    }

    fn live(&self, gateway: &GatewayId, live: Live) {
        if let Some(sender) = self.hub.live().get(gateway) {
            // Full or closed: best effort.
            drop(sender.try_send(live));
        }
    }

    async fn control(&self) -> Result<InProcessLink, QueueError> {
        Ok(InProcessLink::join(&self.hub, Some(self.id.clone())))
    }
}

/// A claimed shard. Given up when dropped.
#[derive(Debug)]
pub struct InProcessClaim(Subscription<LegMessage>);

impl ShardClaim for InProcessClaim {
    async fn next(&mut self) -> Option<Delivery> {
        let delivered = self.0.next().await?;
        Some(Delivery {
            tag: delivered.tag,
            redelivered: delivered.redelivered,
            message: delivered.message,
        })
    }

    async fn ack(&mut self, tag: u64) -> Result<(), QueueError> {
        settle("ack a leg", self.0.ack(tag))
    }

    async fn close(self) -> Result<(), QueueError> {
        // Dropping the subscription gives everything back.
        Ok(())
    }
}
