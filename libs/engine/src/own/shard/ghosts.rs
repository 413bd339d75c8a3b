//! Slots that are kept for legs which a silent predecessor may still run.

use mailfleet_model::fleet::LastOwner;

use super::Shard;
use crate::own::Action;
use crate::time::Monotonic;

impl Shard {
    /// Whether a silent predecessor may still have sockets open, also such as no delivery
    /// has told of yet.
    #[must_use]
    pub fn may_be_haunted(&self, now: Monotonic) -> bool {
        let silent = self.takeover.ghost(now).is_some();
        self.keeps_slots(now) || (silent && self.takeover.young(now))
    }

    /// The same as far as it is more than ignorance: what the next owner has to be told.
    #[must_use]
    pub fn is_haunted(&self, now: Monotonic) -> bool {
        self.keeps_slots(now) || (self.takeover.is_silent() && self.takeover.young(now))
    }

    /// Hears that a silent predecessor is there again, and holds nothing.
    pub fn woke(&mut self) -> Vec<Action> {
        if self.takeover.woke() { self.exorcise() } else { Vec::new() }
    }

    /// Hears what others know of the predecessor.
    pub(super) fn learn(&mut self, last_owner: Option<LastOwner>) -> Vec<Action> {
        match last_owner {
            Some(last) if self.takeover.learn(last) => self.exorcise(),
            Some(_) | None => Vec::new(),
        }
    }

    fn keeps_slots(&self, now: Monotonic) -> bool {
        !self.ghosts.is_empty() || self.groups.values().any(|group| group.is_haunted(now))
    }

    fn exorcise(&mut self) -> Vec<Action> {
        self.groups.values_mut().for_each(crate::own::Group::exorcise);
        self.legs.values_mut().for_each(|held| held.ghost = None);
        let ghosts = std::mem::take(&mut self.ghosts);
        ghosts.into_iter().map(|(_, tag)| Action::Ack(tag)).collect()
    }
}
