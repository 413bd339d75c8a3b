//! Workers' news on their way to the store: published, confirmed, and repeated until then.
//!
//! A delivery is acked only after its news is confirmed, so news may be sent twice and is
//! never lost while the claim lives. How many wait is bounded by what is held.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_model::fleet::{Outcome, QueueError, WorkerMessage, WorkerQueue};
use mailfleet_telemetry::metrics::{self, Clock, Queue};
use mailfleet_telemetry::{chain, spans};
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep;

/// Publications at once: as many as the broker's adapter has channels for by default, so
/// that their deadline measures the broker and not the way to it.
const AT_ONCE: usize = 16;
/// Pauses before a repetition: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Repetitions of what nobody waits for any more: a result whose claim was lost is worth
/// a few tries, since it may say that a password was refused for good.
const UNHELD: u32 = 3;

/// News that is being published.
#[derive(Debug)]
struct Entry {
    message: Arc<WorkerMessage>,
    tries: u32,
}

/// What is being published.
#[derive(Debug)]
pub(crate) struct Outbox<Q> {
    queue: Arc<Q>,
    turns: Arc<Semaphore>,
    tasks: JoinSet<Result<(), QueueError>>,
    entries: HashMap<Id, Entry>,
}

/// How a publication ended.
pub(crate) type Ended = Result<(Id, Result<(), QueueError>), JoinError>;

impl<Q: WorkerQueue> Outbox<Q> {
    pub(crate) fn new(queue: Arc<Q>) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { queue, turns, tasks: JoinSet::new(), entries: HashMap::new() }
    }

    /// Publishes news.
    pub(crate) fn publish(&mut self, message: WorkerMessage) {
        self.go(Entry { message: Arc::new(message), tries: 0 });
    }

    /// The next publication that ended; `None` while there is none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Ended> {
        self.tasks.join_next_with_id().await
    }

    /// Takes an ended publication: the news if the broker has it, otherwise it is
    /// repeated as long as it is of use. `is_held` tells whether its leg still waits.
    pub(crate) fn settle(
        &mut self,
        ended: Ended,
        is_held: impl Fn(&WorkerMessage) -> bool,
    ) -> Option<Arc<WorkerMessage>> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result.map_err(|error| chain(&error).to_string())),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Entry { message, tries } = self.entries.remove(&id)?;
        let Err(error) = result else { return Some(message) };
        let repeats = match message.outcome {
            Outcome::Ended(_) => is_held(&message) || tries < UNHELD,
            Outcome::Returned(_) => is_held(&message),
            // The engine gives such a leg back if no answer comes.
            Outcome::MayStart { .. } => is_held(&message) && tries < UNHELD,
        };
        tracing::warn!(leg = %message.leg, error, repeats, "news was not published");
        if repeats {
            self.go(Entry { message, tries: tries.saturating_add(1) });
        }
        None
    }

    fn go(&mut self, entry: Entry) {
        let (queue, turns) = (Arc::clone(&self.queue), Arc::clone(&self.turns));
        let (message, pause) = (Arc::clone(&entry.message), pause(entry.tries));
        let task = async move {
            if !pause.is_zero() {
                // The shortest sleep takes a millisecond.
                sleep(pause).await;
            }
            let _turn = turns.acquire().await.expect("it is never closed");
            publish(&*queue, &message).await
        };
        let id = self.tasks.spawn(task).id();
        self.entries.insert(id, entry);
    }
}

/// Publishes news once, as a part of its leg's run.
async fn publish<Q: WorkerQueue>(queue: &Q, message: &WorkerMessage) -> Result<(), QueueError> {
    let span = spans::publish_news(message);
    let clock = Clock::new();
    let published = match span {
        Some(mut span) if span.is_recorded() => {
            let traceparent = Some(span.context().to_string());
            let published = queue.publish(&WorkerMessage { traceparent, ..message.clone() }).await;
            if let Err(error) = &published {
                span.fail(error.kind());
            }
            published
        }
        Some(_) | None => queue.publish(message).await,
    };
    metrics::operated(Queue::News, published.as_ref().err().map(QueueError::kind), clock);
    published
}

fn pause(tries: u32) -> Duration {
    let (first, longest) = PAUSES;
    match tries {
        0 => Duration::ZERO,
        _ => (first * 2_u32.saturating_pow((tries - 1).min(16))).min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_end() {
        let millis: Vec<u128> = (0..7).map(|tries| pause(tries).as_millis()).collect();
        assert_eq!(millis, [0, 250, 500, 1_000, 2_000, 4_000, 5_000]);
        assert_eq!(pause(u32::MAX), PAUSES.1);
    }
}
