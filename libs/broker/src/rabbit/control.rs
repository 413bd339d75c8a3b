//! The control exchange on RabbitMQ.
//!
//! What is sent goes over the publishing connection, so that the control connection never
//! publishes: a broker with an alarm stops reading from those that do, acks included.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::queue::{Read, control_from_bytes, control_to_bytes};
use mailfleet_model::fleet::{Audience, Control, ControlLink, QueueError, WorkerId};
use mailfleet_telemetry::metrics::{self, Clock, Queue};

use super::Settings;
use super::inbox::Inbox;
use super::line::Line;
use super::publish::{Publication, Publisher};
use super::topology::Names;
use super::trouble::bounded;

/// Keys of the exchange that workers are told things by. No worker's name has such a letter.
const GATEWAYS: &str = "@gateways";
const WORKERS: &str = "@workers";

/// A link to the control exchange.
pub struct RabbitLink {
    inbox: Inbox,
    publisher: Arc<Publisher>,
    names: Names,
    deadline: Duration,
}

impl RabbitLink {
    pub(super) async fn join(
        settings: &Settings,
        line: &Line,
        publisher: &Arc<Publisher>,
        worker: Option<&WorkerId>,
    ) -> Result<Self, QueueError> {
        let joining = async {
            let wire = line.wire().await?;
            settings.names.declare_exchanges(&wire).await?;
            let (everybody, tell) = (settings.names.control(), settings.names.tell());
            let mut bindings = vec![(everybody.as_str(), "")];
            match worker {
                Some(worker) => {
                    bindings.extend([(tell.as_str(), WORKERS), (tell.as_str(), worker.as_str())]);
                }
                None => bindings.push((tell.as_str(), GATEWAYS)),
            }
            let length = settings.topology.buffer_length.get();
            Inbox::open(wire, "", length, &bindings).await
        };
        let inbox = bounded("join the control exchange", settings.deadline, joining).await?;
        Ok(Self {
            inbox,
            publisher: Arc::clone(publisher),
            names: settings.names.clone(),
            deadline: settings.deadline,
        })
    }

    async fn send(&self, exchange: &str, key: &str, control: &Control) -> Result<(), QueueError> {
        let body = control_to_bytes(control);
        let best_effort = Publication::best_effort(key, &body);
        let publication = Publication { exchange, ..best_effort };
        let clock = Clock::new();
        let sent = self.publisher.say(publication);
        let sent = bounded("send a control message", self.deadline, sent).await;
        metrics::operated(Queue::Control, sent.as_ref().err().map(QueueError::kind), clock);
        sent
    }
}

impl ControlLink for RabbitLink {
    async fn broadcast(&self, control: &Control) -> Result<(), QueueError> {
        match control.audience() {
            Audience::Everybody => self.send(&self.names.control(), "", control).await,
            Audience::Gateways => self.send(&self.names.tell(), GATEWAYS, control).await,
            Audience::Workers => self.send(&self.names.tell(), WORKERS, control).await,
        }
    }

    async fn tell(&self, worker: &WorkerId, control: &Control) -> Result<(), QueueError> {
        self.send(&self.names.tell(), worker.as_str(), control).await
    }

    async fn next(&self) -> Option<Control> {
        loop {
            let body = self.inbox.next().await?;
            match control_from_bytes(&body) {
                Ok(Read::Known(control)) => return Some(control),
                // Somebody newer spoke: nothing may depend on this being heard.
                Ok(Read::UnknownKind) => tracing::debug!("broker.control.unknown"),
                Err(error) => tracing::warn!(why = error.what, "broker.control.unreadable"),
            }
        }
    }
}
