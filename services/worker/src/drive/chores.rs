//! Tasks that serve the broker: the control link, the connection, and one for each claim.

use std::collections::HashMap;
use std::future::Future;

use mailfleet_engine::worker::ClaimId;
use mailfleet_model::fleet::ShardIndex;
use tokio::task::{Id, JoinError, JoinSet};

/// What a task was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chore {
    Link,
    /// Connecting, or a probe.
    Connection(u64),
    Claim(ShardIndex, ClaimId),
}

/// The tasks.
#[derive(Debug, Default)]
pub(super) struct Chores {
    tasks: JoinSet<()>,
    kinds: HashMap<Id, Chore>,
}

/// How a task ended.
pub(super) struct Ended {
    pub(super) chore: Chore,
    /// What it panicked with, if it did.
    pub(super) panic: Option<JoinError>,
}

impl Chores {
    pub(super) fn link(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn(Chore::Link, work);
    }

    pub(super) fn spawn(&mut self, chore: Chore, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(work).id();
        self.kinds.insert(id, chore);
    }

    /// Whether a claim is still being given up.
    pub(super) fn has_claims(&self) -> bool {
        self.kinds.values().any(|chore| matches!(chore, Chore::Claim(..)))
    }

    /// The next task that ended; `None` while there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let ended = self.tasks.join_next_with_id().await?;
        let (id, panic) = match ended {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let chore = self.kinds.remove(&id).unwrap_or(Chore::Link);
        Some(Ended { chore, panic })
    }
}
