//! Words on their way: their order, what is said again, what a ticket promises.

use std::sync::Mutex;

use futures::FutureExt as _;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{PeerSide, PeerWord, WorkerId};
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::*;

/// A link whose answers are the test's to give.
struct Moody {
    /// Answers that are refusals, before all others are confirms.
    refuses: Mutex<usize>,
    /// What is held back: a word of this job, until there is a permit.
    holds: Option<JobId>,
    permits: Semaphore,
    heard: mpsc::Sender<Control>,
}

impl Moody {
    fn new(refuses: usize, holds: Option<JobId>) -> (Self, mpsc::Receiver<Control>) {
        let (heard, hears) = mpsc::channel(8);
        let (refuses, permits) = (Mutex::new(refuses), Semaphore::new(0));
        (Self { refuses, holds, permits, heard }, hears)
    }
}

impl ControlLink for Moody {
    async fn broadcast(&self, control: &Control) -> Result<(), QueueError> {
        let is_refused = {
            let mut refuses = self.refuses.lock().expect("no panic");
            let is_refused = 0 < *refuses;
            *refuses = refuses.saturating_sub(1);
            is_refused
        };
        if is_refused {
            return Err(QueueError::Refused { operation: "broadcast", source: None });
        }
        self.heard.send(control.clone()).await.expect("the test listens");
        if matches!(control, Control::Cancel(job) | Control::Peer { job, .. } if Some(*job) == self.holds)
        {
            self.permits.acquire().await.expect("it is never closed").forget();
        }
        Ok(())
    }

    async fn tell(&self, _: &WorkerId, _: &Control) -> Result<(), QueueError> {
        Ok(())
    }

    async fn next(&self) -> Option<Control> {
        None
    }
}

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn ended(number: u128) -> Control {
    Control::Peer { job: job(number), side: PeerSide::Incoming, word: PeerWord::LegEnded }
}

#[tokio::test(start_paused = true)]
async fn a_legs_word_that_was_not_taken_is_said_again_and_nothing_else_is() {
    let (voice, mut words, _said) = voice();
    let (link, mut hears) = Moody::new(4, None);
    voice.say(ended(1));
    voice.say(Control::Cancel(job(1)));
    tokio::select! {
        () = words.speak(&link) => panic!("somebody may still speak"),
        first = hears.recv() => assert_eq!(first, Some(ended(1))),
    }
    assert!(hears.try_recv().is_err(), "a cancel is looked up in the store");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_nobody_takes_is_given_up() {
    let (voice, mut words, _said) = voice();
    let (link, _hears) = Moody::new(usize::MAX, None);
    voice.say(ended(1));
    let far = tokio::time::timeout(AGAIN.1 * 2, words.speak(&link));
    assert!(far.await.is_err(), "somebody may still speak");
    assert!(words.unsaid.is_empty() && words.under_way.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_word_waits_for_the_answer_to_another_one_and_tickets_do() {
    let (voice, mut words, said) = voice();
    let (link, mut hears) = Moody::new(0, Some(job(1)));
    voice.say(ended(1));
    let second = voice.say(ended(2));
    let (mut early, mut late) = (said.clone(), said);
    let (answer, mut answered) = oneshot::channel();
    let watching = async {
        assert_eq!([hears.recv().await, hears.recv().await], [Some(ended(1)), Some(ended(2))]);
        // Long after the second one was confirmed.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(early.reached(second).now_or_never(), None, "the first one is under way");
        link.permits.add_permits(1);
        late.reached(second).await;
        answer.send(()).expect("somebody listens");
    };
    tokio::select! {
        () = words.speak(&link) => panic!("somebody may still speak"),
        () = watching => {}
    }
    assert_eq!(answered.try_recv(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_for_a_word_that_was_lost_is_as_good_as_the_next_that_was_not() {
    let (voice, mut words, said) = voice();
    let (link, _hears) = Moody::new(1, None);
    let lost = voice.say(Control::Cancel(job(1)));
    let (mut early, mut late) = (said.clone(), said);
    let watching = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(early.reached(lost).now_or_never(), None, "nobody has confirmed it");
        voice.say(Control::Cancel(job(2)));
        late.reached(lost).await;
    };
    tokio::select! {
        () = words.speak(&link) => panic!("somebody may still speak"),
        () = watching => {}
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_legs_that_a_link_takes_to_its_end_are_said_at_the_next_one() {
    let (voice, mut words, _said) = voice();
    let (first, mut hears) = Moody::new(0, Some(job(1)));
    voice.say(Control::Cancel(job(1)));
    voice.say(ended(1));
    tokio::select! {
        () = words.speak(&first) => panic!("somebody may still speak"),
        _ = async { (hears.recv().await, hears.recv().await) } => {}
    }
    let (second, mut hears) = Moody::new(0, None);
    tokio::select! {
        () = words.speak(&second) => panic!("somebody may still speak"),
        again = hears.recv() => assert_eq!(again, Some(ended(1))),
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_answers_that_do_not_come_is_bounded() {
    let (voice, mut words, _said) = voice();
    let (mut link, _) = Moody::new(0, Some(job(1)));
    let (heard, mut hears) = mpsc::channel(4 * AT_ONCE);
    link.heard = heard;
    let flooding = async {
        for _ in 0..4 * AT_ONCE {
            voice.say(ended(1));
            tokio::task::yield_now().await;
        }
        sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        () = words.speak(&link) => panic!("somebody may still speak"),
        () = flooding => {}
    }
    assert_eq!(words.under_way.len(), AT_ONCE);
    assert_eq!(words.words.len(), BACKLOG, "and the rest was dropped");
    let n_sent = std::iter::from_fn(|| hears.try_recv().ok()).count();
    assert_eq!(n_sent, AT_ONCE);
}
