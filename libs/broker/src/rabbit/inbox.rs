//! A queue of one's own, for what is said at most once: control and live events.
//!
//! Bounded twice: the broker drops the oldest beyond the queue's length, and hands out no
//! more than the prefetch. The queue goes with its consumer.

use std::sync::Arc;

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use tokio::sync::Mutex;

use super::topology;
use super::trouble::Trouble;
use super::wire::Wire;

/// Most messages that wait in this process.
const MOST_PREFETCHED: u16 = 256;

/// An inbox.
pub(super) struct Inbox {
    wire: Arc<Wire>,
    /// Kept, since the consumer lives as long as its channel.
    _channel: Channel,
    reading: Mutex<Reading>,
}

struct Reading {
    consumer: Consumer,
    /// The message before: acked when the next one is asked for, so that a reader that
    /// gives up waiting loses nothing.
    previous: Option<Acker>,
}

impl Inbox {
    /// Makes the queue (`name` empty: the broker chooses one) and binds it to exchanges by
    /// these keys.
    pub(super) async fn open(
        wire: Arc<Wire>,
        name: &str,
        length: usize,
        bindings: &[(&str, &str)],
    ) -> Result<Self, Trouble> {
        let channel = wire.channel().await?;
        let prefetch = u16::try_from(length).unwrap_or(MOST_PREFETCHED).clamp(1, MOST_PREFETCHED);
        wire.within(channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let declared =
            channel.queue_declare(name.into(), options, topology::inbox_arguments(length));
        let queue = wire.within(declared).await?.name().clone();
        for (exchange, key) in bindings {
            let (exchange, key) = ((*exchange).into(), (*key).into());
            let options = QueueBindOptions::default();
            let bound =
                channel.queue_bind(queue.clone(), exchange, key, options, FieldTable::default());
            wire.within(bound).await?;
        }
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        let consumer = wire.within(consuming).await?;
        let reading = Mutex::new(Reading { consumer, previous: None });
        Ok(Self { wire, _channel: channel, reading })
    }

    /// The body of the next message; `None` once the inbox has ended. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Vec<u8>> {
        let mut reading = self.reading.lock().await;
        if let Some(acker) = reading.previous.take() {
            self.wire.within(acker.ack(BasicAckOptions::default())).await.ok()?;
        }
        tokio::select! {
            biased;
            () = self.wire.killed() => None,
            delivery = reading.consumer.next() => {
                let delivery = delivery?.ok()?;
                reading.previous = Some(delivery.acker);
                Some(delivery.data)
            }
        }
    }
}
