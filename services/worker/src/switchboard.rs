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
