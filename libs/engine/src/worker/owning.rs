//! Which shards a worker claims, gives up, and has outgrown.

use std::collections::BTreeSet;
use std::time::Duration;

use mailfleet_model::fleet::{LegKind, ReturnReason, ShardIndex};

use super::hold::Hold;
use super::{ClaimId, Effect, Identity, Worker, own};
use crate::fence::Standing;
use crate::own::Action;
use crate::ownership::Candidate;
use crate::time::Monotonic;

/// When a leg comes again that another worker runs: an announcement, the end of what runs in the
/// shard, and a claim take most of it.
const HANDED_ON: Duration = Duration::from_secs(5);

impl Worker {
    /// Says at once that a shard has got a leg that this worker does not run. If somebody runs
    /// such legs, it will have the shard in a moment.
    pub(super) fn outgrow(
        &mut self,
        index: ShardIndex,
        kind: &LegKind,
        actions: &mut [Action],
        now: Monotonic,
    ) -> Option<Effect> {
        let mut is_new = false;
        for action in actions {
            if let Action::Return(_, _, returned) = action
                && returned.reason == ReturnReason::UnknownKind
            {
                if self.members.run(kind, now, self.rules.hold.live) {
                    returned.after = HANDED_ON;
                }
                is_new |= self.outgrown.insert(index);
            }
        }
        is_new.then(|| self.announce(now))
    }

    /// Shards that others should have, or all while draining.
    pub(super) fn give_up(&mut self, now: Monotonic) -> Vec<Effect> {
        let live = self.rules.hold.live;
        let own = candidate(&self.identity, &self.outgrown);
        for (index, (_, hold)) in &mut self.holds {
            if self.draining || !self.members.should_own(own, *index, now, live) {
                hold.leave(now);
            }
        }
        self.close(now)
    }

    /// Of the shards that are given up, those in which nothing is left.
    pub(super) fn close(&mut self, now: Monotonic) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut closing = Vec::new();
        for (index, (id, hold)) in &mut self.holds {
            let Hold::Leaving(shard, since) = hold else { continue };
            let late = self.rules.hold.drain <= now.since(*since);
            if late {
                effects.extend(own(*index, *id, shard.drop_running()));
            }
            let haunted = shard.is_haunted(now);
            // A silent predecessor that has just woken says so in a moment.
            let hopes = haunted && now.since(*since) < self.rules.hold.settle * 2;
            if (shard.is_idle() && !hopes) || (late && shard.running().is_empty()) {
                closing.push((*index, *id, haunted));
            }
        }
        for (index, _, is_haunted) in &closing {
            self.holds.remove(index);
            if *is_haunted {
                // What was kept for comes to the next owner as redelivered, which must know.
                self.haunted.insert(*index, now.plus(self.rules.hold.ghost));
            }
            self.tried.insert(*index, now);
        }
        if !closing.is_empty() {
            // First the word, then the locks: the next owners know that nothing is left.
            effects.push(self.announce(now));
        }
        effects.extend(closing.into_iter().map(|(index, id, _)| Effect::Close(index, id)));
        effects
    }

    pub(super) fn claim(&mut self, now: Monotonic) -> Vec<Effect> {
        if self.draining || now < self.claim_after || self.standing(now) != Standing::Sure {
            return Vec::new();
        }
        let (own, hold) = (candidate(&self.identity, &self.outgrown), &self.rules.hold);
        // A shard that was handed over is free as soon as the word about it is out.
        let waited = |index: &ShardIndex, last: Monotonic| {
            hold.retry <= now.since(last) || self.members.is_handed_over(*index)
        };
        let free = |index: &ShardIndex| {
            !self.holds.contains_key(index)
                && self.tried.get(index).is_none_or(|last| waited(index, *last))
                && self.tried.get(index).is_none_or(|last| *last <= now)
                && !self.orphans.values().any(|shard| shard == index)
                && self.members.should_own(own, *index, now, hold.live)
        };
        let wanted: Vec<ShardIndex> =
            (0..self.identity.shards.get()).map(ShardIndex).filter(free).collect();
        let claim = |index| {
            self.last_claim += 1;
            let id = ClaimId(self.last_claim);
            self.holds.insert(index, (id, Hold::Claiming));
            self.tried.insert(index, now);
            Effect::Claim(index, id)
        };
        wanted.into_iter().map(claim).collect()
    }
}

fn candidate<'a>(identity: &'a Identity, outgrown: &'a BTreeSet<ShardIndex>) -> Candidate<'a> {
    Candidate { worker: &identity.worker, kinds: &identity.kinds, outgrown }
}
