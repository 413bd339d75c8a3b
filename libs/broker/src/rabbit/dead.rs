//! Dead letters: what nobody could read, kept for people and for the next version.
//!
//! The broker moves a rejected message here by itself and writes down where it came from.

use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use mailfleet_model::fleet::QueueError;

use super::RabbitMq;
use super::intake::header;
use super::line::Line;
use super::trouble::{Trouble, bounded};
use super::wire::Wire;

/// What came of sending dead letters back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Those that are in the queue that they came from again.
    pub sent: u32,
    /// Those that were tried and stay: their queue is gone, or full, or was never named.
    pub kept: u32,
}

impl RabbitMq {
    /// How many dead letters there are. The queues have been declared by a gateway before.
    pub async fn dead_letters(&self) -> Result<u32, QueueError> {
        let counting = async {
            let wire = self.visitor().wire().await?;
            let channel = wire.channel().await?;
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let name = self.settings.names.dead().into();
            let queue = wire.within(channel.queue_declare(name, passive, FieldTable::default()));
            Ok(queue.await?.message_count())
        };
        bounded("count the dead letters", self.settings.deadline, counting).await
    }

    /// Sends up to `most` dead letters back to where they came from, the oldest first. Each
    /// is confirmed there before it leaves here, so that one may be there twice after an
    /// error, but none is lost. Stops at one that has to stay.
    pub async fn redrive(&self, most: u32) -> Result<Redriven, QueueError> {
        let line = self.visitor();
        let publisher = self.settings.publisher(line.clone());
        let mut redriven = Redriven::default();
        while redriven.kept == 0 && redriven.sent < most {
            let step = async {
                let wire = line.wire().await?;
                let channel = wire.channel().await?;
                let name = self.settings.names.dead().into();
                let got = wire.within(channel.basic_get(name, BasicGetOptions::default())).await?;
                // Closing the channel puts back what was not acked.
                let Some(message) = got else { return Ok(Step::Empty) };
                let Some(queue) = origin(&message) else { return Ok(Step::Kept) };
                let traceparent =
                    header(&message, "traceparent").and_then(|b| str::from_utf8(b).ok());
                // Boxed: with everything else of this step it is too large for a stack.
                match Box::pin(publisher.durable(&queue, &message.data, traceparent)).await {
                    Ok(()) => {}
                    Err(Trouble::Unroutable | Trouble::Full) => return Ok(Step::Kept),
                    Err(trouble) => return Err(trouble),
                }
                ack(&wire, &message).await.map(|()| Step::Sent)
            };
            match bounded("send a dead letter back", self.settings.deadline, step).await? {
                Step::Sent => redriven.sent += 1,
                Step::Kept => redriven.kept += 1,
                Step::Empty => break,
            }
        }
        Ok(redriven)
    }

    fn visitor(&self) -> std::sync::Arc<Line> {
        Line::new(&self.settings, "operator", "dead letters")
    }
}

/// What came of one attempt.
enum Step {
    Sent,
    Kept,
    Empty,
}

async fn ack(wire: &Wire, message: &BasicGetMessage) -> Result<(), Trouble> {
    match wire.within(message.acker.ack(BasicAckOptions::default())).await? {
        true => Ok(()),
        false => Err(Trouble::Ended),
    }
}

/// The queue that the broker took it from last: `x-death`, first entry, `queue`.
fn origin(message: &BasicGetMessage) -> Option<String> {
    let headers = message.properties.headers().as_ref()?;
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else { return None };
    let AMQPValue::LongString(queue) = death.inner().get("queue")? else { return None };
    let queue = str::from_utf8(queue.as_bytes()).ok()?;
    // Longer ones are no names of queues (AMQP 0-9-1, short strings).
    (queue.len() <= 255).then(|| queue.to_owned())
}
