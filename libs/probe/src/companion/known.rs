//! What is known of the two legs of a pair, and what follows from it. No waiting in here.

use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{PeerSide, PeerWord};
use mailfleet_model::leg::LoginOutcome;

use super::{Permission, Reach, Terms};

/// What is known of one leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Half {
    /// It runs in this process.
    pub(super) here: bool,
    /// It was told to go ahead with its login.
    pub(super) logging_in: bool,
    /// How its login was answered.
    pub(super) answer: Option<(LoginOutcome, Option<FaultCode>)>,
    pub(super) marks_taken: bool,
    pub(super) ended: bool,
}

/// What is known of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) incoming: Half,
    pub(super) outgoing: Half,
}

impl Known {
    pub(super) fn half(&self, side: PeerSide) -> &Half {
        match side {
            PeerSide::Incoming => &self.incoming,
            PeerSide::Outgoing => &self.outgoing,
        }
    }

    pub(super) fn half_mut(&mut self, side: PeerSide) -> &mut Half {
        match side {
            PeerSide::Incoming => &mut self.incoming,
            PeerSide::Outgoing => &mut self.outgoing,
        }
    }

    /// A leg begins a run. A password that was refused for good stays refused.
    pub(super) fn begin(&mut self, side: PeerSide) {
        let half = self.half_mut(side);
        let answer = half.answer.filter(|answer| is_final(*answer));
        *half = Half { here: true, answer, ..Half::default() };
    }

    pub(super) fn leave(&mut self, side: PeerSide) {
        let half = self.half_mut(side);
        (half.here, half.logging_in) = (false, false);
    }

    pub(super) fn end(&mut self, side: PeerSide) {
        self.leave(side);
        self.half_mut(side).ended = true;
    }

    /// Takes a word from another process over; says whether it is news.
    pub(super) fn hear(&mut self, side: PeerSide, word: PeerWord) -> bool {
        let half = self.half_mut(side);
        // Its own words come back to a process that sent them.
        if half.here {
            return false;
        }
        let before = *half;
        match word {
            // A word may come again, late: a password that was refused for good stays refused.
            PeerWord::LoginAnswered(outcome, code) if !half.answer.is_some_and(is_final) => {
                half.answer = Some((outcome, code));
            }
            PeerWord::LoginAnswered(..) => {}
            PeerWord::MarksTaken => half.marks_taken = true,
            PeerWord::LegEnded => half.ended = true,
        }
        before != *half
    }

    /// Whether somebody may still wait for what this leg has not said. The incoming leg
    /// waits for nobody in another process.
    pub(super) fn owes(&self, side: PeerSide, terms: Terms) -> bool {
        let half = self.half(side);
        let login = terms.same_login && half.answer.is_none();
        let marks = terms.marks && !half.marks_taken;
        side == PeerSide::Incoming && (login || marks)
    }

    /// Whether it is this leg's turn to log in; `None`: not yet.
    pub(super) fn turn(&self, side: PeerSide, reach: Reach) -> Option<Permission> {
        let peer = self.half(other(side));
        if let Some((outcome, code)) = peer.answer {
            return Some(permission(outcome, code));
        }
        if peer.ended {
            return Some(Permission::Go);
        }
        let first = side == PeerSide::Incoming || peer.here || reach == Reach::ThisProcess;
        (first && !peer.logging_in).then_some(Permission::Go)
    }
}

fn other(side: PeerSide) -> PeerSide {
    match side {
        PeerSide::Incoming => PeerSide::Outgoing,
        PeerSide::Outgoing => PeerSide::Incoming,
    }
}

/// Whether the other leg, in another process, would do anything else for this answer. The incoming
/// leg waits for nobody there: only that the login was refused for good holds it back, should it
/// run again.
pub(super) fn is_of_use(side: PeerSide, outcome: LoginOutcome) -> bool {
    side == PeerSide::Incoming || outcome == LoginOutcome::RefusedDefinitively
}

fn is_final((outcome, _): (LoginOutcome, Option<FaultCode>)) -> bool {
    outcome == LoginOutcome::RefusedDefinitively
}

fn permission(outcome: LoginOutcome, code: Option<FaultCode>) -> Permission {
    match outcome {
        LoginOutcome::RefusedDefinitively => {
            Permission::KeepBack(code.unwrap_or(FaultCode::AuthInvalidCredentials))
        }
        LoginOutcome::NotTried
        | LoginOutcome::Accepted
        | LoginOutcome::RefusedAmbiguously
        | LoginOutcome::Undecided => Permission::Go,
    }
}
