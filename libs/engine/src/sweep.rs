//! When a gateway looks for what a crash, a lost message or a full shard left behind.
//!
//! Work is event-driven; these rounds only repair. Every gateway makes all of them: the
//! store hands each row to one of them, and doing one twice changes nothing.

use std::time::Duration;

use crate::time::Monotonic;

/// One round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chore {
    /// `Store::wake`, then dispatch the groups.
    Wake,
    /// `Store::waiting`, then dispatch the groups.
    Waiting,
    /// `Store::unpublished`, then publish each again: same dispatch, to be asked for.
    Unpublished,
    /// `Store::overdue`, then advance each with `Event::Overdue`.
    Overdue,
    /// `Store::expired`, then advance each with `Event::Deadline`.
    Expired,
    /// `Store::live_batches`, then feed each.
    Batches,
    /// Broadcast the settings of groups.
    Settings,
    /// `Store::purge`.
    Purge,
}

/// How often each round is made.
const ROUNDS: [(Chore, Duration); 8] = [
    (Chore::Wake, Duration::from_millis(500)),
    (Chore::Waiting, Duration::from_secs(1)),
    (Chore::Expired, Duration::from_secs(1)),
    (Chore::Batches, Duration::from_secs(1)),
    (Chore::Unpublished, Duration::from_secs(2)),
    (Chore::Overdue, Duration::from_secs(5)),
    (Chore::Settings, Duration::from_secs(10)),
    (Chore::Purge, Duration::from_secs(3_600)),
];

/// Says which rounds are due.
#[derive(Debug, Clone)]
pub struct Sweeper {
    due: [(Chore, Duration, Monotonic); ROUNDS.len()],
}

impl Sweeper {
    /// Everything is due at once: the last run may have ended in a crash.
    #[must_use]
    pub fn new(now: Monotonic) -> Self {
        Self { due: ROUNDS.map(|(chore, every)| (chore, every, now)) }
    }

    /// The rounds that are due, which are then due again after their interval. A gateway
    /// that was held up makes up for one round, not for all that it missed.
    pub fn due(&mut self, now: Monotonic) -> Vec<Chore> {
        let mut chores = Vec::new();
        for (chore, every, due) in &mut self.due {
            if *due <= now {
                chores.push(*chore);
                *due = now.plus(*every);
            }
        }
        chores
    }

    /// When the next round is due.
    #[must_use]
    pub fn next(&self) -> Monotonic {
        self.due.iter().map(|(_, _, due)| *due).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_is_made_at_once_and_then_in_its_own_time() {
        let mut sweeper = Sweeper::new(Monotonic(Duration::ZERO));
        assert_eq!(sweeper.due(Monotonic(Duration::ZERO)).len(), ROUNDS.len());
        assert_eq!(sweeper.next(), Monotonic(Duration::from_millis(500)));
        assert_eq!(sweeper.due(Monotonic(Duration::from_millis(500))), [Chore::Wake]);
        let late = Monotonic(Duration::from_secs(60));
        assert_eq!(sweeper.due(late).len(), ROUNDS.len() - 1);
        assert!(sweeper.due(late).is_empty());
    }
}
