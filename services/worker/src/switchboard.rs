//! The switchboard: connects the two legs of a job, in this process and over several.
//!
//! Remembers for about a minute what the legs of a job said, here or elsewhere, so that
//! the one that starts later knows. Bounded; what it forgets costs the other leg a wait.

use std::collections::HashMap;
use std::collections::hash_map;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailfleet_engine::Monotonic;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{Control, PeerSide, PeerWord};
use mailfleet_probe::companion::{Companion, Pact, Reach, Tell, Terms};

use crate::link::Voice;

/// How long a job is remembered after its last word.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most jobs remembered of which nothing runs here.
const MOST: usize = 50_000;

/// Connects the legs of jobs.
#[derive(Debug)]
pub(crate) struct Switchboard {
    reach: Reach,
    voice: Voice,
    jobs: Mutex<HashMap<JobId, Line>>,
}

#[derive(Debug)]
struct Line {
    pact: Pact,
    noted: Monotonic,
}

impl Switchboard {
    pub(crate) fn new(reach: Reach, voice: Voice) -> Self {
        Self { reach, voice, jobs: Mutex::default() }
    }

    /// One leg's end of its job's pair.
    pub(crate) fn join(
        &self,
        job: JobId,
        side: PeerSide,
        terms: Terms,
        now: Monotonic,
    ) -> Companion {
        let mut jobs = self.jobs();
        let line =
            jobs.entry(job).or_insert_with(|| Line { pact: Pact::new(self.reach), noted: now });
        line.noted = now;
        let tell = (self.reach == Reach::Fleet).then(|| self.tell(job, side, line.pact.clone()));
        line.pact.join(side, terms, tell)
    }

    /// Hears what a leg says at another worker.
    pub(crate) fn hear(&self, job: JobId, side: PeerSide, word: PeerWord, now: Monotonic) {
        let mut jobs = self.jobs();
        let is_full = MOST <= jobs.len();
        let line = match jobs.entry(job) {
            hash_map::Entry::Occupied(line) => line.into_mut(),
            hash_map::Entry::Vacant(_) if is_full => return,
            hash_map::Entry::Vacant(place) => {
                place.insert(Line { pact: Pact::new(self.reach), noted: now })
            }
        };
        line.noted = now;
        line.pact.hear(side, word);
    }

    /// Forgets jobs that nobody spoke of for a while and that nothing here belongs to.
    pub(crate) fn tidy(&self, now: Monotonic) {
        self.jobs().retain(|_, line| line.is_busy() || now.since(line.noted) < REMEMBERED);
    }

    /// Tells the other workers, unless the other leg is here and hears it anyway.
    fn tell(&self, job: JobId, side: PeerSide, pact: Pact) -> Tell {
        let voice = self.voice.clone();
        let other = match side {
            PeerSide::Incoming => PeerSide::Outgoing,
            PeerSide::Outgoing => PeerSide::Incoming,
        };
        Arc::new(move |word| {
            if !pact.is_here(other) {
                voice.say(Control::Peer { job, side, word });
            }
        })
    }

    /// A panic elsewhere leaves no change half done here.
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Line>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_busy(&self) -> bool {
        self.pact.is_here(PeerSide::Incoming) || self.pact.is_here(PeerSide::Outgoing)
    }
}

#[cfg(test)]
mod tests {
    use mailfleet_model::FaultCode;
    use mailfleet_model::leg::LoginOutcome;
    use mailfleet_probe::companion::Permission;
    use uuid::Uuid;

    use super::*;
    use crate::link;

    const TERMS: Terms = Terms { same_login: true, marks: false };
    const REFUSED: PeerWord = PeerWord::LoginAnswered(
        LoginOutcome::RefusedDefinitively,
        Some(FaultCode::AuthInvalidCredentials),
    );

    fn job(number: u128) -> JobId {
        JobId(Uuid::from_u128(number))
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_before_a_leg_began_is_remembered_for_a_minute() {
        let (voice, _words, _said) = link::voice();
        let board = Switchboard::new(Reach::Fleet, voice);
        board.hear(job(1), PeerSide::Incoming, REFUSED, at(0));
        board.tidy(at(59));
        let mut outgoing = board.join(job(1), PeerSide::Outgoing, TERMS, at(59));
        let kept = Permission::KeepBack(FaultCode::AuthInvalidCredentials);
        assert_eq!(outgoing.may_log_in().await, kept);
        board.tidy(at(500));
        assert_eq!(board.jobs().len(), 1, "its leg runs");
        drop(outgoing);
        board.tidy(at(500));
        assert!(board.jobs().is_empty());
    }

    #[test]
    fn what_is_heard_of_jobs_that_are_none_of_ours_is_bounded() {
        let (voice, _words, _said) = link::voice();
        let board = Switchboard::new(Reach::Fleet, voice);
        for number in 0..MOST + 10 {
            let number = u128::try_from(number).expect("small");
            board.hear(job(number), PeerSide::Incoming, PeerWord::MarksTaken, at(0));
        }
        assert_eq!(board.jobs().len(), MOST);
        let _here = board.join(job(u128::MAX), PeerSide::Incoming, TERMS, at(0));
        assert_eq!(board.jobs().len(), MOST + 1, "a leg that runs here has its place");
    }
}
