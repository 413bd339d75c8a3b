//! A queue of one's own, for what is said at most once: control and live events.
//!
//! Bounded twice: the broker drops the oldest beyond the queue's length, and hands out no
//! more than the prefetch. The queue goes with its consumer.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};
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
    /// The last message that was handed out. It is acked, and all before it, when no other one
    /// is there at once, or after so many: one ack for each would be half of the work.
    last: Option<Acker>,
    n_unacked: u16,
    most_unacked: u16,
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
        let most_unacked = (prefetch / 2).max(1);
        let reading = Mutex::new(Reading { consumer, last: None, n_unacked: 0, most_unacked });
        Ok(Self { wire, _channel: channel, reading })
    }

    /// The body of the next message; `None` once the inbox has ended. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Vec<u8>> {
        let mut reading = self.reading.lock().await;
        let mut next = None;
        if reading.n_unacked < reading.most_unacked {
            next = reading.consumer.next().now_or_never();
        }
        if next.is_none()
            && let Some(acker) = reading.last.take()
        {
            reading.n_unacked = 0;
            self.wire.within(acker.ack(BasicAckOptions { multiple: true })).await.ok()?;
        }
        let delivery = match next {
            Some(delivery) if self.wire.is_live() => delivery,
            Some(_) => None,
            None => tokio::select! {
                biased;
                () = self.wire.killed() => None,
                delivery = reading.consumer.next() => delivery,
            },
        };
        let delivery = delivery?.ok()?;
        reading.last = Some(delivery.acker);
        reading.n_unacked += 1;
        Some(delivery.data)
    }
}
