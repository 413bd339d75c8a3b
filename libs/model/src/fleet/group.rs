//! Settings of a limit group: what its owner keeps to.

use std::num::NonZeroU32;
use std::time::Duration;

use strum::{Display, EnumIter, IntoStaticStr};

use super::id::GroupId;

/// How fast logins may follow each other: a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Tokens that come back in each `per`.
    pub logins: NonZeroU32,
    /// The period.
    pub per: Duration,
}

/// What a group allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupLimits {
    /// Legs at once, from 1 to 10,000: over all zones, or in one of them where it is a part.
    pub concurrency: NonZeroU32,
    /// Of these, legs at once from one source address; `None`: no cap of its own.
    pub per_source: Option<NonZeroU32>,
    /// Logins in a period; `None`: as fast as the concurrency allows.
    pub rate: Option<Rate>,
}

/// What of a mail server's own held a leg back, while the fleet would have started it. A closed
/// list, since it is a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Hold {
    /// As many sessions as it allows were open: of the group, the mailbox or the source address.
    Sessions,
    /// Its login rate left no room.
    Rate,
    /// It was down: the circuit breaker was open.
    Breaker,
    /// An operator had paused its group.
    Paused,
}

/// What of a mail server's own held a leg back before it started, as far as its owner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// What did so longest.
    pub by: Hold,
    /// For how long anything did.
    pub took: Duration,
}

/// The settings of one group in one zone, as an operator, the provider table or the
/// default gave them. Versions only grow: an owner ignores an older one. In the store they
/// say what the mail server allows as a whole; owners are told the part of their zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// The group.
    pub group: GroupId,
    /// What it allows.
    pub limits: GroupLimits,
    /// Whether nothing of it is started.
    pub paused: bool,
    /// Grows by one at every change; 0 for a group that was never changed.
    pub version: u64,
}

/// How full a group is, as the store has it. Read without a lock: a moment later it may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOccupancy {
    /// Its settings; the defaults, with version 0, if it has none of its own.
    pub settings: GroupSettings,
    /// Legs that are `RELEASED` or `PUBLISHED`.
    pub out: u32,
    /// Legs that are `READY`, without those of paused batches: up to
    /// [`GroupOccupancy::MOST_WAITING`].
    pub waiting: u32,
}

impl GroupOccupancy {
    /// Where more legs wait, no more are counted: a batch may have any number of them.
    pub const MOST_WAITING: u32 = 3_000;
}

/// What holds in a group at its owner, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// The group.
    pub group: GroupId,
    /// Slots that may be used now.
    pub limit: u32,
    /// Slots in use, those that are kept for a lost predecessor's legs included.
    pub in_use: u32,
    /// Legs that wait for a slot.
    pub waiting: u32,
    /// Whether nothing of it is started.
    pub paused: bool,
    /// How long its circuit breaker still holds legs back; `None` while it is closed.
    pub breaker: Option<Duration>,
    /// How long its limit stays lowered, since the server complained of too many
    /// connections.
    pub lowered: Option<Duration>,
}
