//! What an operator or the composition says about the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_model::fleet::{GroupId, GroupLimits};

/// Longest call. Well above what a healthy database needs, and below the time after which
/// callers of the port try again.
const DEADLINE: Duration = Duration::from_secs(10);

/// Connections of a pool. PostgreSQL does most work with two or three for each of its
/// cores, and gateways share them; SQLite's readers are few.
const CONNECTIONS: usize = 8;

/// What a group allows that has no settings of its own: the configured table's entry, or
/// the default.
#[derive(Clone)]
pub struct Defaults(Arc<dyn Fn(&GroupId) -> GroupLimits + Send + Sync>);

impl Defaults {
    /// Asks this function, which must be quick: it is called under a lock.
    #[must_use]
    pub fn new(limits: impl Fn(&GroupId) -> GroupLimits + Send + Sync + 'static) -> Self {
        Self(Arc::new(limits))
    }

    /// The same for every group.
    #[must_use]
    pub fn all(limits: GroupLimits) -> Self {
        Self::new(move |_| limits)
    }

    /// What this group allows.
    #[must_use]
    pub fn of(&self, group: &GroupId) -> GroupLimits {
        (self.0)(group)
    }
}

impl fmt::Debug for Defaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Defaults")
    }
}

/// How to use a database. Where it is comes beside it, since that may hold a password.
#[derive(Debug, Clone)]
pub struct Config {
    /// What groups without settings of their own allow.
    pub defaults: Defaults,
    /// Connections at most, at least 1. SQLite reads with so many and writes with one
    /// more. Defaults to 8.
    pub n_connections: usize,
    /// Longest call, waiting for a connection and for locks included; a call that takes
    /// longer is `Unavailable`. Defaults to 10 s.
    pub deadline: Duration,
    /// PostgreSQL: authorities that are trusted beside the system's, in PEM. Defaults to
    /// none.
    pub roots_pem: Option<String>,
}

impl Config {
    /// These limits, and the defaults.
    #[must_use]
    pub fn new(defaults: Defaults) -> Self {
        Self { defaults, n_connections: CONNECTIONS, deadline: DEADLINE, roots_pem: None }
    }
}
