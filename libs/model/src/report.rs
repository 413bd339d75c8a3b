//! The report: everything that a job found, and the verdict.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::address::EmailAddress;
use crate::fault::Fault;
use crate::id::{JobId, TraceId};
use crate::leg::{Arrival, LegReport};
use crate::suggestion::Suggestion;

/// May the mailbox be used?
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Nothing is in the way.
    Healthy,
    /// Something must be changed by somebody.
    Faulty,
    /// Only temporary trouble, or trouble of ours: it cannot be told now.
    Inconclusive,
}

/// Whether the server keeps a copy of what it submits.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SentCopy {
    /// A copy was found in the Sent folder.
    Saved,
    /// The mail arrived and no copy was in the Sent folder.
    NotSaved,
    /// No test mail was sent, or it could not be told.
    #[default]
    Unknown,
}

/// Everything that a validation found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The job that made it.
    pub job_id: JobId,
    /// The mailbox under test.
    pub mailbox: EmailAddress,
    /// May it be used?
    pub verdict: Verdict,
    /// What is wrong, in order of weight, the headline first.
    pub faults: Vec<Fault>,
    /// The legs with all their steps. Their own fault lists are empty here: all faults
    /// stand in `faults`.
    pub legs: Vec<LegReport>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
    /// Whether the server keeps a copy of what it submits.
    pub sent_copy: SentCopy,
    /// What the arrival leg found, if there was one.
    pub arrival: Option<Arrival>,
    /// Our addresses that must be allowed by the customer's firewall.
    pub egress_addresses: Vec<IpAddr>,
    /// When the job began.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// Where to follow it.
    pub trace_id: Option<TraceId>,
}
