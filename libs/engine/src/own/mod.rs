//! Own: what the one owner of a shard does with the legs that reach it.
//!
//! Because the owner is alone, every limit of a mail server is a number in its memory, and
//! holds over the whole fleet.

mod breaker;
mod bucket;
mod delay;
mod group;
mod memory;
mod offer;
mod shard;

pub use breaker::{Breaker, Health};
pub use bucket::Bucket;
pub use group::{Group, GroupStatus};
pub use offer::{Action, Ending, Offer};
pub use shard::Shard;
pub(crate) use shard::turns;
