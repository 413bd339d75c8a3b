//! Slots that are kept for legs which a silent predecessor may still run.

use mailfleet_model::fleet::{LastOwner, LegId};

use super::{Held, Shard, Stage};
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

    /// Hears that the predecessor holds nothing.
    pub fn woke(&mut self, now: Monotonic) -> Vec<Action> {
        if self.takeover.woke(now) { self.exorcise() } else { Vec::new() }
    }

    /// Hears what others know of the predecessor, which decides about what was redelivered.
    pub(super) fn learn(&mut self, last_owner: Option<LastOwner>, now: Monotonic) -> Vec<Action> {
        let was_undecided = self.takeover.is_undecided();
        let free = self.takeover.learn(last_owner, now);
        let mut actions = if free { self.exorcise() } else { Vec::new() };
        if !was_undecided {
            return actions;
        }
        let waits =
            |held: &&Held| held.offer.redelivered && matches!(held.stage, Stage::Waiting(_));
        let waiting: Vec<LegId> =
            self.legs.values().filter(waits).map(|held| held.offer.leg).collect();
        for leg in waiting {
            let Some(Held { offer, tags, next, .. }) = self.legs.remove(&leg) else { continue };
            actions.extend(self.offered(offer, now));
            // It may have come several times, and in a later release too.
            if let Some(held) = self.legs.get_mut(&leg) {
                (held.tags, held.next) = (tags, next);
            }
        }
        actions
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
