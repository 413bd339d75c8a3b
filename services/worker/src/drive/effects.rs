//! Carries out what the engine asks for. Nothing in here waits, but for the end of a
//! connection, which is a matter of microseconds and bounded all the same.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_engine::own::{Action, Offer};
use mailfleet_engine::worker::{ClaimId, Effect, Event};
use mailfleet_model::fleet::{
    Delivery, Dispatch, LegId, LegMessage, Outcome, ShardIndex, WorkerMessage, WorkerQueue,
};
use mailfleet_telemetry::chain;
use mailfleet_telemetry::metrics::{self, Clock, Queue};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::chores::{Chore, Ended};
use super::{Drive, Happening};
use crate::claim::{COMMANDS, Command, Holder, Place, WORD};
use crate::clock;

/// Longest time that ending a connection may take.
const ABORT: Duration = Duration::from_secs(1);
/// Pause before a failed connection is reported: the engine would try again at once.
const AGAIN: Duration = Duration::from_millis(250);
/// Longest wait for claims to be given up, once all work is done.
const CLOSING: Duration = Duration::from_secs(5);

/// A claim that may be ours.
#[derive(Debug)]
pub(super) struct HeldClaim {
    commands: mpsc::Sender<Command>,
    /// What is out, by its tag, and since when.
    messages: HashMap<u64, (LegMessage, Clock)>,
}

impl<Q: WorkerQueue> Drive<Q> {
    pub(super) async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Connect => self.connect(),
            Effect::Disconnect => self.disconnect().await,
            Effect::Probe => self.probe(),
            Effect::Claim(shard, id) => self.claim(shard, id),
            Effect::Close(_, id) => {
                if let Some(claim) = self.forget_claim(id) {
                    // Dropping the sender gives the shard up too, only less politely.
                    drop(claim.commands.try_send(Command::Close(self.voice.last())));
                }
            }
            Effect::Broadcast(control) => {
                self.voice.say(control);
            }
            Effect::Own(_, claim, action) => self.act(claim, action),
        }
    }

    pub(super) async fn delivered(
        &mut self,
        shard: ShardIndex,
        id: ClaimId,
        delivery: Delivery,
        source: Option<IpAddr>,
    ) {
        let Some(claim) = self.claims.get_mut(&id) else { return };
        let offer = Offer::of(&delivery, source);
        metrics::consumed(Queue::Shard);
        self.legs.note_trace(delivery.message.leg, delivery.message.traceparent.clone());
        claim.messages.insert(delivery.tag, (delivery.message, Clock::new()));
        self.tell(Event::Delivered(shard, id, offer)).await;
    }

    /// A claim is not ours any more, nor are its deliveries.
    fn forget_claim(&mut self, id: ClaimId) -> Option<HeldClaim> {
        let claim = self.claims.remove(&id)?;
        for (message, _) in claim.messages.values() {
            self.legs.forget_trace(message.leg);
        }
        Some(claim)
    }

    fn act(&mut self, claim: ClaimId, action: Action) {
        match action {
            Action::Start(leg, tag, held_by) => {
                let message = self.claims.get(&claim).and_then(|held| held.messages.get(&tag));
                match message.cloned() {
                    Some((message, delivered)) => {
                        let by = held_by.map(|delay| delay.by);
                        metrics::waited(message.class, by, delivered.elapsed());
                        self.start_leg(leg, message, held_by);
                    }
                    None => tracing::error!(%leg, "a leg was started that nobody delivered"),
                }
            }
            Action::Ask { leg, dispatch, redelivered } => {
                self.publish(leg, dispatch, Outcome::MayStart { redelivered });
            }
            Action::Return(leg, dispatch, returned) => {
                tracing::debug!(%leg, reason = %returned.reason, "a leg is given back");
                self.publish(leg, dispatch, Outcome::Returned(returned));
            }
            Action::Ack(tag) => self.ack(claim, tag),
            // A leg that is still held is ended by our own wish, and there is time to say
            // goodbye. Otherwise the lock is gone, and there is none.
            Action::Abort(leg) => match self.engine.dispatch_of(leg) {
                Some(_) => self.legs.cancel(leg),
                None => self.legs.abort(leg),
            },
        }
    }

    pub(super) fn publish(&mut self, leg: LegId, dispatch: Dispatch, outcome: Outcome) {
        let worker = self.config.worker.clone();
        let traceparent = self.legs.trace(leg);
        if let Outcome::Returned(returned) = &outcome {
            metrics::leg_returned(&returned.reason);
        }
        self.outbox.publish(WorkerMessage { worker, leg, dispatch, outcome, traceparent });
    }

    /// Acks of a claim that is lost are left out: they would mean another delivery.
    fn ack(&mut self, claim: ClaimId, tag: u64) {
        let Some(held) = self.claims.get_mut(&claim) else { return };
        if let Some((message, _)) = held.messages.remove(&tag) {
            self.legs.forget_trace(message.leg);
        }
        if let Err(error) = held.commands.try_send(Command::Ack(tag)) {
            tracing::warn!(%error, "an ack was lost, its leg will come again");
        }
    }

    pub(super) fn connect(&mut self) {
        let (queue, report, epoch) = (Arc::clone(&self.queue), self.report.clone(), self.epoch);
        let work = async move {
            let event = match queue.connect().await {
                Ok(()) => Event::Connected,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the broker cannot be reached");
                    sleep(AGAIN).await;
                    Event::ConnectionLost
                }
            };
            // The worker may be gone.
            let _ = report.send(Happening::OnConnection(epoch, event)).await;
        };
        self.chores.spawn(Chore::Connection(epoch), work);
    }

    async fn disconnect(&mut self) {
        if !self.claims.is_empty() {
            metrics::fence_tripped();
            let n_shards = self.claims.len();
            tracing::warn!(n_shards, "the connection to the broker is lost, with its shards");
        }
        self.epoch += 1;
        self.claims.clear();
        self.legs.forget_traces();
        if timeout(ABORT, self.queue.abort()).await.is_err() {
            tracing::error!("the connection to the broker does not end");
        }
    }

    fn probe(&mut self) {
        let (queue, report, epoch) = (Arc::clone(&self.queue), self.report.clone(), self.epoch);
        let work = async move {
            let event = match queue.probe().await {
                Ok(()) => Event::Probed,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the broker did not answer a probe");
                    Event::ConnectionLost
                }
            };
            let _ = report.send(Happening::OnConnection(epoch, event)).await;
        };
        self.chores.spawn(Chore::Connection(epoch), work);
    }

    fn claim(&mut self, shard: ShardIndex, id: ClaimId) {
        self.meter.claiming(shard, clock::now());
        let (commands, taken) = mpsc::channel(COMMANDS);
        self.claims.insert(id, HeldClaim { commands, messages: HashMap::new() });
        let holder = Holder {
            queue: Arc::clone(&self.queue),
            place: Place { zone: self.config.zone.clone(), shard, id },
            pools: Arc::clone(self.runner.pools()),
            commands: taken,
            happenings: self.report.clone(),
            said: self.said.clone(),
        };
        self.chores.spawn(Chore::Claim(shard, id), holder.run());
    }

    /// A task ended. One that was not told to is as good as lost.
    pub(super) async fn chore_ended(&mut self, ended: Ended) {
        let Ended { chore, panic } = ended;
        if let Some(error) = &panic {
            tracing::error!(%error, ?chore, "a task of the worker panicked");
        }
        match chore {
            Chore::Claim(shard, id) if self.claims.contains_key(&id) => {
                self.tell(Event::ClaimLost(shard, id)).await;
                self.forget_claim(id);
            }
            Chore::Connection(epoch) if panic.is_some() && epoch == self.epoch => {
                self.tell(Event::ConnectionLost).await;
            }
            Chore::Link | Chore::Connection(_) | Chore::Claim(..) => {}
        }
    }

    /// Waits until every shard is given up, and the last word is said.
    pub(super) async fn close(mut self) {
        let last = self.voice.last();
        let closing = async {
            // A word that cannot be said must not keep the worker.
            let _ = timeout(WORD, self.said.reached(last)).await;
            while self.chores.has_claims() {
                self.chores.next().await;
            }
        };
        if timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("the broker does not take the shards back, they are dropped");
        }
    }
}
