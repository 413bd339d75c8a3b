//! Metrics: every instrument of the project, and the functions that record into them.
//!
//! One place, so that names, units and labels are decided once and a dashboard can be held
//! against the list ([`ALL`]). Adapters record from what they did and from what was decided;
//! nothing in here asks anybody. No label ever holds a mailbox, a job, a host or anything else
//! that a tenant chooses: labels come from closed lists, from the provider table, or from the
//! operator's configuration.
//!
//! Recording goes to the process's meter provider: the one of [`crate::init`], or nowhere.

mod begin;
mod fleet;
mod instruments;
mod kind;
mod leg;
mod messaging;
mod rpc;
mod scrape;
mod store;

pub use fleet::{JobEnd, census, duplicate_result, job_ended, leg_returned};
pub use instruments::{ALL, Instruments};
pub use kind::{Kind, Spec};
pub use leg::{
    EgressGuard, Limiter, egress, fence_tripped, holds, leg_ended, limiters, provider, takeover,
    unseal_failed, waited,
};
pub use messaging::{
    Clock, Queue, blocked, consumed, dead_letter, event_published, events_lost, operated, processed,
};
pub use rpc::{called, open as call_opened};
pub use scrape::Scrape;
pub use store::{Pool, pool, transaction};

pub(crate) use begin::begin;
pub(crate) use scrape::reader;
