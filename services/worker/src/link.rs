//! The control link: what everybody hears, joined anew whenever it ends.
//!
//! Nothing depends on a word of it, so words are dropped rather than waited for. What one leg
//! of a job says to the other one is worth some tries: unheard, it costs a second login.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailfleet_model::fleet::{Control, ControlLink, WorkerQueue};
use mailfleet_telemetry::chain;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::drive::Happening;

/// Words that wait to be sent before further ones are dropped.
const BACKLOG: usize = 256;
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
    /// Legs' words that were not sent, and how long they are of use.
    unsent: VecDeque<(Instant, Control)>,
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
    (voice, Words { words: waiting, said, unsent: VecDeque::new() }, Said(heard))
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

    /// Sends what is handed over until nobody can hand anything over any more. Cancelled, it
    /// keeps the word of a leg that was just being sent.
    async fn speak<L: ControlLink>(&mut self, link: &L) {
        loop {
            tokio::select! {
                word = self.words.recv() => {
                    let Some((number, control)) = word else { return };
                    let until = Instant::now() + AGAIN.1;
                    self.send(link, until, control).await;
                    self.sent(number);
                }
                () = sleep(AGAIN.0), if !self.unsent.is_empty() => {
                    let Some((until, control)) = self.unsent.pop_front() else { continue };
                    if Instant::now() < until {
                        self.send(link, until, control).await;
                    }
                }
            }
        }
    }

    async fn send<L: ControlLink>(&mut self, link: &L, until: Instant, control: Control) {
        // Kept beforehand: the link may end while it is being sent.
        let is_kept = matches!(control, Control::Peer { .. }) && self.unsent.len() < BACKLOG;
        if is_kept {
            self.unsent.push_back((until, control.clone()));
        }
        match link.broadcast(&control).await {
            Ok(()) if is_kept => drop(self.unsent.pop_back()),
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(error = %chain(&error), "a control message was not sent");
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use mailfleet_model::JobId;
    use mailfleet_model::fleet::{PeerSide, PeerWord, QueueError, WorkerId};
    use uuid::Uuid;

    use super::*;

    /// A link that refuses the first words.
    struct Balking {
        refuses: Mutex<usize>,
        heard: mpsc::Sender<Control>,
    }

    impl ControlLink for Balking {
        async fn broadcast(&self, control: &Control) -> Result<(), QueueError> {
            {
                let mut refuses = self.refuses.lock().expect("no panic");
                if 0 < *refuses {
                    *refuses -= 1;
                    return Err(QueueError::Refused { operation: "broadcast", source: None });
                }
            }
            self.heard.send(control.clone()).await.expect("the test listens");
            Ok(())
        }

        async fn tell(&self, _: &WorkerId, _: &Control) -> Result<(), QueueError> {
            Ok(())
        }

        async fn next(&self) -> Option<Control> {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_legs_word_that_was_not_taken_is_said_again_and_nothing_else_is() {
        let (voice, mut words, _said) = voice();
        let (heard, mut hears) = mpsc::channel(8);
        let link = Balking { refuses: Mutex::new(4), heard };
        let job = JobId(Uuid::from_u128(1));
        let peer = Control::Peer { job, side: PeerSide::Incoming, word: PeerWord::LegEnded };
        voice.say(peer.clone());
        voice.say(Control::Cancel(job));
        tokio::select! {
            () = words.speak(&link) => panic!("somebody may still speak"),
            first = hears.recv() => assert_eq!(first, Some(peer)),
        }
        assert!(hears.try_recv().is_err(), "a cancel is looked up in the store");
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_that_nobody_takes_is_given_up() {
        let (voice, mut words, _said) = voice();
        let (heard, _hears) = mpsc::channel(8);
        let link = Balking { refuses: Mutex::new(usize::MAX), heard };
        let (job, side) = (JobId(Uuid::from_u128(1)), PeerSide::Incoming);
        voice.say(Control::Peer { job, side, word: PeerWord::MarksTaken });
        let far = tokio::time::timeout(AGAIN.1 * 2, words.speak(&link));
        assert!(far.await.is_err(), "somebody may still speak");
        assert!(words.unsent.is_empty());
    }
}
