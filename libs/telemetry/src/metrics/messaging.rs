//! The broker: operations, messages, alarms and what was set aside.

use std::time::{Duration, Instant};

use opentelemetry::KeyValue;

use super::instruments::of;
use crate::messaging::system;

/// The queues and exchanges by what they are for: a shard's number is no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// A shard's.
    Shard,
    /// Workers' news.
    News,
    /// The control exchange.
    Control,
    /// Live steps for a gateway.
    Live,
    /// Completion events.
    Events,
    /// What could not be read.
    Dead,
}

impl Queue {
    /// The low-cardinality name (`messaging.destination.template`).
    #[must_use]
    pub fn template(self) -> &'static str {
        match self {
            Self::Shard => "shard.{zone}.{n}",
            Self::News => "news",
            Self::Control => "control",
            Self::Live => "live.{gateway}",
            Self::Events => "events",
            Self::Dead => "dead",
        }
    }
}

/// Takes the time of one operation.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// The operation begins.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it begins to run, which is no default")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// How long it has taken so far.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A publication is over. `error` is the kind of what went wrong.
pub fn operated(queue: Queue, error: Option<&'static str>, clock: Clock) {
    let mut labels = labels("publish", "send", queue).to_vec();
    labels.extend(error.map(|error| KeyValue::new("error.type", error)));
    of().operation_duration.record(clock.elapsed().as_secs_f64(), &labels);
    of().sent.add(1, &labels);
}

/// The broker delivered a message.
pub fn consumed(queue: Queue) {
    of().consumed.add(1, &labels("consume", "receive", queue));
}

/// A delivered message was worked on.
pub fn processed(queue: Queue, clock: Clock) {
    let took = clock.elapsed().as_secs_f64();
    of().process_duration.record(took, &labels("process", "process", queue));
}

/// A message was set aside, since it could not be read.
pub fn dead_letter(queue: Queue) {
    of().dead_letters.add(1, &[destination(queue)]);
}

/// Completion events were deleted before the broker took them.
pub fn events_lost(events: u64) {
    of().events_lost.add(events, &[]);
}

/// A completion event was published, or was not. `event` is one of the event's own names.
pub fn event_published(event: &'static str, error: Option<&'static str>) {
    let mut labels = vec![KeyValue::new("mailfleet.event", event)];
    labels.extend(error.map(|error| KeyValue::new("error.type", error)));
    of().events.add(1, &labels);
}

/// Whether the broker refuses publications because of an alarm, and for how long it has done so
/// since this was told the last time.
pub fn blocked(now: bool, since: Duration) {
    of().blocked.record(now.into(), &[]);
    if !since.is_zero() {
        of().blocked_duration.add(since.as_secs_f64(), &[]);
    }
}

fn destination(queue: Queue) -> KeyValue {
    KeyValue::new("messaging.destination.template", queue.template())
}

fn labels(name: &'static str, kind: &'static str, queue: Queue) -> [KeyValue; 4] {
    [
        KeyValue::new("messaging.system", system()),
        KeyValue::new("messaging.operation.name", name),
        KeyValue::new("messaging.operation.type", kind),
        destination(queue),
    ]
}
