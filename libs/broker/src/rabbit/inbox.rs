//! A queue of one's own, for what is said at most once: control and live events.
//!
//! Bounded twice: the broker drops the oldest beyond the queue's length, and hands out no
//! more than the prefetch. The queue goes with its consumer.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::topology;
use super::trouble::Trouble;
use super::wire::Wire;

/// Most messages that wait in this process.
const MOST_PREFETCHED: u16 = 256;
/// How long nothing comes before what was handed out is acked: the broker closes a channel that
/// owes it an ack for half an hour.
const QUIET: Duration = Duration::from_secs(1);

/// An inbox.
pub(super) struct Inbox {
    wire: Arc<Wire>,
    /// Kept, since the consumer lives as long as its channel.
    _channel: Channel,
    reading: Mutex<Reading>,
}

struct Reading {
    consumer: Consumer,
    /// The last message that was handed out. It is acked, and all before it, after so many, or
    /// when nothing comes for a while: one ack for each would be half of the work.
    last: Option<Acker>,
    /// The ack that is being sent. It is kept over a cancelled call: the client library sends two
    /// that are under way at once in any order, and the broker closes a channel on which the
    /// later one came first.
    acking: Option<BoxFuture<'static, lapin::Result<bool>>>,
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
        let (last, acking) = (None, None);
        let reading = Reading { consumer, last, acking, n_unacked: 0, most_unacked };
        let reading = Mutex::new(reading);
        Ok(Self { wire, _channel: channel, reading })
    }

    /// The body of the next message; `None` once the inbox has ended. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Vec<u8>> {
        let mut reading = self.reading.lock().await;
        let delivery = loop {
            self.acked(&mut reading.acking).await?;
            let is_full = reading.most_unacked <= reading.n_unacked;
            let is_due = !is_full && reading.last.is_some();
            if !is_full {
                let next = tokio::select! {
                    biased;
                    () = self.wire.killed() => return None,
                    delivery = reading.consumer.next() => Some(delivery),
                    () = sleep(QUIET), if is_due => None,
                };
                if let Some(delivery) = next {
                    break delivery.filter(|_| self.wire.is_live())?.ok()?;
                }
            }
            if let Some(acker) = reading.last.take() {
                reading.n_unacked = 0;
                let ack = async move { acker.ack(BasicAckOptions { multiple: true }).await };
                reading.acking = Some(ack.boxed());
            }
        };
        reading.last = Some(delivery.acker);
        reading.n_unacked += 1;
        Some(delivery.data)
    }

    /// Waits until the ack that is under way is sent. Cancel-safe: it stays under way.
    async fn acked(
        &self,
        acking: &mut Option<BoxFuture<'static, lapin::Result<bool>>>,
    ) -> Option<()> {
        if let Some(ack) = acking {
            let sent = self.wire.within(ack).await;
            *acking = None;
            sent.ok()?;
        }
        Some(())
    }
}
