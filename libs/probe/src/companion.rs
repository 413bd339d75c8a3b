//! What two legs of one job tell each other while both run.
//!
//! Two things only: the answer to a login, so that a password which was just refused
//! is not sent a second time; and that the incoming leg has noted where new mail will
//! appear, so that the test mail is not sent too early. A leg never waits long for
//! the other one, and a leg that ends frees whoever waits for it.
//!
//! The legs hold the two ends of a [`Pact`]. Where they may run in different processes,
//! whoever carries their words between them says so ([`Reach::Fleet`]) and tells the pact
//! what it hears: then the incoming leg logs in first, since nobody can ask the other
//! process in time who came first.

mod known;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_model::fleet::{PeerSide, PeerWord};
use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{FaultCode, Login};
use tokio::sync::watch;
use tokio::time::timeout;

use known::Known;

/// Longest wait for the other leg's answer to the same login.
pub const LOGIN_PATIENCE: Duration = Duration::from_secs(8);

/// What a leg may do with its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Send it.
    Go,
    /// Keep it back: the other leg just saw the same login refused, by this code.
    KeepBack(FaultCode),
}

/// Where the other leg of a pair can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In this process: the leg that reaches its login first goes first, and an end that
    /// is dropped has ended.
    ThisProcess,
    /// In any process: a leg alone in this one lets the incoming leg go first, and an end
    /// that is dropped may be taken up again elsewhere.
    Fleet,
}

/// What the two legs of a pair have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Both log in with the same name and secret.
    pub same_login: bool,
    /// One takes marks, the other one waits for them.
    pub marks: bool,
}

/// Takes the words of a leg that the other one, in another process, should hear. Must
/// return at once.
pub type Tell = Arc<dyn Fn(PeerWord) + Send + Sync>;

/// What two legs of a job know of each other. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Pact {
    known: Arc<watch::Sender<Known>>,
    reach: Reach,
}

/// One leg's end of the pair. Dropping it tells the other leg that nothing more comes, as
/// far as [`Reach`] says so.
#[derive(Debug)]
pub struct Companion {
    seat: Option<Seat>,
}

struct Seat {
    pact: Pact,
    side: PeerSide,
    terms: Terms,
    tell: Option<Tell>,
}

impl Pact {
    /// A pact that nobody has joined.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self { known: Arc::new(watch::Sender::new(Known::default())), reach }
    }

    /// One leg takes its end. What it said in an earlier run is forgotten, except that the
    /// login was refused for good.
    #[must_use]
    pub fn join(&self, side: PeerSide, terms: Terms, tell: Option<Tell>) -> Companion {
        self.known.send_modify(|known| known.begin(side));
        Companion { seat: Some(Seat { pact: self.clone(), side, terms, tell }) }
    }

    /// Hears what the leg of that side says in another process. A leg that runs here
    /// speaks for itself.
    pub fn hear(&self, side: PeerSide, word: PeerWord) {
        self.known.send_if_modified(|known| known.hear(side, word));
    }

    /// Whether the leg of that side runs in this process.
    #[must_use]
    pub fn is_here(&self, side: PeerSide) -> bool {
        self.known.borrow().half(side).here
    }
}

impl Companion {
    /// A leg without another one.
    #[must_use]
    pub fn alone() -> Self {
        Self { seat: None }
    }

    /// The ends for an incoming and an outgoing leg in this process.
    #[must_use]
    pub fn pair(incoming: &Login, outgoing: &Login) -> (Self, Self) {
        let terms = Terms { same_login: incoming.same_as(outgoing), marks: true };
        let pact = Pact::new(Reach::ThisProcess);
        let end = |side| pact.join(side, terms, None);
        (end(PeerSide::Incoming), end(PeerSide::Outgoing))
    }

    /// Waits until this leg may log in: at once, or after the other leg's answer to the
    /// same login. After [`LOGIN_PATIENCE`] it goes ahead.
    ///
    /// Cancel-safe.
    pub async fn may_log_in(&mut self) -> Permission {
        let Some(seat) = self.seat.as_ref().filter(|seat| seat.terms.same_login) else {
            return Permission::Go;
        };
        let mut changes = seat.pact.known.subscribe();
        let turn = async {
            loop {
                if let Some(permission) = seat.try_turn() {
                    return permission;
                }
                if changes.changed().await.is_err() {
                    return Permission::Go;
                }
            }
        };
        let waited = timeout(LOGIN_PATIENCE, turn).await;
        waited.unwrap_or_else(|_elapsed| {
            seat.change(|known| known.half_mut(seat.side).logging_in = true);
            Permission::Go
        })
    }

    /// Tells the other leg what came of the login.
    pub fn login_answered(&mut self, outcome: LoginOutcome, code: Option<FaultCode>) {
        if let Some(seat) = self.seat.as_ref().filter(|seat| seat.terms.same_login) {
            seat.change(|known| known.half_mut(seat.side).answer = Some((outcome, code)));
            if known::is_of_use(seat.side, outcome) {
                seat.say(PeerWord::LoginAnswered(outcome, code));
            }
        }
    }

    /// Tells the outgoing leg that the marks are taken (or never will be).
    pub fn marks_taken(&mut self) {
        let marks = |seat: &&Seat| seat.terms.marks && seat.side == PeerSide::Incoming;
        let Some(seat) = self.seat.as_ref().filter(marks) else { return };
        if !seat.pact.known.borrow().incoming.marks_taken {
            seat.change(|known| known.incoming.marks_taken = true);
            seat.say(PeerWord::MarksTaken);
        }
    }

    /// Waits until the incoming leg has taken its marks or has ended, at most `patience`.
    ///
    /// Cancel-safe.
    pub async fn wait_for_marks(&mut self, patience: Duration) {
        let waits = |seat: &&Seat| seat.terms.marks && seat.side == PeerSide::Outgoing;
        if let Some(seat) = self.seat.as_ref().filter(waits) {
            let mut known = seat.pact.known.subscribe();
            let over = |known: &Known| known.incoming.marks_taken || known.incoming.ended;
            // Either outcome means: go on.
            let _ = timeout(patience, known.wait_for(over)).await;
        }
    }

    /// Ends: nothing more comes from this leg.
    pub fn end(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let owes = seat.pact.known.borrow().owes(seat.side, seat.terms);
        seat.change(|known| known.end(seat.side));
        if owes {
            seat.say(PeerWord::LegEnded);
        }
    }

    /// Leaves without a word: the leg will run again, perhaps elsewhere.
    pub fn leave(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.change(|known| known.leave(seat.side));
        }
    }
}

impl Drop for Companion {
    /// A leg that ends without having logged in leaves the way to the other one.
    fn drop(&mut self) {
        match self.seat.as_ref().map(|seat| seat.pact.reach) {
            Some(Reach::ThisProcess) => self.end(),
            Some(Reach::Fleet) | None => self.leave(),
        }
    }
}

impl Seat {
    fn change(&self, change: impl FnOnce(&mut Known)) {
        self.pact.known.send_modify(change);
    }

    /// Takes the turn to log in, if it is this leg's.
    fn try_turn(&self) -> Option<Permission> {
        let mut turn = None;
        self.pact.known.send_if_modified(|known| {
            turn = known.turn(self.side, self.pact.reach);
            known.half_mut(self.side).logging_in |= turn == Some(Permission::Go);
            turn == Some(Permission::Go)
        });
        turn
    }

    fn say(&self, word: PeerWord) {
        if let Some(tell) = &self.tell {
            tell(word);
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("side", &self.side).field("terms", &self.terms).finish()
    }
}

#[cfg(test)]
mod tests;
