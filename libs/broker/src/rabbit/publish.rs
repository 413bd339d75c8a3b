//! Confirmed publications over a pool of channels.
//!
//! A channel carries one publication at a time: so a confirm, and a message that comes
//! back, belong to the one that is under way. A channel whose publication was given up or
//! failed is not used again.

use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation};

use super::alarm::Alarm;
use super::line::Line;
use super::trouble::Trouble;
use super::wire::Wire;

/// What is published, and where to.
pub(super) struct Publication<'a> {
    /// Empty: straight to the queue that the key names.
    pub(super) exchange: &'a str,
    pub(super) key: &'a str,
    pub(super) body: &'a [u8],
    pub(super) traceparent: Option<&'a str>,
    pub(super) care: Care,
    /// For receivers that are not ours.
    pub(super) about: Option<About<'a>>,
}

/// What a message says of itself to receivers that are not ours.
pub(super) struct About<'a> {
    /// By it they know what came twice.
    pub(super) id: &'a str,
    /// The protobuf message that the body holds.
    pub(super) kind: &'static str,
    /// When it happened, in seconds since 1970: AMQP has no finer times.
    pub(super) seconds: u64,
}

/// What becomes of a message that nobody waits for, or that a broker loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Persistent and mandatory: without a queue it is an error.
    Durable,
    /// Persistent, and gone where nobody has bound a queue.
    Offered,
    /// Gone without a word.
    BestEffort,
}

impl<'a> Publication<'a> {
    /// To a queue, if it is there.
    pub(super) fn best_effort(queue: &'a str, body: &'a [u8]) -> Self {
        let care = Care::BestEffort;
        Self { exchange: "", key: queue, body, traceparent: None, care, about: None }
    }
}

impl Publication<'_> {
    pub(super) fn options(&self) -> BasicPublishOptions {
        BasicPublishOptions { mandatory: self.care == Care::Durable, immediate: false }
    }

    pub(super) fn properties(&self) -> BasicProperties {
        let delivery_mode = match self.care {
            Care::Durable | Care::Offered => 2,
            Care::BestEffort => 1,
        };
        let mut properties = BasicProperties::default()
            .with_content_type("application/x-protobuf".into())
            .with_delivery_mode(delivery_mode);
        if let Some(About { id, kind, seconds }) = &self.about {
            properties = properties
                .with_message_id((*id).into())
                .with_type((*kind).into())
                .with_timestamp(*seconds);
        }
        match self.traceparent {
            None => properties,
            Some(traceparent) => {
                let mut headers = FieldTable::default();
                let value = AMQPValue::LongString(traceparent.into());
                headers.insert("traceparent".into(), value);
                properties.with_headers(headers)
            }
        }
    }
}

/// Publishes on one line.
pub(super) struct Publisher {
    line: Arc<Line>,
    pool: Pool<Channels>,
    alarm: Alarm,
}

impl Publisher {
    pub(super) fn new(line: Arc<Line>, n_channels: usize) -> Self {
        let channels = Channels { line: Arc::clone(&line) };
        let pool = Pool::builder(channels).max_size(n_channels).build();
        let pool = pool.expect("a pool without timeouts needs no runtime");
        Self { line, pool, alarm: Alarm::new() }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Publishes to a queue that has to be there.
    pub(super) async fn durable(
        &self,
        queue: &str,
        body: &[u8],
        traceparent: Option<&str>,
    ) -> Result<(), Trouble> {
        let care = Care::Durable;
        let (exchange, key, about) = ("", queue, None);
        self.publish(Publication { exchange, key, body, traceparent, care, about }).await
    }

    /// Publishes, and waits until the broker has confirmed it. The caller bounds the wait.
    pub(super) async fn publish(&self, publication: Publication<'_>) -> Result<(), Trouble> {
        // The client would write nothing before the alarm ends, and keep what it is given.
        let blocked = self.line.live().is_some_and(|wire| wire.is_blocked());
        self.alarm.seen(blocked);
        if blocked {
            return Err(Trouble::Blocked);
        }
        let used = Used(Some(self.pool.get().await.map_err(pool_trouble)?));
        let Confirming { channel, wire } = used.channel();
        let published = wire.within(async {
            let confirm = channel.basic_publish(
                publication.exchange.into(),
                publication.key.into(),
                publication.options(),
                publication.body,
                publication.properties(),
            );
            confirm.await?.await
        });
        let answer = match published.await? {
            Confirmation::Ack(None) => Ok(()),
            // The broker confirms what it sends back, too.
            Confirmation::Ack(Some(_)) => Err(Trouble::Unroutable),
            Confirmation::Nack(_) => Err(Trouble::Full),
            // The channel is not in confirm mode: nobody knows.
            Confirmation::NotRequested => return Err(Trouble::Ended),
        };
        used.keep();
        answer
    }
}

fn pool_trouble(error: PoolError<Trouble>) -> Trouble {
    match error {
        PoolError::Backend(trouble) => trouble,
        PoolError::Timeout(_) => Trouble::Deadline,
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            Trouble::Ended
        }
    }
}

/// A channel on its way through a publication; dropped before the end, it is thrown away.
struct Used(Option<Object<Channels>>);

impl Used {
    fn channel(&self) -> &Confirming {
        self.0.as_deref().expect("it is there until it is kept or dropped")
    }

    /// Puts the channel back into the pool.
    fn keep(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

/// Makes the pool's channels.
struct Channels {
    line: Arc<Line>,
}

/// A channel in confirm mode, and the wire that it is worth as much as.
struct Confirming {
    channel: Channel,
    wire: Arc<Wire>,
}

impl Manager for Channels {
    type Type = Confirming;
    type Error = Trouble;

    async fn create(&self) -> Result<Confirming, Trouble> {
        let wire = self.line.wire().await?;
        let channel = wire.channel().await?;
        wire.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Confirming { channel, wire })
    }

    async fn recycle(&self, used: &mut Confirming, _: &Metrics) -> RecycleResult<Trouble> {
        if used.wire.is_live() && used.channel.status().connected() {
            Ok(())
        } else {
            Err(RecycleError::Backend(Trouble::Ended))
        }
    }
}
