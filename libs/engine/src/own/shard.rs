//! A shard at its owner: which leg starts when, and what is returned.
//!
//! ```text
//! offered ─┬─ copy of what is done ───────────────> acked
//!          ├─ from a lost owner, unknown, refused ─> LEAVING ──confirmed──> acked
//!          └─> WAITING ──slot──> [ASKING ──go──>] RUNNING ──ended──> LEAVING
//!                 │                 └─drop──> acked
//!                 └─ parked too long ─────────────> LEAVING
//! ```
//! Whose turn it is over all shards of a worker stands in [`turns`].
//!
//! Whoever drives it publishes results and returns, confirmed, and says so with
//! [`Shard::confirmed`]; only then are deliveries acked.

mod ghosts;
mod state;
pub(crate) mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Delay, Dispatch, GroupKey, GroupLimits, GroupSettings, Hold, JobClass, LastOwner, LegId,
    LegKind, LoginTag, ReturnReason, Returned, StartAnswer, StartRule, StoreWait,
};
use mailfleet_model::leg::LoginOutcome;

use super::delay::Delays;
use super::group::Group;
use super::memory::Memory;
use super::offer::{Action, Ending, Offer};
use crate::rules::OwnRules;
use crate::takeover::Takeover;
use crate::time::Monotonic;
use turns::Line;

/// When a leg comes again whose password was refused a moment ago: the refusal is stored
/// by then, and dispatch closes the leg.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);
/// When a leg of an unknown kind comes again: a newer worker may own the shard by then.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(30);

/// A leg that the broker has delivered and that is not acked.
#[derive(Debug, Clone)]
struct Held {
    offer: Offer,
    stage: Stage,
    /// Deliveries of the same leg, acked together.
    tags: Vec<u64>,
    /// A later release that came meanwhile; its turn is when this one is acked.
    next: Option<Offer>,
    /// A silent predecessor may run it until then.
    ghost: Option<Monotonic>,
    /// For how long legs like it had been held back when it came.
    before: Delays,
    /// For how long the mail server has held it back in the store.
    in_store: Delays,
    /// Since when others are started before it, because its mailbox or its source is full.
    passed_over: Option<Monotonic>,
    /// What it mostly waited for, once it has its slots.
    held_by: Option<Delay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting(Monotonic),
    Asking(Monotonic),
    Running,
    /// Its socket is being closed, since its job was cancelled.
    Cancelled,
    /// Its socket is being closed, since the shard is given up.
    Dropped,
    Leaving,
}

/// A shard that this worker owns.
#[derive(Debug, Clone)]
pub struct Shard {
    rules: OwnRules,
    kinds: BTreeSet<LegKind>,
    takeover: Takeover,
    /// What holds for groups without settings of their own; `None` until a gateway told.
    default: Option<GroupLimits>,
    settings: BTreeMap<GroupKey, GroupSettings>,
    groups: BTreeMap<GroupKey, Group>,
    legs: BTreeMap<LegId, Held>,
    queues: BTreeMap<Line, VecDeque<LegId>>,
    done: Memory,
    refused: BTreeMap<(GroupKey, LoginTag), Monotonic>,
    /// Deliveries of legs that a silent predecessor may still run, by until when. They are
    /// acked only then: should this worker die before, the next owner must hear of them.
    ghosts: Vec<(Monotonic, u64)>,
    /// Legs that are asked for or run.
    started: u32,
    /// Of these, those of bulk work.
    started_bulk: u32,
}

impl Shard {
    /// A shard that was just claimed. Knows how to run these kinds.
    #[must_use]
    pub fn new(takeover: Takeover, kinds: BTreeSet<LegKind>, rules: OwnRules) -> Self {
        Self {
            rules,
            kinds,
            takeover,
            default: None,
            settings: BTreeMap::new(),
            groups: BTreeMap::new(),
            legs: BTreeMap::new(),
            queues: BTreeMap::new(),
            done: Memory::default(),
            refused: BTreeMap::new(),
            ghosts: Vec::new(),
            started: 0,
            started_bulk: 0,
        }
    }

    /// Takes a delivery. Nothing starts before the worker looks whose turn it is.
    pub fn offered(&mut self, offer: Offer, now: Monotonic) -> Vec<Action> {
        if let Some(held) = self.legs.get_mut(&offer.leg) {
            if offer.dispatch <= held.offer.dispatch {
                held.tags.push(offer.tag);
                return Vec::new();
            }
            let older = held.next.replace(offer);
            return older.map(|older| Action::Ack(older.tag)).into_iter().collect();
        }
        if self.done.knows(offer.leg, offer.dispatch) {
            return vec![Action::Ack(offer.tag)];
        }
        if offer.redelivered && self.takeover.is_undecided() {
            // In no line: nothing starts before a gateway has told of the owner before.
            self.hold(offer, Stage::Waiting(now));
            return Vec::new();
        }
        if offer.redelivered && !self.takeover.handed_over() {
            return self.give_back_redelivered(offer, now);
        }
        if !self.kinds.contains(&offer.kind) {
            return self.hold_and_return(offer, ReturnReason::UnknownKind, UNKNOWN_AGAIN);
        }
        if self.refused.contains_key(&(offer.group.clone(), offer.login)) {
            return self.hold_and_return(offer, ReturnReason::Refused, REFUSED_AGAIN);
        }
        // It may wait longer than the shard is young, and has been released before. What waited
        // at an owner that handed over has its place here, and is asked for.
        let ask = offer.redelivered || self.takeover.young(now);
        let start = if ask { StartRule::Ask } else { offer.start };
        let offer = Offer { start, ..offer };
        self.line_up(&offer);
        let group = self.groups.get(&offer.group);
        let before = group.map(|group| group.delays(offer.class, now)).unwrap_or_default();
        let in_store = in_store(&offer, group, now);
        let leg = offer.leg;
        self.hold(offer, Stage::Waiting(now));
        if let Some(held) = self.legs.get_mut(&leg) {
            (held.before, held.in_store) = (before, in_store);
        }
        Vec::new()
    }

    /// Whether its legs may start: it has settled in, and knows the groups' settings.
    #[must_use]
    pub fn may_start(&self, now: Monotonic) -> bool {
        self.default.is_some() && self.takeover.settled(now)
    }

    /// Hears whether a leg may start.
    pub fn answered(
        &mut self,
        leg: LegId,
        dispatch: Dispatch,
        answer: StartAnswer,
        now: Monotonic,
    ) -> Vec<Action> {
        let Some(held) = self.legs.get_mut(&leg) else { return Vec::new() };
        if held.offer.dispatch != dispatch || !matches!(held.stage, Stage::Asking(_)) {
            return Vec::new();
        }
        match answer {
            StartAnswer::Go => {
                held.stage = Stage::Running;
                vec![Action::Start(leg, held.offer.tag, held.held_by)]
            }
            StartAnswer::Drop => {
                self.untake(leg, now);
                self.forget(leg, now)
            }
        }
    }

    /// Hears that a leg's socket is closed. Its slot is free; the delivery stays until the
    /// result is confirmed.
    pub fn ended(&mut self, leg: LegId, ending: Ending, now: Monotonic) -> Vec<Action> {
        let Some(held) = self.legs.get_mut(&leg) else { return Vec::new() };
        let stage = held.stage;
        if !matches!(stage, Stage::Running | Stage::Cancelled | Stage::Dropped) {
            return Vec::new();
        }
        held.stage = Stage::Leaving;
        let offer = held.offer.clone();
        self.count_out(offer.class);
        if let Some(group) = self.groups.get_mut(&offer.group) {
            group.ended(&offer, ending, now, &self.rules);
        }
        if stage == Stage::Cancelled {
            return self.forget(leg, now);
        }
        if stage == Stage::Dropped {
            // Not acked: the next owner has it redelivered.
            self.legs.remove(&leg);
            return Vec::new();
        }
        if ending.login != LoginOutcome::RefusedDefinitively {
            return Vec::new();
        }
        self.refused.insert((offer.group.clone(), offer.login), now);
        let same = |held: &Held| {
            matches!(held.stage, Stage::Waiting(_))
                && held.offer.login == offer.login
                && held.offer.group == offer.group
        };
        let waiting = self.legs.iter().filter(|(_, held)| same(held));
        let waiting: Vec<LegId> = waiting.map(|(leg, _)| *leg).collect();
        let back = |leg| self.give_back(leg, ReturnReason::Refused, REFUSED_AGAIN);
        waiting.into_iter().flat_map(back).collect()
    }

    /// Hears that the result or the return of a leg is confirmed.
    pub fn confirmed(&mut self, leg: LegId, dispatch: Dispatch, now: Monotonic) -> Vec<Action> {
        let known = self.legs.get(&leg);
        if known.is_some_and(|h| h.stage == Stage::Leaving && h.offer.dispatch == dispatch) {
            self.forget(leg, now)
        } else {
            Vec::new()
        }
    }

    /// Hears that a job was cancelled.
    pub fn cancelled(&mut self, job: JobId, now: Monotonic) -> Vec<Action> {
        let legs = LegId { job, index: 0 }..=LegId { job, index: u8::MAX };
        let legs: Vec<(LegId, Stage)> =
            self.legs.range(legs).map(|(leg, held)| (*leg, held.stage)).collect();
        let end = |(leg, stage)| match stage {
            Stage::Waiting(_) => self.forget(leg, now),
            Stage::Running => self.abort(leg, Stage::Cancelled),
            // The store's answer will be to drop it.
            Stage::Asking(_) => Vec::new(),
            Stage::Cancelled | Stage::Dropped | Stage::Leaving => Vec::new(),
        };
        legs.into_iter().flat_map(end).collect()
    }

    /// Takes the snapshot over that a gateway sent after the claim, with what it has heard of
    /// the owner before.
    pub fn snapshot(
        &mut self,
        default: GroupLimits,
        groups: Vec<GroupSettings>,
        last_owner: Option<LastOwner>,
        now: Monotonic,
    ) -> Vec<Action> {
        self.default = Some(default);
        for settings in groups {
            self.configure(settings, now);
        }
        for (key, group) in &mut self.groups {
            if !self.settings.contains_key(key) {
                group.resize(default, false, 0, now, &self.rules);
            }
        }
        self.learn(last_owner, now)
    }

    /// Takes newer settings of one group over.
    pub fn configure(&mut self, settings: GroupSettings, now: Monotonic) {
        let key = settings.group.key.clone();
        if self.settings.get(&key).is_some_and(|known| settings.version < known.version) {
            return;
        }
        if let Some(group) = self.groups.get_mut(&key) {
            let GroupSettings { limits, paused, version, .. } = settings;
            group.resize(limits, paused, version, now, &self.rules);
        }
        self.settings.insert(key, settings);
    }

    /// Returns what has waited too long. To be called once a second.
    pub fn tick(&mut self, now: Monotonic) -> Vec<Action> {
        let late = |held: &Held| match held.stage {
            Stage::Waiting(since) => self.rules.park <= now.since(since),
            Stage::Asking(since) => self.rules.answer <= now.since(since),
            Stage::Running | Stage::Cancelled | Stage::Dropped | Stage::Leaving => false,
        };
        let late: Vec<(LegId, Stage)> = self
            .legs
            .iter()
            .filter(|(_, held)| late(held))
            .map(|(leg, held)| (*leg, held.stage))
            .collect();
        let mut actions = Vec::new();
        for (leg, stage) in late {
            let (reason, after) = self.why(leg, stage, now);
            if matches!(stage, Stage::Asking(_)) {
                self.untake(leg, now);
            }
            actions.extend(self.give_back(leg, reason, after));
        }
        let gone = self.ghosts.iter().filter(|(until, _)| *until <= now);
        actions.extend(gone.map(|(_, tag)| Action::Ack(*tag)));
        self.ghosts.retain(|(until, _)| now < *until);
        let keep = self.rules.memory;
        self.done.tidy(now, keep);
        self.refused.retain(|_, noted| now.since(*noted) < keep);
        let settings = &self.settings;
        let legs = &self.legs;
        self.groups.retain(|key, group| {
            !group.tidy(now, &self.rules)
                || settings.contains_key(key)
                || legs.values().any(|held| held.offer.group == *key)
        });
        actions
    }

    /// The release of a leg that it holds.
    #[must_use]
    pub fn dispatch_of(&self, leg: LegId) -> Option<Dispatch> {
        self.legs.get(&leg).map(|held| held.offer.dispatch)
    }

    /// Legs that are asked for or run: slots of the worker.
    #[must_use]
    pub fn started(&self) -> u32 {
        self.started
    }

    /// Of these, those of bulk work.
    #[must_use]
    pub fn started_bulk(&self) -> u32 {
        self.started_bulk
    }

    /// Whether nothing runs and every result is confirmed: it can be given up at no cost.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.legs.values().all(|held| matches!(held.stage, Stage::Waiting(_)))
    }

    /// The legs whose sockets are open.
    #[must_use]
    pub fn running(&self) -> Vec<LegId> {
        let open =
            |held: &Held| matches!(held.stage, Stage::Running | Stage::Cancelled | Stage::Dropped);
        self.legs.iter().filter(|(_, held)| open(held)).map(|(leg, _)| *leg).collect()
    }

    /// Ends what runs without a result: the next owner has it redelivered.
    pub fn drop_running(&mut self) -> Vec<Action> {
        let running = self.legs.iter().filter(|(_, held)| held.stage == Stage::Running);
        let running: Vec<LegId> = running.map(|(leg, _)| *leg).collect();
        running.into_iter().flat_map(|leg| self.abort(leg, Stage::Dropped)).collect()
    }

    /// Whether a worker still waits for the settings.
    #[must_use]
    pub fn wants_settings(&self) -> bool {
        self.default.is_none()
    }

    fn give_back_redelivered(&mut self, offer: Offer, now: Monotonic) -> Vec<Action> {
        let (leg, ghost) = (offer.leg, self.takeover.ghost(now));
        if let Some(until) = ghost {
            self.group(&offer.group, now).haunt(&offer, until);
        }
        let actions = self.hold_and_return(offer, ReturnReason::Redelivered, Duration::ZERO);
        if let Some(held) = self.legs.get_mut(&leg) {
            held.ghost = ghost;
        }
        actions
    }

    fn hold(&mut self, offer: Offer, stage: Stage) {
        let (leg, tags) = (offer.leg, vec![offer.tag]);
        let (next, ghost, passed_over, held_by) = (None, None, None, None);
        let (before, in_store) = Default::default();
        let held = Held { offer, stage, tags, next, ghost, before, in_store, passed_over, held_by };
        self.legs.insert(leg, held);
    }

    fn hold_and_return(
        &mut self,
        offer: Offer,
        reason: ReturnReason,
        after: Duration,
    ) -> Vec<Action> {
        let (leg, dispatch) = (offer.leg, offer.dispatch);
        self.hold(offer, Stage::Leaving);
        vec![Action::Return(leg, dispatch, Returned { reason, after })]
    }

    fn give_back(&mut self, leg: LegId, reason: ReturnReason, after: Duration) -> Vec<Action> {
        let Some(held) = self.legs.get_mut(&leg) else { return Vec::new() };
        held.stage = Stage::Leaving;
        vec![Action::Return(leg, held.offer.dispatch, Returned { reason, after })]
    }

    /// Acks all that there is of a leg, and takes up its next release.
    fn forget(&mut self, leg: LegId, now: Monotonic) -> Vec<Action> {
        let Some(held) = self.legs.remove(&leg) else { return Vec::new() };
        self.done.note(leg, held.offer.dispatch, now);
        let mut actions = match held.ghost {
            Some(until) => {
                self.ghosts.extend(held.tags.into_iter().map(|tag| (until, tag)));
                Vec::new()
            }
            None => held.tags.into_iter().map(Action::Ack).collect(),
        };
        if let Some(next) = held.next {
            actions.extend(self.offered(next, now));
        }
        actions
    }

    fn abort(&mut self, leg: LegId, stage: Stage) -> Vec<Action> {
        if let Some(held) = self.legs.get_mut(&leg) {
            held.stage = stage;
        }
        vec![Action::Abort(leg)]
    }

    fn untake(&mut self, leg: LegId, now: Monotonic) {
        let Some(held) = self.legs.get(&leg) else { return };
        let class = held.offer.class;
        if let Some(group) = self.groups.get_mut(&held.offer.group) {
            group.untake(&held.offer, now, &self.rules);
        }
        self.count_out(class);
    }

    fn count_out(&mut self, class: JobClass) {
        self.started = self.started.saturating_sub(1);
        let bulk = u32::from(class.is_bulk());
        self.started_bulk = self.started_bulk.saturating_sub(bulk);
    }

    fn why(&self, leg: LegId, stage: Stage, now: Monotonic) -> (ReturnReason, Duration) {
        let group = self.legs.get(&leg).and_then(|held| self.groups.get(&held.offer.group));
        match (stage, group) {
            (Stage::Asking(_), _) => (ReturnReason::Unanswered, REFUSED_AGAIN),
            (_, Some(group)) => group.why(now),
            (_, None) => (ReturnReason::Busy, REFUSED_AGAIN),
        }
    }

    fn group(&mut self, key: &GroupKey, now: Monotonic) -> &mut Group {
        let settings = self.settings.get(key);
        let limits = self.default.unwrap_or(SMALLEST);
        self.groups.entry(key.clone()).or_insert_with(|| made(settings, limits, now, &self.rules))
    }
}

/// What a group has before its settings are known; nothing starts by it.
const SMALLEST: GroupLimits =
    GroupLimits { concurrency: std::num::NonZeroU32::MIN, per_source: None, rate: None };

/// For how long a leg was held back in the store. A pause is what it is; a full window is the
/// mail server's as far as legs like it were held back here meanwhile. What was with another owner
/// then counts for nothing.
fn in_store(offer: &Offer, group: Option<&Group>, now: Monotonic) -> Delays {
    let StoreWait { window, paused, .. } = offer.waited;
    let mut delays = Delays::default();
    if let Some(group) = group.filter(|_| !window.is_zero()) {
        delays = group.delays_of(offer.class, window, now);
    }
    delays.add(Hold::Paused, paused);
    delays
}

fn made(
    settings: Option<&GroupSettings>,
    default: GroupLimits,
    now: Monotonic,
    rules: &OwnRules,
) -> Group {
    let mut group = Group::new(settings.map_or(default, |settings| settings.limits), now);
    if let Some(settings) = settings {
        group.resize(settings.limits, settings.paused, settings.version, now, rules);
    }
    group
}

#[cfg(test)]
mod tests;
