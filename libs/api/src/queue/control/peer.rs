//! What two legs of a pair tell each other over the broker.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{Control, PeerSide, PeerWord};

use super::super::{Unreadable, job, to_job};
use crate::generated::queue::v1 as wire;
use crate::{code, enums};
use wire::peer::{Side, Word};

pub(super) fn to_wire(id: JobId, side: PeerSide, word: PeerWord) -> wire::Peer {
    let side = match side {
        PeerSide::Incoming => Side::Incoming,
        PeerSide::Outgoing => Side::Outgoing,
    };
    let word = match word {
        PeerWord::LoginAnswered(outcome, code) => Word::LoginAnswered(wire::LoginAnswered {
            outcome: enums::number(outcome),
            code: code.map_or(0, enums::number),
        }),
        PeerWord::MarksTaken => Word::MarksTaken(wire::MarksTaken {}),
        PeerWord::LegEnded => Word::LegEnded(wire::LegEnded {}),
    };
    wire::Peer { job: job(id), side: side.into(), word: Some(word) }
}

/// `None` for what only a newer worker says. A login outcome that this build does not
/// know is one of these: a leg that hears nothing decides by itself.
pub(super) fn from_wire(peer: wire::Peer) -> Result<Option<Control>, Unreadable> {
    let side = match Side::try_from(peer.side) {
        Ok(Side::Incoming) => PeerSide::Incoming,
        Ok(Side::Outgoing) => PeerSide::Outgoing,
        Ok(Side::Unspecified) | Err(_) => return Ok(None),
    };
    let word = match peer.word {
        Some(Word::LoginAnswered(answer)) => {
            let Some(outcome) = enums::known(answer.outcome) else { return Ok(None) };
            PeerWord::LoginAnswered(outcome, code::from_wire_if_set(answer.code))
        }
        Some(Word::MarksTaken(wire::MarksTaken {})) => PeerWord::MarksTaken,
        Some(Word::LegEnded(wire::LegEnded {})) => PeerWord::LegEnded,
        None => return Ok(None),
    };
    Ok(Some(Control::Peer { job: to_job(&peer.job)?, side, word }))
}
