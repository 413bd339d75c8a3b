//! The arrival leg: finds the test mail again, and puts it away.
//!
//! It comes after the submission, on a connection and a login of its own, and looks from
//! where the incoming leg saw the folders end before anything was sent. It looks at the
//! headers of new messages only, marks nothing as seen, and moves exactly the messages
//! that carry the token; what it cannot move it leaves, and says where.

mod findings;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod header;
mod imap;
mod pop3;

use std::time::Duration;

use mailfleet_model::Protocol;
use mailfleet_model::leg::ArrivalPlan;
use tokio::time::Instant;

use crate::leg::Scope;
use crate::recorder::Stop;

/// Time kept back from the leg's budget for putting the mail away.
const RESERVE: Duration = Duration::from_secs(5);

/// Runs the leg.
///
/// # Errors
/// [`Stop`] if the mail was not found; why stands in the report.
pub(crate) async fn run(scope: &mut Scope<'_>, plan: &ArrivalPlan) -> Result<(), Stop> {
    match scope.spec.endpoint.protocol {
        Protocol::Pop3 => Box::pin(pop3::run(scope, plan)).await,
        Protocol::Imap | Protocol::Smtp => Box::pin(imap::run(scope, plan)).await,
    }
}

/// The looks at a mailbox: at once, then after growing pauses, and once more at the end.
#[derive(Debug)]
struct Looks {
    pauses: &'static [u64],
    taken: usize,
    deadline: Instant,
}

impl Looks {
    /// Looks for at most `patience`; `pauses` in seconds, the last one repeats.
    fn new(pauses: &'static [u64], patience: Duration) -> Self {
        Self { pauses, taken: 0, deadline: Instant::now() + patience }
    }

    /// How long to wait before the next look, at least `shortest`; `None` after the last.
    fn next_pause(&mut self, shortest: Duration) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let pause = self.pauses.get(self.taken).or(self.pauses.last()).copied().unwrap_or(1);
        self.taken = self.taken.saturating_add(1);
        let pause = Duration::from_secs(pause).min(left).max(shortest);
        (!left.is_zero() && pause <= left).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pauses_grow_and_the_last_look_is_at_the_deadline() {
        let began = Instant::now();
        let mut looks = Looks::new(&[1, 2, 3], Duration::from_secs(11));
        let mut at = Vec::new();
        while let Some(pause) = looks.next_pause(Duration::ZERO) {
            tokio::time::sleep(pause).await;
            at.push(began.elapsed().as_secs());
        }
        assert_eq!(at, [1, 3, 6, 9, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_wants_a_pause_gets_it_or_no_look_at_all() {
        let mut looks = Looks::new(&[1], Duration::from_secs(10));
        assert_eq!(looks.next_pause(Duration::from_secs(8)), Some(Duration::from_secs(8)));
        assert_eq!(looks.next_pause(Duration::from_secs(11)), None);
    }
}
