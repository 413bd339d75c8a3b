//! What a worker hears from others, and what follows from it.

use mailfleet_model::fleet::{Announcement, Control, GroupSettings, shard_of};

use super::{Effect, Worker, own};
use crate::ownership::Freshness;
use crate::takeover::Predecessor;
use crate::time::Monotonic;

impl Worker {
    pub(super) fn heard(&mut self, control: Control, now: Monotonic) -> Vec<Effect> {
        match control {
            Control::Announce(announcement) => {
                if announcement.worker != self.identity.worker {
                    return self.announced(&announcement, now);
                }
            }
            Control::Settings(groups) => {
                groups.into_iter().for_each(|settings| self.configure(settings, now));
            }
            Control::Snapshot { zone, shard: index, default, groups, last_owner } => {
                if let (true, Some((id, hold))) =
                    (zone == self.identity.zone, self.holds.get_mut(&index))
                    && let Some(shard) = hold.shard_mut()
                {
                    let was_haunted = shard.is_haunted(now);
                    let actions = shard.snapshot(default, groups, last_owner, now);
                    let is_news = !was_haunted && shard.is_haunted(now);
                    let mut effects = own(index, *id, actions);
                    if is_news {
                        // Whoever comes next must know, also if we die at once.
                        effects.push(self.announce(now));
                    }
                    return effects;
                }
            }
            Control::Start { leg, dispatch, answer } => {
                return self.for_leg(|shard| shard.answered(leg, dispatch, answer, now));
            }
            Control::Cancel(job) => {
                let shards = self.holds.iter_mut();
                return shards
                    .filter_map(|(index, (id, hold))| {
                        let actions = hold.shard_mut()?.cancelled(job, now);
                        Some(own(*index, *id, actions))
                    })
                    .flatten()
                    .collect();
            }
            Control::Drain(worker) => self.draining |= worker == self.identity.worker,
            // What legs tell each other, and what callers and operators ask, is the process's
            // affair.
            Control::SettingsWanted { .. }
            | Control::JobsChanged { .. }
            | Control::Peer { .. }
            | Control::StepsWanted { .. }
            | Control::StateWanted { .. }
            | Control::State { .. } => {}
        }
        Vec::new()
    }

    /// Another worker says what it holds. If it holds a shard of ours no more, nothing has to be
    /// kept for it.
    fn announced(&mut self, announcement: &Announcement, now: Monotonic) -> Vec<Effect> {
        let backlog = self.backlog_until.is_some_and(|until| now < until);
        let freshness = if backlog { Freshness::Backlog } else { Freshness::Live };
        let dropped = self.members.dropped(announcement);
        self.members.hear(announcement, freshness, now);
        let mut effects = Vec::new();
        for index in dropped.into_iter().filter(|_| !backlog) {
            let before = self.members.predecessor(index, now, &self.rules.hold);
            if before == Predecessor::None
                && let Some((id, hold)) = self.holds.get_mut(&index)
                && let Some(shard) = hold.shard_mut()
            {
                effects.extend(own(index, *id, shard.woke(now)));
            }
        }
        effects
    }

    fn configure(&mut self, settings: GroupSettings, now: Monotonic) {
        let index = shard_of(&settings.group.key, self.identity.shards);
        if settings.group.zone == self.identity.zone
            && let Some((_, hold)) = self.holds.get_mut(&index)
            && let Some(shard) = hold.shard_mut()
        {
            shard.configure(settings, now);
        }
    }
}
