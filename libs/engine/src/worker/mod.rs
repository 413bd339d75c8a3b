//! A worker: holds shards as long as it may, and runs their legs.
//!
//! Puts `ownership`, `fence`, `takeover` and `own` together, so that the process around it
//! only connects, publishes and dials. Events go in with the time, effects come out; an
//! effect that fails comes back as an event or not at all, and a tick four times a second
//! repeats what still matters. Effects are carried out in their order.
//!
//! ```text
//!           Claim ──Ours──> HELD ──not ours any more, or drain──> LEAVING ──idle──> Close
//!  (none) ────┘ └─Held──> (none)                                     └─30 s─> abort ─┘
//!           any of them ──connection lost, stream ended, fence──> sockets aborted, (none)
//! ```

mod event;
mod heard;
mod hold;
mod owning;
mod pace;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use mailfleet_model::fleet::{
    Announcement, Control, Dispatch, LegId, LegKind, ShardIndex, WorkerId, ZoneName,
};

use crate::fence::{Fence, Standing};
use crate::own::turns::{self, Room};
use crate::own::{Action, Ending, Offer, Shard};
use crate::ownership::Members;
use crate::rules::{HoldRules, Rules, reserve};
use crate::takeover::Takeover;
use crate::time::Monotonic;

use hold::Hold;
use pace::Pace;

pub use event::{Claim, ClaimId, Effect, Event};
pub use state::Load;

/// What a worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its id, new at every start.
    pub worker: WorkerId,
    /// Its zone.
    pub zone: ZoneName,
    /// K: shards of the zone.
    pub shards: NonZeroU16,
    /// Legs at once.
    pub capacity: u32,
    /// Kinds of legs that it can run.
    pub kinds: BTreeSet<LegKind>,
    /// The version of its program.
    pub version: String,
}

/// The consuming connection.
#[derive(Debug, Clone)]
enum Link {
    /// Being opened, since then.
    Opening(Monotonic),
    Up(Fence),
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Worker {
    identity: Identity,
    rules: Rules,
    members: Members,
    link: Link,
    /// Before this nothing is claimed.
    claim_after: Monotonic,
    holds: BTreeMap<ShardIndex, (ClaimId, Hold)>,
    tried: BTreeMap<ShardIndex, Monotonic>,
    /// Legs of lost claims whose sockets are not yet closed.
    orphans: BTreeMap<LegId, ShardIndex>,
    /// Shards that were lost a moment ago, by until when they are still announced.
    lost: BTreeMap<ShardIndex, Monotonic>,
    /// Shards that were given up or lost while slots were kept for a silent predecessor, by
    /// until when that is told.
    haunted: BTreeMap<ShardIndex, Monotonic>,
    /// Shards in which it got legs of kinds that it does not run.
    outgrown: BTreeSet<ShardIndex>,
    announced: Option<Monotonic>,
    /// Whether the others were told that it only listens yet.
    listens: bool,
    /// When it last held a shard.
    held: Option<Monotonic>,
    ticked: Monotonic,
    /// When the last event came: a long gap is a time in which this worker was frozen.
    awake: Monotonic,
    /// Until when what is heard may have waited for this worker to wake up.
    backlog_until: Option<Monotonic>,
    last_claim: u64,
    /// Whether it has been able to start what its shards hold, or there was none for it.
    has_begun: bool,
    draining: bool,
    pace: Pace,
}

impl Worker {
    /// A worker that begins to connect. The first effect comes with the first event.
    #[must_use]
    pub fn new(identity: Identity, rules: Rules, now: Monotonic) -> Self {
        let kept = reserve(identity.capacity, rules.own.reserve_one_in);
        let mut members = Members::new(identity.zone.clone(), &rules.hold);
        members.listen(now);
        Self {
            pace: Pace::new(rules.pace.clone(), identity.capacity.saturating_sub(kept)),
            members,
            identity,
            link: Link::Opening(now),
            claim_after: now.plus(rules.hold.warm_up),
            rules,
            holds: BTreeMap::new(),
            tried: BTreeMap::new(),
            orphans: BTreeMap::new(),
            lost: BTreeMap::new(),
            haunted: BTreeMap::new(),
            outgrown: BTreeSet::new(),
            announced: None,
            listens: true,
            held: None,
            ticked: now,
            awake: now,
            backlog_until: None,
            last_claim: 0,
            has_begun: false,
            draining: false,
        }
    }

    /// Takes an event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Monotonic) -> Vec<Effect> {
        // A worker that was frozen learns here that its locks are gone, before anything.
        self.notice_gap(now);
        let mut effects = self.check_fence(now);
        effects.extend(match event {
            Event::Tick(late) => {
                let bulk = self.bulk();
                self.pace.ticked(late, bulk);
                self.tick(now)
            }
            Event::Connected => self.connected(now),
            Event::ConnectionLost => self.lose_all(now),
            Event::Probed => {
                if let Link::Up(fence) = &mut self.link {
                    fence.answered();
                }
                Vec::new()
            }
            Event::Claimed(shard, id, claim) => self.claimed(shard, id, claim, now),
            Event::ClaimLost(shard, id) => self.claim_lost(shard, id, now),
            Event::Delivered(shard, id, offer) => self.delivered(shard, id, offer, now),
            Event::Heard(control) => self.heard(control, now),
            Event::Ended(leg, ending) => self.ended(leg, ending, now),
            Event::Confirmed(leg, dispatch) => {
                let mut effects = self.for_leg(|shard| shard.confirmed(leg, dispatch, now));
                effects.extend(self.close(now));
                effects
            }
            Event::Drain => {
                self.draining = true;
                self.give_up(now)
            }
        });
        effects.extend(self.start(now));
        effects
    }

    /// Whether a draining worker has nothing left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.draining && self.holds.is_empty() && self.orphans.is_empty()
    }

    /// Whether it may start legs: what readiness tells.
    #[must_use]
    pub fn standing(&self, now: Monotonic) -> Standing {
        match &self.link {
            Link::Up(fence) => fence.standing(now),
            Link::Opening(_) => Standing::Lost,
        }
    }

    /// When all sockets have to be closed, as far as is known now.
    #[must_use]
    pub fn abort_at(&self) -> Option<Monotonic> {
        match &self.link {
            Link::Up(fence) => Some(fence.abort_at()),
            Link::Opening(_) => None,
        }
    }

    /// The shards that it holds, to be shown.
    pub fn shards(&self) -> impl Iterator<Item = (ShardIndex, &Shard)> {
        self.holds.iter().filter_map(|(index, (_, hold))| hold.shard().map(|s| (*index, s)))
    }

    /// The release of a leg that it holds.
    #[must_use]
    pub fn dispatch_of(&self, leg: LegId) -> Option<Dispatch> {
        self.shards().find_map(|(_, shard)| shard.dispatch_of(leg))
    }

    /// A worker that was frozen has a picture of the others that is as old as its sleep,
    /// and gets their words of all that time at once: it listens anew before it claims.
    fn notice_gap(&mut self, now: Monotonic) {
        if self.rules.hold.announce < now.since(self.awake) {
            self.backlog_until = Some(now.plus(self.rules.hold.announce));
            self.claim_after = self.claim_after.max(now.plus(self.rules.hold.warm_up));
        }
        self.awake = now;
    }

    fn check_fence(&mut self, now: Monotonic) -> Vec<Effect> {
        let lost = matches!(&self.link, Link::Up(fence) if fence.standing(now) == Standing::Lost);
        if lost { self.lose_all(now) } else { Vec::new() }
    }

    /// The locks are gone: every socket is closed at once, and the connection is made anew.
    fn lose_all(&mut self, now: Monotonic) -> Vec<Effect> {
        self.members.deaf(now);
        if matches!(self.link, Link::Opening(_)) {
            self.link = Link::Opening(now);
            return vec![Effect::Disconnect, Effect::Connect];
        }
        let shards: Vec<ShardIndex> = self.holds.keys().copied().collect();
        let mut effects: Vec<Effect> =
            shards.into_iter().flat_map(|shard| self.lose(shard, now)).collect();
        self.link = Link::Opening(now);
        self.claim_after = self.claim_after.max(now.plus(self.rules.hold.settle));
        effects.extend([Effect::Disconnect, Effect::Connect]);
        effects
    }

    fn lose(&mut self, shard: ShardIndex, now: Monotonic) -> Vec<Effect> {
        let Some((id, hold)) = self.holds.remove(&shard) else { return Vec::new() };
        let running = hold.shard().map(Shard::running).unwrap_or_default();
        // What was only claimed was never ours: to list it would tell that its owner had ended.
        if hold.shard().is_some() {
            self.lost.insert(shard, now.plus(self.rules.hold.settle));
        }
        if hold.shard().is_some_and(|shard| shard.is_haunted(now)) {
            self.haunted.insert(shard, now.plus(self.rules.hold.ghost));
        }
        // Sockets of a silent owner before this one may be open yet.
        if hold.shard().is_some_and(|shard| !shard.may_be_haunted(now)) {
            self.members.lose(shard, now);
        }
        self.tried.insert(shard, now.plus(self.rules.hold.settle));
        self.orphans.extend(running.iter().map(|leg| (*leg, shard)));
        running.into_iter().map(|leg| Effect::Own(shard, id, Action::Abort(leg))).collect()
    }

    fn connected(&mut self, now: Monotonic) -> Vec<Effect> {
        if let Link::Opening(since) = self.link {
            // The broker has heard of us at the end of the opening, not at its beginning;
            // the beginning is the side to err on.
            let opened = since.max(Monotonic(now.0.saturating_sub(self.rules.hold.heartbeat / 2)));
            self.link = Link::Up(Fence::new(opened, self.rules.hold.clone()));
            // The others may have been away as well: it listens before it takes their shards.
            if self.members.was_deaf() {
                self.members.listen(now);
                self.claim_after = self.claim_after.max(now.plus(self.rules.hold.warm_up));
            }
        }
        Vec::new()
    }

    fn claimed(
        &mut self,
        index: ShardIndex,
        id: ClaimId,
        claim: Claim,
        now: Monotonic,
    ) -> Vec<Effect> {
        let ours = self.holds.get(&index).is_some_and(|(known, _)| *known == id);
        match claim {
            Claim::Ours if ours => {
                let (hold, own) = (&self.rules.hold, &self.rules.own);
                let takeover = Takeover::begin(&self.members, index, now, hold, own);
                let kinds = self.identity.kinds.clone();
                let shard = Shard::new(takeover, kinds, self.rules.own.clone());
                self.holds.insert(index, (id, Hold::Held(Box::new(shard))));
                // Said before anything starts: whoever comes next must know of us.
                vec![self.announce(now), self.want_settings(index)]
            }
            // The connection was lost while the claim was under way.
            Claim::Ours => vec![Effect::Close(index, id)],
            Claim::Refused => {
                if ours {
                    self.holds.remove(&index);
                }
                Vec::new()
            }
        }
    }

    /// One stream has ended: that shard is lost, whatever the connection says.
    fn claim_lost(&mut self, index: ShardIndex, id: ClaimId, now: Monotonic) -> Vec<Effect> {
        if self.holds.get(&index).is_none_or(|(known, _)| *known != id) {
            return Vec::new();
        }
        let mut effects = self.lose(index, now);
        effects.push(Effect::Close(index, id));
        effects
    }

    fn delivered(
        &mut self,
        index: ShardIndex,
        id: ClaimId,
        offer: Offer,
        now: Monotonic,
    ) -> Vec<Effect> {
        // A delivery of an earlier claim cannot be acked any more: it comes again.
        if self.holds.get(&index).is_none_or(|(known, _)| *known != id) {
            return Vec::new();
        }
        let kind = offer.kind.clone();
        let Some((_, hold)) = self.holds.get_mut(&index) else { return Vec::new() };
        let actions = hold.shard_mut().map(|shard| shard.offered(offer, now));
        let mut actions = actions.unwrap_or_default();
        let told = self.outgrow(index, &kind, &mut actions, now);
        let mut effects = own(index, id, actions);
        effects.extend(told);
        effects
    }

    fn ended(&mut self, leg: LegId, ending: Ending, now: Monotonic) -> Vec<Effect> {
        if self.orphans.remove(&leg).is_some() {
            return Vec::new();
        }
        self.for_leg(|shard| shard.ended(leg, ending, now))
    }

    fn tick(&mut self, now: Monotonic) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Link::Up(fence) = &mut self.link
            && fence.probe(now)
        {
            effects.push(Effect::Probe);
        }
        if self.rules.hold.announce <= now.since(self.ticked) {
            self.ticked = now;
            for (index, (id, hold)) in &mut self.holds {
                let actions = hold.shard_mut().map(|shard| shard.tick(now));
                effects.extend(own(*index, *id, actions.unwrap_or_default()));
            }
            let waiting: Vec<ShardIndex> =
                self.shards().filter(|(_, s)| s.wants_settings()).map(|(index, _)| index).collect();
            effects.extend(waiting.into_iter().map(|index| self.want_settings(index)));
        }
        effects.extend(self.give_up(now));
        if !self.holds.is_empty() {
            self.held = Some(now);
        }
        let due = self.announced.is_none_or(|last| self.rules.hold.announce <= now.since(last));
        if due || self.listens != self.is_listening(now) {
            effects.push(self.announce(now));
        }
        effects.extend(self.claim(now));
        self.has_begun |= self.claim_after <= now
            && self.standing(now) == Standing::Sure
            && self.holds.values().all(|(_, hold)| hold.shard().is_some_and(|s| s.may_start(now)));
        effects
    }

    fn start(&mut self, now: Monotonic) -> Vec<Effect> {
        if self.standing(now) != Standing::Sure {
            return Vec::new();
        }
        let room = Room {
            all: self.identity.capacity.saturating_sub(self.running()),
            bulk: self.pace.room(self.bulk()),
        };
        let (mut ids, mut shards) = (BTreeMap::new(), Vec::new());
        for (index, (id, hold)) in &mut self.holds {
            let Hold::Held(shard) = hold else { continue };
            ids.insert(*index, *id);
            shards.push((*index, shard.as_mut()));
        }
        let started = turns::start(&mut shards, room, now).into_iter();
        let effect = |(index, action)| Some(Effect::Own(index, *ids.get(&index)?, action));
        started.filter_map(effect).collect()
    }

    fn running(&self) -> u32 {
        let started: u32 = self.shards().map(|(_, shard)| shard.started()).sum();
        started.saturating_add(u32::try_from(self.orphans.len()).unwrap_or(u32::MAX))
    }

    /// Legs of bulk work that are asked for or run.
    fn bulk(&self) -> u32 {
        self.shards().map(|(_, shard)| shard.started_bulk()).sum()
    }

    /// Whether nobody should give up anything for it yet, since it may not claim before a while.
    /// Who held something a moment ago is counted on already, and will be back soon.
    fn is_listening(&self, now: Monotonic) -> bool {
        let HoldRules { lead, live, .. } = self.rules.hold;
        now.plus(lead) < self.claim_after
            && self.holds.is_empty()
            && self.held.is_none_or(|held| live <= now.since(held))
    }

    fn announce(&mut self, now: Monotonic) -> Effect {
        self.announced = Some(now);
        self.listens = self.is_listening(now);
        self.lost.retain(|_, until| now < *until);
        self.haunted.retain(|_, until| now < *until);
        let haunted = self.shards().filter(|(_, shard)| shard.is_haunted(now));
        let haunted = haunted.map(|(index, _)| index).chain(self.haunted.keys().copied());
        let haunted: BTreeSet<ShardIndex> = haunted.collect();
        let held = self.shards().map(|(index, _)| index);
        let open = self.orphans.values().copied().chain(self.lost.keys().copied());
        let shards: BTreeSet<ShardIndex> = held.chain(open).collect();
        Effect::Broadcast(Control::Announce(Announcement {
            worker: self.identity.worker.clone(),
            zone: self.identity.zone.clone(),
            shards: shards.into_iter().collect(),
            haunted: haunted.into_iter().collect(),
            capacity: self.identity.capacity,
            running: self.running(),
            draining: self.draining,
            listening: self.listens,
            kinds: self.identity.kinds.clone(),
            outgrown: self.outgrown.clone(),
            version: self.identity.version.clone(),
        }))
    }

    fn want_settings(&self, shard: ShardIndex) -> Effect {
        let (worker, zone) = (self.identity.worker.clone(), self.identity.zone.clone());
        Effect::Broadcast(Control::SettingsWanted { worker, zone, shard })
    }

    /// Asks every shard: a leg is held by one of them at most.
    fn for_leg(&mut self, mut ask: impl FnMut(&mut Shard) -> Vec<Action>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, (id, hold)) in &mut self.holds {
            let actions = hold.shard_mut().map(&mut ask).unwrap_or_default();
            effects.extend(own(*index, *id, actions));
        }
        effects
    }
}

fn own(index: ShardIndex, id: ClaimId, actions: Vec<Action>) -> Vec<Effect> {
    actions.into_iter().map(|action| Effect::Own(index, id, action)).collect()
}
