//! Confirmed publications over a pool of channels.
//!
//! A channel carries one publication at a time: so a confirm, and a message that comes
//! back, belong to the one that is under way. A channel whose publication was given up or
//! failed is not used again.
//!
//! Control messages never come back. They share a channel of their own: each is sent behind
//! the others, and waits for nobody's confirm but its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::Mutex;

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
    /// The channel of what is said to everybody.
    words: Mutex<Option<Arc<Confirming>>>,
    alarm: Alarm,
}

impl Publisher {
    pub(super) fn new(line: Arc<Line>, n_channels: usize) -> Self {
        let channels = Channels { line: Arc::clone(&line) };
        let pool = Pool::builder(channels).max_size(n_channels).build();
        let pool = pool.expect("a pool without timeouts needs no runtime");
        Self { line, pool, words: Mutex::default(), alarm: Alarm::new() }
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
        self.is_open()?;
        let used = Used(Some(self.pool.get().await.map_err(pool_trouble)?));
        let Confirming { channel, wire, .. } = used.channel();
        let published = wire.within(async { send(channel, &publication).await?.await });
        let answer = answer(published.await?)?;
        used.keep();
        answer
    }

    /// Publishes what is gone where nobody has bound a queue, and waits until the broker has
    /// confirmed it. The caller bounds the wait.
    ///
    /// Several may be under way at once: they arrive in the order in which they were first
    /// polled, and none waits for the confirm of another one.
    pub(super) async fn say(&self, publication: Publication<'_>) -> Result<(), Trouble> {
        debug_assert!(publication.care == Care::BestEffort, "what comes back is mixed up here");
        self.is_open()?;
        let (said, confirm) = {
            // Held until it is written: so the order is kept.
            let mut words = self.words.lock().await;
            let usable = words.take().filter(|channel| channel.is_usable());
            let channel = match usable {
                Some(channel) => channel,
                None => Arc::new(Confirming::open(&self.line).await?),
            };
            let said = Said { channel: Arc::clone(&channel), is_answered: false };
            *words = Some(channel);
            let sent = send(&said.channel.channel, &publication);
            let confirm = said.channel.wire.within(sent).await?;
            (said, confirm)
        };
        let confirmation = said.channel.wire.within(confirm).await?;
        said.answered();
        answer(confirmation)?
    }

    /// Whether the broker takes publications.
    fn is_open(&self) -> Result<(), Trouble> {
        // The client would write nothing before the alarm ends, and keep what it is given.
        let blocked = self.line.live().is_some_and(|wire| wire.is_blocked());
        self.alarm.seen(blocked);
        if blocked { Err(Trouble::Blocked) } else { Ok(()) }
    }
}

async fn send(channel: &Channel, publication: &Publication<'_>) -> lapin::Result<PublisherConfirm> {
    let sent = channel.basic_publish(
        publication.exchange.into(),
        publication.key.into(),
        publication.options(),
        publication.body,
        publication.properties(),
    );
    sent.await
}

/// What the broker says about a publication; the outer error: nobody knows.
fn answer(confirmation: Confirmation) -> Result<Result<(), Trouble>, Trouble> {
    match confirmation {
        Confirmation::Ack(None) => Ok(Ok(())),
        // The broker confirms what it sends back, too.
        Confirmation::Ack(Some(_)) => Ok(Err(Trouble::Unroutable)),
        Confirmation::Nack(_) => Ok(Err(Trouble::Full)),
        // The channel is not in confirm mode.
        Confirmation::NotRequested => Err(Trouble::Ended),
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
    /// Somebody has stopped waiting for a confirm. The client keeps what it is for as long as
    /// the channel lives.
    is_left: AtomicBool,
}

impl Confirming {
    async fn open(line: &Line) -> Result<Self, Trouble> {
        let wire = line.wire().await?;
        let channel = wire.channel().await?;
        wire.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(Self { channel, wire, is_left: AtomicBool::new(false) })
    }

    fn is_usable(&self) -> bool {
        let is_left = self.is_left.load(Ordering::Relaxed);
        !is_left && self.wire.is_live() && self.channel.status().connected()
    }
}

/// A message that waits for its confirm on a channel of several. Dropped before the end, it
/// lets nobody else use the channel; those who are on it go on.
struct Said {
    channel: Arc<Confirming>,
    is_answered: bool,
}

impl Said {
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if !self.is_answered {
            self.channel.is_left.store(true, Ordering::Relaxed);
        }
    }
}

impl Manager for Channels {
    type Type = Confirming;
    type Error = Trouble;

    async fn create(&self) -> Result<Confirming, Trouble> {
        Confirming::open(&self.line).await
    }

    async fn recycle(&self, used: &mut Confirming, _: &Metrics) -> RecycleResult<Trouble> {
        if used.is_usable() { Ok(()) } else { Err(RecycleError::Backend(Trouble::Ended)) }
    }
}
