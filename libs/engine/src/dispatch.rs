//! Dispatch: which of a group's waiting legs go to the broker next.
//!
//! The window keeps the broker's queues short, so that order is decided here, late, where
//! it can still be changed: an interactive leg never waits behind a thousand others. What
//! a call costs depends on the bounds of its view, not on how many legs wait.
//!
//! Tenants take turns by start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a leg
//! moves its lane on by a turn divided by the tenant's weight, and the lane that is least far
//! goes next. A lane that was empty comes in at most one turn behind the others, so that being
//! away saves nothing up.

mod held;

use std::collections::BTreeMap;
use std::time::Duration;

use mailfleet_model::fleet::{
    Gate, GroupHolds, GroupId, GroupSettings, GroupView, JobClass, JobDraft, Lane, OutCount,
    Release, Served, SubmitView, Timestamp,
};

use crate::budget::{Try, may_try};
use crate::rules::{DispatchRules, reserve};

/// Legs of a group that may be out: enough that a slot that becomes free finds its next
/// leg already at the owner.
#[must_use]
pub fn window(limit: u32) -> u32 {
    limit.saturating_add(limit.div_ceil(2))
}

/// How far a leg moves the lane of a tenant with the weight 1. Large enough that weights divide
/// it well, small enough that no lane ever comes to the end of its numbers.
const TURN: u64 = 10_000;

/// Chooses the legs to release, and those that must not run any more.
#[must_use]
pub fn release(view: &GroupView, rules: &DispatchRules) -> Release {
    let mut release = Release::default();
    if view.settings.paused {
        return Release { holds: held::paused(view, rules), ..release };
    }
    let Some(limits) = rules.shares.part(&view.settings.limits, &view.settings.group.zone) else {
        return shut_out(view);
    };
    let mut room = Room::of(view, limits.concurrency.get(), rules);
    let mut lanes = turns(view, rules);
    while let Some(index) = next(&lanes, &room, rules) {
        let Some(turn) = lanes.get_mut(index) else { break };
        let Some(leg) = turn.lane.legs.get(turn.taken) else { break };
        turn.taken += 1;
        match may_try(leg.budget, turn.lane.class, view.now, rules) {
            Try::Allowed => {
                release.legs.push(leg.id);
                release.waits.insert(leg.id, held::wait(view, turn.lane.class, leg.since, rules));
                room.take(turn.lane.class);
                turn.served = turn.served.saturating_add(turn.step);
            }
            Try::NotBefore(_) | Try::NotByItself => release.refused.push(leg.id),
        }
    }
    let moved = lanes.iter().filter(|turn| turn.taken > 0);
    release.turns = moved.map(Turn::told).collect();
    release.holds = held::by_window(view, &room.group, rules);
    release.more = lanes.iter().any(|turn| turn.may_hide_more(view) && room.has(turn.lane.class));
    release
}

/// The legs of a job that may go out with its admission, by their places in the draft: where
/// nobody waits, nothing holds the group back, and a place is left when they are out.
///
/// Nobody is passed over by them, so their lane is not moved on: it would be no more than a turn
/// behind the others anyway. And since a place is left, no wait for the window begins with them.
#[must_use]
pub fn at_once(view: &SubmitView, draft: &JobDraft, rules: &DispatchRules) -> Vec<u8> {
    // A batch may be paused.
    if draft.batch.is_some() {
        return Vec::new();
    }
    let calm = view.calm.iter().filter_map(|group| {
        let GroupSettings { group: id, limits, paused, .. } = &group.settings;
        let is_held = *paused || group.holds != GroupHolds::default() || !group.lanes.is_empty();
        let part = rules.shares.part(limits, &id.zone).filter(|_| !is_held)?;
        Some((id, Room::of(group, part.concurrency.get(), rules)))
    });
    let mut rooms: BTreeMap<&GroupId, Room> = calm.collect();
    let mut at_once = Vec::new();
    for (index, leg) in (0..).zip(&draft.legs) {
        let Some(room) = rooms.get_mut(&leg.group).filter(|_| leg.gate == Gate::Open) else {
            continue;
        };
        room.take(draft.class);
        // Others may share the shard.
        let n_legs = u32::try_from(draft.legs.len()).unwrap_or(u32::MAX);
        if room.group.has(JobClass::Sync) && n_legs <= room.shard.bulk {
            at_once.push(index);
        }
    }
    at_once
}

/// The zone may start nothing at this mail server: whatever waits is told so.
fn shut_out(view: &GroupView) -> Release {
    let ids = |lane: &Lane| lane.legs.iter().map(|leg| leg.id).collect::<Vec<_>>();
    Release {
        shut_out: view.lanes.iter().flat_map(ids).collect(),
        more: view.lanes.iter().map(all_taken).any(|turn| turn.may_hide_more(view)),
        ..Release::default()
    }
}

/// The lane whose head goes next: the class that is due first, in it the tenant that is least
/// far, and among equals the one that was served longest ago.
fn next(lanes: &[Turn<'_>], room: &Room, rules: &DispatchRules) -> Option<usize> {
    let open = |turn: &&Turn<'_>| room.has(turn.lane.class) && turn.head().is_some();
    let due = |turn: &Turn<'_>| turn.head().map(|since| since.plus(handicap(turn, rules)));
    let class = lanes
        .iter()
        .filter(open)
        .min_by_key(|turn| (due(turn), turn.lane.class))
        .map(|turn| turn.lane.class)?;
    lanes
        .iter()
        .enumerate()
        .filter(|(_, turn)| open(turn) && turn.lane.class == class)
        .min_by_key(|(_, turn)| (turn.served, turn.lane.served, &turn.lane.tenant))
        .map(|(index, _)| index)
}

fn handicap(turn: &Turn<'_>, rules: &DispatchRules) -> Duration {
    match turn.lane.class {
        JobClass::Interactive => Duration::ZERO,
        JobClass::Revalidation => rules.revalidation_handicap,
        JobClass::Sync => rules.sync_handicap,
    }
}

/// A lane while legs are taken from it.
struct Turn<'a> {
    lane: &'a Lane,
    taken: usize,
    served: u64,
    /// How far a leg moves it.
    step: u64,
}

/// The lanes, none more than a turn behind the others of its class.
fn turns<'a>(view: &'a GroupView, rules: &DispatchRules) -> Vec<Turn<'a>> {
    let mut far: BTreeMap<JobClass, u64> = BTreeMap::new();
    for lane in &view.lanes {
        let far = far.entry(lane.class).or_default();
        *far = lane.served.max(*far);
    }
    let turn = |lane: &'a Lane| {
        let far = far.get(&lane.class).copied().unwrap_or_default();
        let weight = rules.weights.get(&lane.tenant).map_or(1, |weight| weight.get());
        let served = lane.served.max(far.saturating_sub(TURN));
        Turn { lane, taken: 0, served, step: TURN.div_ceil(u64::from(weight)) }
    };
    view.lanes.iter().map(turn).collect()
}

/// A lane of which nothing is left.
fn all_taken(lane: &Lane) -> Turn<'_> {
    Turn { lane, taken: lane.legs.len(), served: lane.served, step: 0 }
}

impl Turn<'_> {
    fn told(&self) -> Served {
        let Lane { tenant, class, .. } = self.lane;
        Served { class: *class, tenant: tenant.clone(), served: self.served }
    }

    fn head(&self) -> Option<Timestamp> {
        self.lane.legs.get(self.taken).map(|leg| leg.since)
    }

    /// Whether the view's bounds may have cut off legs that could go now.
    fn may_hide_more(&self, view: &GroupView) -> bool {
        let same = view.lanes.iter().filter(|lane| lane.class == self.lane.class).count();
        self.head().is_none()
            && (GroupView::LEGS <= self.lane.legs.len() || GroupView::LANES <= same)
    }
}

/// The places that are left, in the group's window and in the shard.
struct Room {
    group: Places,
    shard: Places,
}

struct Places {
    all: u32,
    bulk: u32,
}

impl Places {
    fn left(places: u32, kept: u32, out: OutCount) -> Self {
        let all = places.saturating_sub(out.interactive.saturating_add(out.bulk));
        let bulk = places.saturating_sub(kept).saturating_sub(out.bulk).min(all);
        Self { all, bulk }
    }

    fn take(&mut self, class: JobClass) {
        self.all = self.all.saturating_sub(1);
        self.bulk = if class.is_bulk() { self.bulk.saturating_sub(1) } else { self.bulk };
        self.bulk = self.bulk.min(self.all);
    }

    fn has(&self, class: JobClass) -> bool {
        0 < if class.is_bulk() { self.bulk } else { self.all }
    }
}

impl Room {
    /// `limit`: the zone's part of the group's limit.
    fn of(view: &GroupView, limit: u32, rules: &DispatchRules) -> Self {
        let kept = |places| reserve(places, rules.reserve_one_in);
        Self {
            group: Places::left(window(limit), kept(limit), view.out),
            shard: Places::left(rules.shard_cap, kept(rules.shard_cap), view.shard_out),
        }
    }

    fn take(&mut self, class: JobClass) {
        self.group.take(class);
        self.shard.take(class);
    }

    fn has(&self, class: JobClass) -> bool {
        self.group.has(class) && self.shard.has(class)
    }
}

#[cfg(test)]
mod tests;
