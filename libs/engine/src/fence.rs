//! The fence: a worker that may have lost its locks stops before anybody else can start.
//!
//! Let s be when the last probe that was answered was sent. The broker has heard from the
//! worker at or after s, so it cannot give a lock away before s + 2 T. Nothing starts
//! after s + T, and at s + 1.5 T all sockets are closed, which leaves half a T for the
//! closing and for drift. No clocks are compared.
//!
//! Not covered, and said so in the documents: a broker cluster that is split inside, and a
//! proxy that drops only the broker's side of the connection.

use crate::rules::HoldRules;
use crate::time::Monotonic;

/// What the worker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Start legs.
    Sure,
    /// Let run what runs.
    Doubtful,
    /// Close everything.
    Lost,
}

/// The fence of one consuming connection.
#[derive(Debug, Clone)]
pub struct Fence {
    rules: HoldRules,
    /// When the last answered probe was sent; at first when the connection was opened,
    /// which the broker answered too.
    proven: Monotonic,
    /// When the probe that is under way was sent.
    asked: Option<Monotonic>,
}

impl Fence {
    /// A connection whose opening was begun at `opened` and answered.
    #[must_use]
    pub fn new(opened: Monotonic, rules: HoldRules) -> Self {
        Self { rules, proven: opened, asked: None }
    }

    /// Whether to send a probe now: every T/4, one at a time.
    pub fn probe(&mut self, now: Monotonic) -> bool {
        let due = self.proven.plus(self.rules.heartbeat / 4) <= now;
        if self.asked.is_some() || !due {
            return false;
        }
        self.asked = Some(now);
        true
    }

    /// The probe that is under way was answered. It proves the moment it was sent.
    pub fn answered(&mut self) {
        self.proven = self.asked.take().unwrap_or(self.proven);
    }

    /// What the worker may do.
    #[must_use]
    pub fn standing(&self, now: Monotonic) -> Standing {
        let silence = now.since(self.proven);
        if self.rules.abort <= silence {
            Standing::Lost
        } else if self.rules.stop <= silence {
            Standing::Doubtful
        } else {
            Standing::Sure
        }
    }

    /// When every socket has to be closed unless another probe is answered: before each
    /// command to a mail server the runner compares its clock with it.
    #[must_use]
    pub fn abort_at(&self) -> Monotonic {
        self.proven.plus(self.rules.abort)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn standing_follows_the_last_answered_probe() {
        let mut fence = Fence::new(at(0), HoldRules::default());
        let table =
            [(9_999, Standing::Sure), (10_000, Standing::Doubtful), (15_000, Standing::Lost)];
        for (time, expect) in table {
            assert_eq!(fence.standing(at(time)), expect);
        }
        assert!(!fence.probe(at(2_499)));
        assert!(fence.probe(at(2_500)));
        assert!(!fence.probe(at(9_000)), "one at a time");
        fence.answered();
        assert_eq!(fence.abort_at(), at(17_500), "it proves when it was sent, not when answered");
        fence.answered();
        assert_eq!(fence.abort_at(), at(17_500), "an answer to nothing proves nothing");
        assert!(fence.probe(at(9_001)));
    }
}
