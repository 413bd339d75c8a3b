//! Live events of a leg, on their way to the gateways whose callers watch.

use std::sync::Arc;

use mailfleet_model::fleet::{GatewayId, LegId, Live, WorkerQueue};
use mailfleet_model::{LegEvent, LegObserver};

use crate::onlookers::Onlookers;

/// Sends the steps of one leg, best effort.
pub(crate) struct LiveSteps<Q> {
    queue: Arc<Q>,
    /// The gateway that made the job, if its caller watches.
    gateway: Option<GatewayId>,
    onlookers: Arc<Onlookers>,
    leg: LegId,
}

impl<Q> LiveSteps<Q> {
    pub(crate) fn new(
        queue: Arc<Q>,
        gateway: Option<GatewayId>,
        onlookers: Arc<Onlookers>,
        leg: LegId,
    ) -> Self {
        Self { queue, gateway, onlookers, leg }
    }
}

impl<Q: WorkerQueue> LegObserver for LiveSteps<Q> {
    fn observe(&self, event: LegEvent) {
        let leg = self.leg;
        for onlooker in self.onlookers.of(leg.job) {
            if self.gateway.as_ref() != Some(&onlooker) {
                self.queue.live(&onlooker, Live { leg, event: event.clone() });
            }
        }
        if let Some(gateway) = &self.gateway {
            self.queue.live(gateway, Live { leg, event });
        }
    }
}
