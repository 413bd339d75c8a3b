//! What a worker is told, and what it asks for.

use std::time::Duration;

use mailfleet_model::fleet::{Control, Dispatch, LegId, ShardIndex};

use crate::own::{Action, Ending, Offer};

/// Numbers the claims of a worker, so that what belongs to a lost one is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId(pub u64);

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The queue is consumed exclusively: the lock is ours.
    Ours,
    /// Another worker holds it, or the broker did not answer.
    Refused,
}

/// What a worker is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Time has passed; four times a second. It comes so late.
    Tick(Duration),
    /// The consuming connection is open.
    Connected,
    /// The consuming connection is lost, could not be opened, or a call on it ran into its
    /// deadline.
    ConnectionLost,
    /// The probe was answered.
    Probed,
    /// A claim was answered.
    Claimed(ShardIndex, ClaimId, Claim),
    /// The stream of a claim has ended.
    ClaimLost(ShardIndex, ClaimId),
    /// A leg was delivered.
    Delivered(ShardIndex, ClaimId, Offer),
    /// Something came over the control link.
    Heard(Control),
    /// A leg's socket is closed.
    Ended(LegId, Ending),
    /// The broker has confirmed a leg's result or return.
    Confirmed(LegId, Dispatch),
    /// The process is to end (SIGTERM).
    Drain,
}

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open the consuming connection; answered by `Connected` or `ConnectionLost`.
    Connect,
    /// Close the consuming connection at once, with all that is on it.
    Disconnect,
    /// Send a probe; answered by `Probed` or `ConnectionLost`.
    Probe,
    /// Claim a shard; answered by `Claimed`.
    Claim(ShardIndex, ClaimId),
    /// Close a claim's channel.
    Close(ShardIndex, ClaimId),
    /// Send to everybody.
    Broadcast(Control),
    /// Do something about a leg of a claim. Acks of a claim that is lost are left out.
    Own(ShardIndex, ClaimId, Action),
}
