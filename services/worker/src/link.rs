//! The control link: what everybody hears, joined anew whenever it ends.
//!
//! Nothing depends on a word of it, so words are dropped rather than waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailfleet_model::fleet::{Control, ControlLink, WorkerQueue};
use mailfleet_telemetry::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::drive::Happening;

/// Words that wait to be sent before further ones are dropped.
const BACKLOG: usize = 256;
/// Pause before the link is joined again.
const PAUSE: Duration = Duration::from_millis(500);

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
    (voice, Words { words: waiting, said }, Said(heard))
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
    /// Waits until a word, or a later one, has been sent. Cancel-safe.
    pub(crate) async fn reached(&mut self, Ticket(number): Ticket) {
        // The link's task is gone: nothing will be said any more.
        let _ = self.0.wait_for(|said| number <= *said).await;
    }
}

impl Words {
    fn sent(&self, number: u64) {
        self.said.send_if_modified(|said| {
            let later = *said < number;
            *said = number.max(*said);
            later
        });
    }

    /// Sends what is handed over until nobody can hand anything over any more.
    async fn speak<L: ControlLink>(&mut self, link: &L) {
        while let Some((number, control)) = self.words.recv().await {
            if let Err(error) = link.broadcast(&control).await {
                tracing::debug!(error = %chain(&error), "a control message was not sent");
            }
            self.sent(number);
        }
    }

    /// What waits would be old by the time that the link is back.
    fn forget(&mut self) {
        while let Ok((number, _)) = self.words.try_recv() {
            self.sent(number);
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
