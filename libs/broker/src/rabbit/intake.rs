//! One consumer on a channel of its own.
//!
//! It ends by closing the channel, never by a cancel: a cancelled consumer keeps what is
//! out while the next one starts, and 3.10 stalls the queue besides. Acks of what is not
//! out are caught here, before the broker would end the channel over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, Channel, Consumer};
use mailfleet_telemetry::metrics::{self, Queue};

use super::trouble::Trouble;
use super::wire::Wire;

/// AMQP's code of an orderly end.
const REPLY_SUCCESS: u16 = 200;

/// Whether others may consume the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Nobody else: the consumer is a lock.
    Exclusive,
    /// Others of its kind.
    Shared,
}

/// A consumer.
pub(super) struct Intake {
    wire: Arc<Wire>,
    channel: Channel,
    consumer: Consumer,
    queue: String,
    exclusive: bool,
    /// What was handed out, by tag; `None` for what is settled already.
    out: BTreeMap<u64, Option<Acker>>,
}

impl Intake {
    /// Consumes a queue. A refusal costs this attempt's channel and nothing else.
    pub(super) async fn open(
        wire: Arc<Wire>,
        queue: &str,
        prefetch: u16,
        sharing: Sharing,
    ) -> Result<Self, Trouble> {
        let channel = wire.channel().await?;
        // 0 would mean no bound at all, and the library's buffer has none either.
        wire.within(channel.basic_qos(prefetch.max(1), BasicQosOptions::default())).await?;
        let exclusive = sharing == Sharing::Exclusive;
        let options = BasicConsumeOptions { exclusive, ..BasicConsumeOptions::default() };
        let consuming =
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let consumer = wire.within(consuming).await?;
        if exclusive {
            wire.held().insert(queue.to_owned());
        }
        let (queue, out) = (queue.to_owned(), BTreeMap::new());
        Ok(Self { wire, channel, consumer, queue, exclusive, out })
    }

    /// The next delivery; `None` once the consumer has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<lapin::message::Delivery> {
        tokio::select! {
            // First: nothing that was buffered counts after the connection has ended.
            biased;
            () = self.wire.killed() => None,
            delivery = self.consumer.next() => delivery?.ok().filter(|_| self.wire.is_live()),
        }
    }

    /// Remembers a delivery that is handed out, and gives it its tag.
    pub(super) fn hand_out(&mut self, delivery: lapin::message::Delivery) -> u64 {
        self.out.insert(delivery.delivery_tag, Some(delivery.acker));
        delivery.delivery_tag
    }

    /// Sends a delivery to the dead letters. Its tag counts as out until it is acked.
    pub(super) async fn set_aside(
        &mut self,
        delivery: lapin::message::Delivery,
        why: &'static str,
    ) -> Result<u64, Trouble> {
        tracing::warn!(queue = self.queue, why, "broker.dead_letter");
        metrics::dead_letter(if self.exclusive { Queue::Shard } else { Queue::News });
        let tag = delivery.delivery_tag;
        self.out.insert(tag, None);
        let rejected = delivery.acker.reject(BasicRejectOptions { requeue: false });
        self.wire.within(rejected).await?;
        Ok(tag)
    }

    /// Forgets a tag that nobody will ack.
    pub(super) fn forget(&mut self, tag: u64) {
        self.out.remove(&tag);
    }

    /// Acks what was handed out.
    pub(super) async fn ack(&mut self, tag: u64) -> Result<(), Trouble> {
        if !self.wire.is_live() || !self.channel.status().connected() {
            return Err(Trouble::Ended);
        }
        match self.out.remove(&tag) {
            None => Err(Trouble::NotOut),
            Some(None) => Ok(()),
            Some(Some(acker)) => {
                match self.wire.within(acker.ack(BasicAckOptions::default())).await {
                    Ok(true) => Ok(()),
                    // Stale: the channel has ended meanwhile.
                    Ok(false) => Err(Trouble::Ended),
                    Err(trouble) => Err(trouble),
                }
            }
        }
    }

    /// Ends it; what is out goes back. Waits until the broker has said so.
    pub(super) async fn close(self) -> Result<(), Trouble> {
        self.wire.within(self.channel.close(REPLY_SUCCESS, "OK".into())).await
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.wire.held().remove(&self.queue);
        // The library cancels a consumer when it is dropped, which must not happen while
        // deliveries are out. Polling a close once sends it, and whatever follows on a
        // channel that closes is ignored.
        drop(self.channel.close(REPLY_SUCCESS, "OK".into()).now_or_never());
    }
}

/// The header of that name, if it is a text.
pub(super) fn header<'a>(delivery: &'a lapin::message::Delivery, name: &str) -> Option<&'a [u8]> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.as_bytes()),
        _ => None,
    }
}
