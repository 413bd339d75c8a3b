//! Live events of a leg, on their way to the gateway whose caller watches.

use std::sync::Arc;

use mailfleet_model::fleet::{GatewayId, LegId, Live, WorkerQueue};
use mailfleet_model::{LegEvent, LegObserver};

/// Sends the steps of one leg, best effort.
pub(crate) struct LiveSteps<Q> {
    queue: Arc<Q>,
    gateway: GatewayId,
    leg: LegId,
}

impl<Q> LiveSteps<Q> {
    pub(crate) fn new(queue: Arc<Q>, gateway: GatewayId, leg: LegId) -> Self {
        Self { queue, gateway, leg }
    }
}

impl<Q: WorkerQueue> LegObserver for LiveSteps<Q> {
    fn observe(&self, event: LegEvent) {
        self.queue.live(&self.gateway, Live { leg: self.leg, event });
    }
}
