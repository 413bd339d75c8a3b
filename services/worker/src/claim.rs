//! One claimed shard: a task that hands deliveries in and acks out.
//!
//! It decides nothing. It ends when it is told to close, when its claim was refused, or
//! when nobody can tell it anything any more; dropping the claim gives the shard up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::order::LegOrder;
use mailfleet_engine::worker::{Claim, ClaimId};
use mailfleet_model::fleet::{
    ClaimError, LegMessage, ShardClaim, ShardIndex, WorkerQueue, ZoneName,
};
use mailfleet_telemetry::chain;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::PREFETCH;
use crate::drive::Happening;
use crate::egress::Pools;
use crate::link::{Said, Ticket};

/// Commands that can wait: an ack for each delivery that is out, and the close.
pub(crate) const COMMANDS: usize = PREFETCH as usize + 8;
/// Longest wait for the word that nothing is left, before the lock is given up.
pub(crate) const WORD: Duration = Duration::from_secs(1);

/// What a claim's task is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Ack a delivery.
    Ack(u64),
    /// Give the shard up, once this word has been said.
    Close(Ticket),
}

/// Where a claim belongs.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) zone: ZoneName,
    pub(crate) shard: ShardIndex,
    pub(crate) id: ClaimId,
}

/// What a claim's task works with.
pub(crate) struct Holder<Q> {
    pub(crate) queue: Arc<Q>,
    pub(crate) place: Place,
    pub(crate) pools: Arc<Pools>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) happenings: mpsc::Sender<Happening>,
    pub(crate) said: Said,
}

impl<Q: WorkerQueue> Holder<Q> {
    /// Claims the shard and holds it.
    pub(crate) async fn run(self) {
        let Place { zone, shard, id } = &self.place;
        let claimed = self.queue.claim(zone, *shard, PREFETCH).await;
        let answer = match &claimed {
            Ok(_) => Claim::Ours,
            Err(ClaimError::Held) => Claim::Refused,
            Err(error @ ClaimError::Queue(_)) => {
                tracing::warn!(shard = shard.0, error = %chain(error), "a claim failed");
                Claim::Refused
            }
        };
        let told = self.happenings.send(Happening::Claimed(*shard, *id, answer)).await;
        if let (Ok(claim), Ok(())) = (claimed, told) {
            self.hold(claim).await;
        }
    }

    async fn hold(mut self, mut claim: Q::Claim) {
        let Place { shard, id, .. } = self.place;
        let mut lost = false;
        loop {
            tokio::select! {
                // Acks first: they let the next deliveries out.
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Ack(tag)) => {
                        if let Err(error) = claim.ack(tag).await {
                            // It comes to the next owner again, which knows what to do.
                            tracing::debug!(shard = shard.0, error = %chain(&error), "an ack was lost");
                        }
                    }
                    Some(Command::Close(word)) => return self.close(claim, word).await,
                    None => return,
                },
                delivery = claim.next(), if !lost => {
                    let happening = match delivery {
                        Some(delivery) => {
                            let source = self.source(&delivery.message);
                            Happening::Delivered(shard, id, Box::new(delivery), source)
                        }
                        None => {
                            lost = true;
                            Happening::ClaimLost(shard, id)
                        }
                    };
                    if self.happenings.send(happening).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn close(mut self, claim: Q::Claim, word: Ticket) {
        // A word that cannot be said must not keep the lock.
        let _ = timeout(WORD, self.said.reached(word)).await;
        if let Err(error) = claim.close().await {
            tracing::debug!(error = %chain(&error), "a shard was given up the hard way");
        }
    }

    /// The source address that a leg is counted by. An order that cannot be read is
    /// counted by none: it will not dial.
    fn source(&self, message: &LegMessage) -> Option<IpAddr> {
        let order = LegOrder::from_payload(&message.payload).ok()?;
        self.pools.source(&message.pool, &order.mailbox.to_string())
    }
}
