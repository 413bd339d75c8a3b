//! The control link: what everybody hears, joined anew whenever it ends.
//!
//! Nothing depends on a word of it, so words are dropped rather than waited for. What one leg
//! of a job says to the other one is worth some tries: unheard, it costs a second login. No
//! word waits for the broker's answer to another one, which may take longer than a leg waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use mailfleet_model::fleet::{Control, ControlLink, QueueError, WorkerQueue};
use mailfleet_telemetry::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::drive::Happening;

/// Words that wait to be sent before further ones are dropped; also legs' words that wait to be
/// said again.
const BACKLOG: usize = 256;
/// Words that wait for the broker's answer before further ones wait to be sent.
const AT_ONCE: usize = 256;
/// Pause before the link is joined again.
const PAUSE: Duration = Duration::from_millis(500);
/// Pause before a leg's word that the broker did not take is said again, and for how long that
/// is tried: the other leg may still wait for its turn.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Says things to everybody. Never waits. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    words: mpsc::Sender<(u64, Control)>,
    last: Arc<AtomicU64>,
}

/// What the link's task takes from the voices.
#[derive(Debug)]
pub(crate) struct Words {
    words: mpsc::Receiver<(u64, Control)>,
    said: watch::Sender<u64>,
    /// What waits for the broker's answer, in the order in which it was sent.
    under_way: BTreeMap<u64, Word>,
    n_sent: u64,
    /// The latest word that was confirmed.
    confirmed: u64,
    /// Legs' words that were not confirmed, in the order in which they are said again.
    unsaid: VecDeque<Word>,
}

/// A word on its way.
#[derive(Debug)]
struct Word {
    /// What its ticket says; `None` for one that is said again.
    number: Option<u64>,
    control: Arc<Control>,
    /// How long it is of use to the other leg.
    until: Instant,
    /// When it is said, or said again.
    at: Instant,
}

impl Word {
    fn new(number: Option<u64>, control: Control) -> Self {
        let at = Instant::now();
        Self { number, control: Arc::new(control), until: at + AGAIN.1, at }
    }
}

/// A word that was handed over, to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// How far the link has come with saying things.
#[derive(Debug, Clone)]
pub(crate) struct Said(watch::Receiver<u64>);

pub(crate) fn voice() -> (Voice, Words, Said) {
    let (words, waiting) = mpsc::channel(BACKLOG);
    let (said, heard) = watch::channel(0);
    let voice = Voice { words, last: Arc::default() };
    let words = Words {
        words: waiting,
        said,
        under_way: BTreeMap::new(),
        n_sent: 0,
        confirmed: 0,
        unsaid: VecDeque::new(),
    };
    (voice, words, Said(heard))
}

impl Voice {
    /// Says something to everybody, if there is room for it.
    pub(crate) fn say(&self, control: Control) -> Ticket {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        if self.words.try_send((number, control)).is_err() {
            tracing::debug!("a control message was dropped");
        }
        Ticket(number)
    }

    /// The last word that was handed over.
    pub(crate) fn last(&self) -> Ticket {
        Ticket(self.last.load(Ordering::Relaxed))
    }
}

impl Said {
    /// Waits until the broker has confirmed a word, or a later one, and none up to it waits for
    /// an answer any more. Cancel-safe.
    pub(crate) async fn reached(&mut self, Ticket(number): Ticket) {
        // The link's task is gone: nothing will be said any more.
        let _ = self.0.wait_for(|said| number <= *said).await;
    }
}

impl Words {
    /// Sends what is handed over until nobody can hand anything over any more. Cancelled, it
    /// keeps the words of legs that were not answered.
    async fn speak<L: ControlLink>(&mut self, link: &L) {
        self.unanswered();
        let mut answers = FuturesUnordered::new();
        loop {
            let has_room = self.under_way.len() < AT_ONCE;
            let again = self.unsaid.front().map(|word| word.at);
            let word = tokio::select! {
                Some((id, answer)) = answers.next() => {
                    self.answered(id, answer);
                    continue;
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)),
                    if has_room && again.is_some() =>
                {
                    let word = self.unsaid.pop_front();
                    let Some(word) = word.filter(|word| Instant::now() < word.until) else {
                        continue;
                    };
                    word
                }
                word = self.words.recv(), if has_room => {
                    let Some((number, control)) = word else { return };
                    Word::new(Some(number), control)
                }
            };
            let (id, control) = (self.n_sent, Arc::clone(&word.control));
            self.n_sent += 1;
            self.under_way.insert(id, word);
            let mut sending = Box::pin(async move { (id, link.broadcast(&control).await) });
            // Polled in here: words arrive in the order of their first polls.
            match futures::poll!(sending.as_mut()) {
                Poll::Ready((id, answer)) => self.answered(id, answer),
                Poll::Pending => answers.push(sending),
            }
        }
    }

    /// The broker has answered, or never will.
    fn answered(&mut self, id: u64, answer: Result<(), QueueError>) {
        let Some(word) = self.under_way.remove(&id) else { return };
        match answer {
            Ok(()) => self.confirmed = word.number.unwrap_or(0).max(self.confirmed),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "a control message was not sent");
                self.say_again(word);
            }
        }
        let first = self.under_way.values().filter_map(|word| word.number).min();
        let reached = first.map_or(self.confirmed, |first| self.confirmed.min(first - 1));
        self.said.send_if_modified(|said| {
            let later = *said < reached;
            *said = reached.max(*said);
            later
        });
    }

    /// The link has ended: nobody knows what became of what was under way.
    fn unanswered(&mut self) {
        for word in std::mem::take(&mut self.under_way).into_values() {
            self.say_again(word);
        }
    }

    /// Keeps what one leg tells the other.
    fn say_again(&mut self, word: Word) {
        if matches!(*word.control, Control::Peer { .. }) && self.unsaid.len() < BACKLOG {
            let at = Instant::now() + AGAIN.0;
            self.unsaid.push_back(Word { number: None, at, ..word });
        }
    }

    /// What waits would be old by the time that the link is back, except what legs say.
    fn forget(&mut self) {
        while let Ok((_, control)) = self.words.try_recv() {
            self.say_again(Word::new(None, control));
        }
    }
}

/// Speaks and listens for as long as the worker lives.
pub(crate) async fn run<Q: WorkerQueue>(
    queue: Arc<Q>,
    mut words: Words,
    happenings: mpsc::Sender<Happening>,
) {
    while !happenings.is_closed() {
        match queue.control().await {
            Ok(link) => {
                tracing::debug!("control link joined");
                // Both at once: sending may wait for the broker, and hearing must not.
                tokio::select! {
                    () = words.speak(&link) => return,
                    () = listen(&link, &happenings) => {}
                }
                tracing::debug!("control link ended");
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the control link cannot be joined");
                words.forget();
            }
        }
        sleep(PAUSE).await;
    }
}

async fn listen<L: ControlLink>(link: &L, happenings: &mpsc::Sender<Happening>) {
    while let Some(control) = link.next().await {
        if happenings.send(Happening::Heard(control)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
