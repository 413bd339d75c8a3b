//! Dispatch: woken groups, their next legs out of the store, and onto the broker.
//!
//! Everything after the store's commit may be lost: the sweep publishes again what was
//! released and not confirmed. So a broker that fails is no reason to try again here, and a
//! group's next legs are released while the broker still confirms the ones before.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use mailfleet_engine::collect::Event;
use mailfleet_engine::dispatch::release;
use mailfleet_model::fleet::{GatewayQueue, LegMessage, LegRecord, QueueError, StartRule, Store};
use mailfleet_telemetry::metrics::{self, Clock, Queue};
use mailfleet_telemetry::spans;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::compose::sends;
use crate::gateway::Gateway;
use crate::wakes::{Look, Turn};

/// Groups whose legs are released at once: a few, since each holds a connection of the store.
const GROUPS: usize = 4;
/// Releases whose legs are on their way to the broker, or about to be.
const ROUNDS: usize = 32;
/// Legs that are published at once for one group.
const PUBLICATIONS: usize = 16;
/// Jobs whose legs are on their way to the broker without a dispatch; beyond them legs wait in the
/// store, where their order can still be changed.
const AT_ONCE: usize = 256;

/// Dispatches woken groups for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    let connections = Arc::new(Semaphore::new(GROUPS));
    let mut running = JoinSet::new();
    loop {
        let next = async {
            let connection = Arc::clone(&connections).acquire_owned().await;
            (connection.expect("it is never closed"), gateway.wakes.next().await)
        };
        tokio::select! {
            (connection, turn) = next, if running.len() < ROUNDS => {
                let gateway = Arc::clone(&gateway);
                running.spawn(async move { gateway.dispatch(turn, connection).await });
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(error = %error, "a dispatch has died, leaving it to the sweep");
                }
            }
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Releases what a group may have out now, and publishes it. The group's turn ends with the
    /// release.
    async fn dispatch(&self, turn: Turn, connection: OwnedSemaphorePermit) {
        // The commit is later than this, so what counts from here is on the safe side.
        let began = Instant::now();
        if turn.look == Look::First {
            match self.store.has_waiting(&turn.group).await {
                Ok(true) => {}
                Ok(false) => return self.troubles.dispatch.is_over(),
                Err(error) => return self.troubles.dispatch.begins(&error),
            }
        }
        let rules = &self.rules.dispatch;
        let released = self.store.release(&turn.group, |view| release(view, rules)).await;
        drop(connection);
        let (legs, decided) = match released {
            Ok(released) => {
                self.troubles.dispatch.is_over();
                released
            }
            Err(error) => return self.troubles.dispatch.begins(&error),
        };
        if decided.more {
            self.wakes.wake([turn.group.clone()]);
        }
        drop(turn);
        let message = |leg: &LegRecord| {
            let waited = decided.waits.get(&leg.id).copied().unwrap_or_default();
            LegMessage { waited, ..released_now(leg) }
        };
        self.publish_all(legs.iter().map(message).collect(), began).await;
        let refused = decided.refused.into_iter().map(|leg| (leg, Event::Refused(leg)));
        let shut_out = decided.shut_out.into_iter().map(|leg| (leg, Event::ShutOut(leg)));
        for (leg, event) in refused.chain(shut_out) {
            let closed = self.advance(leg.job, &event).await;
            closed.map_or_else(|error| self.troubles.dispatch.begins(&error), drop);
        }
    }

    /// Whether legs that are released just now would be published, as far as is known.
    pub(crate) fn publishes(&self) -> bool {
        !self.troubles.publish.lasts() && self.publishing.len() < AT_ONCE
    }

    /// Publishes legs that were released with their job, beside whoever made it.
    pub(crate) fn publish_soon(self: &Arc<Self>, legs: &[LegRecord], released: Instant) {
        if legs.is_empty() {
            return;
        }
        let messages = legs.iter().map(released_now).collect();
        let gateway = Arc::clone(self);
        self.publishing.spawn(async move { gateway.publish_all(messages, released).await });
    }

    /// Publishes legs that were released at `released`, unless that is too long ago by now.
    pub(crate) async fn publish_all(&self, messages: Vec<LegMessage>, released: Instant) {
        let publications = stream::iter(messages).map(|message| async move {
            // Another copy may be out by now, so that this one must not start unasked.
            if released.elapsed() < self.rules.sweep.publish_within {
                self.publish(message).await;
            }
        });
        publications.buffer_unordered(PUBLICATIONS).collect::<()>().await;
    }

    async fn publish(&self, mut message: LegMessage) {
        let (clock, span) = (Clock::new(), spans::publish(&message));
        if let Some(span) = &span {
            message.traceparent = Some(span.context().to_string());
        }
        let published = self.queue.publish_leg(&message).await;
        metrics::operated(Queue::Shard, published.as_ref().err().map(QueueError::kind), clock);
        if let (Some(mut span), Err(error)) = (span, &published) {
            span.fail(error.kind());
        }
        if let Err(error) = published {
            return self.troubles.publish.begins(&error);
        }
        self.troubles.publish.is_over();
        tracing::debug!(job.id = %message.leg.job, leg = message.leg.index, "leg published");
        self.marks.add(message.leg, message.dispatch);
    }
}

/// A leg whose release nobody else has heard of yet.
fn released_now(leg: &LegRecord) -> LegMessage {
    // A mail is sent once: its start must be known before it is made.
    let is_free = leg.dispatch.0 == 1 && !sends(leg);
    LegMessage::of(leg, if is_free { StartRule::Free } else { StartRule::Ask })
}
