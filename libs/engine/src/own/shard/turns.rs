//! Whose turn it is when a slot of the worker is free.
//!
//! Over all shards alike: who waits for somebody goes first, then who has waited longest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mailfleet_model::fleet::{
    Delay, GroupKey, Hold, JobClass, LegId, ReturnReason, ShardIndex, StartRule,
};

use super::{Shard, Stage, made};
use crate::own::delay::Delays;
use crate::own::{Action, Offer};
use crate::time::Monotonic;

/// Legs of one group that have their turn one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    group: GroupKey,
    class: JobClass,
}

/// When the first leg of a line has its turn: the least goes first.
type Turn = (u8, Monotonic);

/// Slots of a worker that are free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// For all legs.
    pub(crate) all: u32,
    /// Of these, for bulk work.
    pub(crate) bulk: u32,
}

/// Starts what may start, at most `room` legs of all shards, in the order of their turns.
pub(crate) fn start(
    shards: &mut [(ShardIndex, &mut Shard)],
    mut room: Room,
    now: Monotonic,
) -> Vec<(ShardIndex, Action)> {
    let mut started = Vec::new();
    if room.all == 0 {
        return started;
    }
    let mut lines: BinaryHeap<Reverse<(Turn, usize, Line)>> = BinaryHeap::new();
    for (place, (_, shard)) in shards.iter_mut().enumerate() {
        shard.queues.retain(|_, queue| !queue.is_empty());
        lines.extend(shard.lines(now).map(|(turn, line)| Reverse((turn, place, line))));
    }
    while 0 < room.all
        && let Some(Reverse((_, place, line))) = lines.pop()
    {
        let is_bulk = line.class.is_bulk();
        if is_bulk && room.bulk == 0 {
            continue;
        }
        let Some((index, shard)) = shards.get_mut(place) else { continue };
        // A line that nothing of can start leaves the heap: a slot is freed by an event.
        let Some(action) = shard.start_one(&line, now) else { continue };
        lines.extend(shard.turn(&line).map(|turn| Reverse((turn, place, line))));
        started.push((*index, action));
        room.all -= 1;
        room.bulk -= u32::from(is_bulk);
    }
    started
}

impl Shard {
    /// Puts a leg into its line, behind those that have waited longer.
    pub(super) fn line_up(&mut self, offer: &Offer) {
        let line = line_of(offer);
        let since = |leg: &LegId| self.legs.get(leg).and_then(|held| held.waits_since());
        let ours = since(&offer.leg);
        let queue = self.queues.entry(line).or_default();
        // One that was just delivered has waited for the shortest time of all.
        let place = match ours {
            Some(ours) => queue.partition_point(|leg| since(leg).is_none_or(|other| other <= ours)),
            None => queue.len(),
        };
        queue.insert(place, offer.leg);
    }

    /// The lines of groups that have a free slot, as far as that can be told at once.
    fn lines(&self, now: Monotonic) -> impl Iterator<Item = (Turn, Line)> {
        let may_start = self.may_start(now);
        let lines = self.queues.keys().filter(move |_| may_start);
        let open = move |line: &&Line| {
            let group = self.groups.get(&line.group);
            group.is_none_or(|group| group.has_room(line.class, now, &self.rules))
        };
        lines.filter(open).filter_map(|line| Some((self.turn(line)?, line.clone())))
    }

    /// The turn of the first leg of a line that waits.
    fn turn(&self, line: &Line) -> Option<Turn> {
        let queue = self.queues.get(line)?;
        let since = queue.iter().find_map(|leg| self.legs.get(leg)?.waits_since())?;
        let rank = match line.class {
            JobClass::Interactive => 0,
            JobClass::Revalidation => 1,
            JobClass::Sync => 2,
        };
        Some((rank, since))
    }

    fn start_one(&mut self, line: &Line, now: Monotonic) -> Option<Action> {
        let (default, rules) = (self.default?, &self.rules);
        let queue = self.queues.get_mut(line)?;
        let settings = self.settings.get(&line.group);
        let group = self.groups.entry(line.group.clone());
        let group = group.or_insert_with(|| made(settings, default, now, rules));
        let mut place = 0;
        let leg = loop {
            let leg = *queue.get(place)?;
            // What was returned or cancelled meanwhile leaves its place here.
            let waits = |held: &&mut super::Held| matches!(held.stage, Stage::Waiting(_));
            let Some(held) = self.legs.get_mut(&leg).filter(waits) else {
                queue.remove(place);
                continue;
            };
            match group.take(&held.offer, now, rules) {
                Ok(()) => break leg,
                Err((ReturnReason::Busy, _)) if !group.has_room(line.class, now, rules) => {
                    return None;
                }
                // Another leg may be of a mailbox or source that has room.
                Err((ReturnReason::Busy, _)) => {
                    held.passed_over.get_or_insert(now);
                    place += 1;
                }
                Err(_) => return None,
            }
        };
        queue.remove(place);
        self.started += 1;
        self.started_bulk += u32::from(line.class.is_bulk());
        let delays = group.delays(line.class, now);
        let held = self.legs.get_mut(&leg)?;
        held.held_by = held.cause(delays, now);
        let (stage, action) = match held.offer.start {
            StartRule::Ask => {
                let Offer { dispatch, redelivered, .. } = held.offer;
                (Stage::Asking(now), Action::Ask { leg, dispatch, redelivered })
            }
            StartRule::Free => (Stage::Running, Action::Start(leg, held.offer.tag, held.held_by)),
        };
        held.stage = stage;
        Some(action)
    }
}

impl super::Held {
    /// What it has mostly waited for, by its group's times.
    fn cause(&self, delays: Delays, now: Monotonic) -> Option<Delay> {
        let since = self.waits_since()?;
        let mut delays = delays.since(self.before).plus(self.in_store);
        if let Some(passed_over) = self.passed_over {
            delays.add(Hold::Sessions, now.since(passed_over));
        }
        delays.cause(now.since(since).saturating_add(self.offer.waited.whole))
    }

    fn waits_since(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::Waiting(since) => Some(since),
            Stage::Asking(_)
            | Stage::Running
            | Stage::Cancelled
            | Stage::Dropped
            | Stage::Leaving => None,
        }
    }
}

fn line_of(offer: &Offer) -> Line {
    Line { group: offer.group.clone(), class: offer.class }
}
