//! The numbers that the fleet's promises rest on, in one place.
//!
//! They are values and not constants so that a simulation can break one at a time and see
//! that it is noticed. Production uses the defaults; only the number of shards, the shares of the
//! zones and the tenants' weights are configuration.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use mailfleet_model::fleet::{DEFAULT_SHARDS, TenantId};

use crate::share::Shares;

/// All numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Releasing legs.
    pub dispatch: DispatchRules,
    /// What becomes of legs.
    pub collect: CollectRules,
    /// Running legs.
    pub own: OwnRules,
    /// Holding shards.
    pub hold: HoldRules,
    /// Repairing what a crash left.
    pub sweep: SweepRules,
    /// Running bulk work beside legs that somebody waits for.
    pub pace: PaceRules,
}

/// Releasing legs.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchRules {
    /// Legs out in a shard at most; the owner's prefetch exceeds it.
    pub shard_cap: u32,
    /// What share of places is kept for interactive legs: one in so many, rounded up.
    pub reserve_one_in: u32,
    /// How much longer a revalidation has to wait to be equal to an interactive leg.
    pub revalidation_handicap: Duration,
    /// How much longer a sync has to wait to be equal to an interactive leg.
    pub sync_handicap: Duration,
    /// How long a definitive refusal keeps its secret back, for everybody.
    pub refusal_pause: Duration,
    /// Definitive refusals after which bulk work does not try the secret any more.
    pub refusals: u32,
    /// Longest time between two dispatches of a group of which the later one tells what kept
    /// its legs in the store meanwhile. A fleet that is well looks at a group with waiting legs
    /// every second or two.
    pub follow_up: Duration,
    /// What share of every limit each zone has: configuration.
    pub shares: Shares,
    /// How many turns a tenant gets for one of a tenant that is not among these. Deployments
    /// set it.
    pub weights: BTreeMap<TenantId, NonZeroU32>,
}

impl Default for DispatchRules {
    fn default() -> Self {
        Self {
            shard_cap: 1_000,
            reserve_one_in: 5,
            revalidation_handicap: Duration::from_secs(10 * 60),
            sync_handicap: Duration::from_secs(30 * 60),
            // Servers count failures in windows of some minutes; two refusals this far
            // apart are two, not one.
            refusal_pause: Duration::from_secs(15 * 60),
            refusals: 2,
            follow_up: Duration::from_secs(5),
            shares: Shares::default(),
            weights: BTreeMap::new(),
        }
    }
}

/// What becomes of legs.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectRules {
    /// Failures after which a leg's last report stands.
    pub attempts: u32,
    /// Starts without a result after which a leg counts as what kills its workers.
    pub starts: u32,
    /// The end of a job's time, kept for results that are on their way: what has failed is not
    /// tried again in it. A leg ends five seconds past its budget at the latest.
    pub kept: Duration,
    /// K: shards in a zone: configuration.
    pub shards: NonZeroU16,
}

impl Default for CollectRules {
    fn default() -> Self {
        Self { attempts: 5, starts: 3, kept: Duration::from_secs(8), shards: DEFAULT_SHARDS }
    }
}

/// Running legs.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnRules {
    /// Longest wait of a leg at its owner before it is returned.
    pub park: Duration,
    /// Connections of a mailbox at most (HubSpot's published figure).
    pub mailbox: u32,
    /// Of these, at most so many for sync.
    pub mailbox_sync: u32,
    /// What share of slots is kept for interactive legs: one in so many, rounded up.
    pub reserve_one_in: u32,
    /// How long "too many connections" lowers a group's limit.
    pub back_off: Duration,
    /// How long a worker waits for the store's answer before it returns the leg.
    pub answer: Duration,
    /// How long after a claim every leg is asked for: no copy of a leg that another owner
    /// ran can be on its way for longer (two heartbeats of the broker, and some).
    pub young: Duration,
    /// How long an owner remembers what it has dealt with.
    pub memory: Duration,
}

impl Default for OwnRules {
    fn default() -> Self {
        Self {
            park: Duration::from_secs(120),
            mailbox: 5,
            mailbox_sync: 3,
            reserve_one_in: 5,
            back_off: Duration::from_secs(10 * 60),
            answer: Duration::from_secs(15),
            young: Duration::from_secs(60),
            memory: Duration::from_secs(5 * 60),
        }
    }
}

/// Holding shards.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldRules {
    /// T: the heartbeat that is agreed with the broker, which cannot hand a lock over
    /// before 2 T of silence.
    pub heartbeat: Duration,
    /// Silence after which nothing is started.
    pub stop: Duration,
    /// Silence after which all sockets are closed.
    pub abort: Duration,
    /// How often workers announce themselves.
    pub announce: Duration,
    /// Silence after which a worker is not counted on any more.
    pub live: Duration,
    /// How long a worker listens before it claims anything.
    pub warm_up: Duration,
    /// How long before its first claims a worker asks to be counted on: for as long nobody holds
    /// the shards that others give up for it. Two ticks, so that two that come together hear of
    /// each other.
    pub lead: Duration,
    /// Pause between two tries for the same shard.
    pub retry: Duration,
    /// After a lost lock, and after a claim whose predecessor did not hand over: how long
    /// nothing is started, so that closed sockets are closed at the other end too.
    pub settle: Duration,
    /// How long a redelivered leg of a silent predecessor occupies a slot.
    pub ghost: Duration,
    /// How long running legs may take to end when a shard is given up.
    pub drain: Duration,
}

impl Default for HoldRules {
    fn default() -> Self {
        let heartbeat = Duration::from_secs(10);
        Self {
            heartbeat,
            stop: heartbeat,
            abort: heartbeat * 3 / 2,
            announce: Duration::from_secs(1),
            live: Duration::from_millis(2_500),
            warm_up: Duration::from_secs(2),
            lead: Duration::from_millis(500),
            retry: Duration::from_millis(500),
            settle: Duration::from_secs(2),
            ghost: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

impl HoldRules {
    /// One owner in one process: nobody to wait for.
    #[must_use]
    pub fn alone() -> Self {
        Self { warm_up: Duration::ZERO, settle: Duration::ZERO, ..Self::default() }
    }
}

/// Repairing what a crash left.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRules {
    /// How long after the commit of a release a gateway may still publish it; later it
    /// leaves it to the sweep, since it was held up and another copy may be out.
    pub publish_within: Duration,
    /// Age at which a `RELEASED` leg is published again.
    pub released: Duration,
    /// Beyond its cap: age at which a `PUBLISHED` leg is released afresh. The longest
    /// parking and half a minute for the way.
    pub published: Duration,
    /// Age of the last dispatch at which a group with waiting legs is dispatched again.
    pub waiting: Duration,
    /// Most rows of one sweep.
    pub rows: u32,
}

impl Default for SweepRules {
    fn default() -> Self {
        Self {
            publish_within: Duration::from_secs(5),
            released: Duration::from_secs(10),
            published: Duration::from_secs(150),
            waiting: Duration::from_secs(1),
            rows: 500,
        }
    }
}

/// Running bulk work beside legs that somebody waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct PaceRules {
    /// Bulk legs that a worker runs at once at the beginning.
    pub first: u32,
    /// Bulk legs that it runs at once however late its ticks are.
    pub least: u32,
    /// How late a tick may be. A leg waits for the processor some twenty times.
    pub late: Duration,
}

impl Default for PaceRules {
    fn default() -> Self {
        Self { first: 32, least: 4, late: Duration::from_millis(5) }
    }
}

/// Places kept for interactive legs among `places`: one in so many, rounded up, and none
/// where there is only one.
#[must_use]
pub fn reserve(places: u32, one_in: u32) -> u32 {
    if places <= 1 || one_in == 0 { 0 } else { places.div_ceil(one_in) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_place_is_kept_for_nobody() {
        let kept: Vec<u32> = [0, 1, 2, 5, 6, 10, 11].map(|n| reserve(n, 5)).into();
        assert_eq!(kept, [0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn the_fence_closes_before_the_broker_can_hand_over() {
        let hold = HoldRules::default();
        assert!(hold.stop < hold.abort && hold.abort + hold.settle < hold.heartbeat * 2);
    }
}
