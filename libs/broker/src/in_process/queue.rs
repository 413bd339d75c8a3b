//! One queue with its consumers: what a durable queue of a broker does, without the disk.
//!
//! A message that was delivered and not acked stays the queue's: when its consumer ends,
//! for whatever reason, it goes back to the place that it had, marked as redelivered.
//! Knows nothing of legs, news or shards.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A queue of bounded length.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Notify,
    length: NonZeroUsize,
}

/// Whether a consumer shares the queue with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// It is the only one, or it is refused.
    Exclusive,
    /// It takes turns with others of its kind.
    Shared,
}

/// The queue holds as much as it may.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub(super) struct Full;

/// Somebody holds the queue in a way that lets no other consumer in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InUse;

/// What an acknowledgement met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acked {
    /// The message is gone for good.
    Yes,
    /// This consumer holds no such message.
    NotOut,
    /// The consumer has ended: the message has gone back to the queue.
    Ended,
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Delivered<T> {
    pub(super) tag: u64,
    pub(super) redelivered: bool,
    pub(super) message: T,
}

#[derive(Debug)]
struct State<T> {
    /// What waits, by the order of publication.
    ready: BTreeMap<u64, Item<T>>,
    consumers: BTreeMap<u64, Consumer<T>>,
    exclusive: bool,
    n_out: usize,
    next_place: u64,
    next_consumer: u64,
    next_tag: u64,
}

#[derive(Debug)]
struct Item<T> {
    redelivered: bool,
    message: T,
}

#[derive(Debug)]
struct Consumer<T> {
    prefetch: usize,
    /// Tag to place and message.
    out: BTreeMap<u64, (u64, Item<T>)>,
}

impl<T: Clone> Queue<T> {
    pub(super) fn new(length: NonZeroUsize) -> Self {
        let state = State {
            ready: BTreeMap::new(),
            consumers: BTreeMap::new(),
            exclusive: false,
            n_out: 0,
            next_place: 0,
            next_consumer: 0,
            next_tag: 1,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), length }
    }

    /// Adds a message at the end.
    pub(super) fn push(&self, message: T) -> Result<(), Full> {
        let mut state = self.state();
        if state.ready.len() + state.n_out >= self.length.get() {
            return Err(Full);
        }
        let place = state.next_place;
        state.next_place += 1;
        state.ready.insert(place, Item { redelivered: false, message });
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Adds a consumer that holds at most `prefetch` messages at once (at least one).
    pub(super) fn consume(
        self: &Arc<Self>,
        sharing: Sharing,
        prefetch: u16,
    ) -> Result<Subscription<T>, InUse> {
        let mut state = self.state();
        if state.exclusive || (sharing == Sharing::Exclusive && !state.consumers.is_empty()) {
            return Err(InUse);
        }
        let id = state.next_consumer;
        state.next_consumer += 1;
        let consumer = Consumer { prefetch: usize::from(prefetch.max(1)), out: BTreeMap::new() };
        state.consumers.insert(id, consumer);
        state.exclusive = sharing == Sharing::Exclusive;
        drop(state);
        Ok(Subscription { queue: Arc::clone(self), id })
    }

    /// Ends a consumer. What it holds goes back. Ending it again changes nothing.
    fn end(&self, id: u64) {
        let mut state = self.state();
        let Some(consumer) = state.consumers.remove(&id) else { return };
        state.exclusive = false;
        state.n_out -= consumer.out.len();
        for (place, item) in consumer.out.into_values() {
            state.ready.insert(place, Item { redelivered: true, ..item });
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn ack(&self, id: u64, tag: u64) -> Acked {
        let mut state = self.state();
        let Some(consumer) = state.consumers.get_mut(&id) else { return Acked::Ended };
        if consumer.out.remove(&tag).is_none() {
            return Acked::NotOut;
        }
        state.n_out -= 1;
        drop(state);
        self.changed.notify_waiters();
        Acked::Yes
    }

    /// The next message for a consumer: `Err` if the consumer has ended, `Ok(None)` if it
    /// has to wait.
    fn take(&self, id: u64) -> Result<Option<Delivered<T>>, Ended> {
        let mut state = self.state();
        let state = &mut *state;
        let consumer = state.consumers.get_mut(&id).ok_or(Ended)?;
        if consumer.out.len() >= consumer.prefetch {
            return Ok(None);
        }
        let Some((place, item)) = state.ready.pop_first() else { return Ok(None) };
        let tag = state.next_tag;
        state.next_tag += 1;
        state.n_out += 1;
        let (redelivered, message) = (item.redelivered, item.message.clone());
        consumer.out.insert(tag, (place, item));
        Ok(Some(Delivered { tag, redelivered, message }))
    }

    /// A panic elsewhere leaves no change half done here, so a poisoned lock is as good
    /// as any.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended;

/// A consumer of a queue; it ends when dropped.
#[derive(Debug)]
pub(super) struct Subscription<T: Clone> {
    queue: Arc<Queue<T>>,
    id: u64,
}

impl<T: Clone> Subscription<T> {
    /// The next message, as soon as there is one and the prefetch lets it out; `None`
    /// once the consumer has ended. Cancel-safe.
    pub(super) async fn next(&self) -> Option<Delivered<T>> {
        loop {
            let mut changed = std::pin::pin!(self.queue.changed.notified());
            // Registered before the look: a change in between is not missed.
            changed.as_mut().enable();
            match self.queue.take(self.id) {
                Ok(Some(delivered)) => return Some(delivered),
                Ok(None) => changed.await,
                Err(Ended) => return None,
            }
        }
    }

    pub(super) fn ack(&self, tag: u64) -> Acked {
        self.queue.ack(self.id, tag)
    }

    /// Something that ends this consumer from outside.
    pub(super) fn ender(&self) -> Ender<T> {
        Ender { queue: Arc::clone(&self.queue), id: self.id }
    }
}

impl<T: Clone> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.queue.end(self.id);
    }
}

/// Ends a consumer that somebody else holds.
#[derive(Debug)]
pub(super) struct Ender<T> {
    queue: Arc<Queue<T>>,
    id: u64,
}

impl<T: Clone> Ender<T> {
    pub(super) fn end(&self) {
        self.queue.end(self.id);
    }

    /// Whether the consumer has not ended yet.
    pub(super) fn is_alive(&self) -> bool {
        self.queue.state().consumers.contains_key(&self.id)
    }
}
