//! What a worker has of a shard: a claim under way, the shard, or a shard on its way out.

use crate::own::Shard;
use crate::time::Monotonic;

/// A shard in a worker's hands.
#[derive(Debug, Clone)]
pub(super) enum Hold {
    /// The broker was asked for it.
    Claiming,
    /// It is ours.
    Held(Box<Shard>),
    /// It is given up, since then: nothing starts, what runs may end.
    Leaving(Box<Shard>, Monotonic),
}

impl Hold {
    pub(super) fn shard(&self) -> Option<&Shard> {
        match self {
            Self::Claiming => None,
            Self::Held(shard) | Self::Leaving(shard, _) => Some(shard),
        }
    }

    pub(super) fn shard_mut(&mut self) -> Option<&mut Shard> {
        match self {
            Self::Claiming => None,
            Self::Held(shard) | Self::Leaving(shard, _) => Some(shard),
        }
    }

    /// Gives it up; a claim that is under way is dealt with once it is answered.
    pub(super) fn leave(&mut self, now: Monotonic) {
        if let Self::Held(shard) = self {
            *self = Self::Leaving(shard.clone(), now);
        }
    }
}
