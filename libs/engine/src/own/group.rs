//! The limits of one group at its owner: slots, login rate, back-off, breaker.
//!
//! Counts sessions, not legs: a slot is free when its socket is closed. Holds no queue of
//! its own making beyond what the window lets out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use mailfleet_model::FaultCode;
use mailfleet_model::fleet::{GroupLimits, Hold, JobClass, MailboxTag, ReturnReason};

use super::breaker::{Breaker, Health};
use super::bucket::Bucket;
use super::delay::{Delays, Watch};
use super::offer::{Ending, Offer};
use crate::rules::{OwnRules, reserve};
use crate::time::Monotonic;

/// When a leg that found no slot comes again.
const AGAIN: Duration = Duration::from_secs(5);
/// When a leg of a paused group comes again.
const PAUSED_AGAIN: Duration = Duration::from_secs(60);

/// One group.
#[derive(Debug, Clone)]
pub struct Group {
    limits: GroupLimits,
    paused: bool,
    version: u64,
    bucket: Option<Bucket>,
    breaker: Breaker,
    /// "Too many connections" was heard: the lower limit, and until when.
    lowered: Option<(u32, Monotonic)>,
    /// Legs that a silent predecessor may still run.
    ghosts: Vec<Ghost>,
    interactive: u32,
    bulk: u32,
    mailboxes: BTreeMap<MailboxTag, Sessions>,
    sources: BTreeMap<IpAddr, u32>,
    /// How long legs that wait for somebody were held back, and bulk.
    watches: (Watch, Watch),
}

/// A leg that may run elsewhere, where nobody can end it.
#[derive(Debug, Clone, Copy)]
struct Ghost {
    until: Monotonic,
    mailbox: MailboxTag,
    class: JobClass,
    source: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sessions {
    all: u32,
    sync: u32,
}

/// What `FleetService` shows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupStatus {
    /// Slots that may be used now.
    pub limit: u32,
    /// Slots in use, ghosts included.
    pub in_use: u32,
    /// Whether it is paused.
    pub paused: bool,
    /// Until the breaker lets the next leg through; `None` while it is closed.
    pub breaker: Option<Duration>,
    /// Until "too many connections" is forgotten; `None` if nobody complained.
    pub lowered: Option<Duration>,
}

impl Group {
    /// A group that nothing runs in. Its bucket is empty.
    #[must_use]
    pub fn new(limits: GroupLimits, now: Monotonic) -> Self {
        Self {
            limits,
            paused: false,
            version: 0,
            bucket: limits.rate.map(|rate| Bucket::new(rate, now)),
            breaker: Breaker::default(),
            lowered: None,
            ghosts: Vec::new(),
            interactive: 0,
            bulk: 0,
            mailboxes: BTreeMap::new(),
            sources: BTreeMap::new(),
            watches: (Watch::default(), Watch::default()),
        }
    }

    /// Takes newer settings over, and ignores older ones. What runs above a lowered limit
    /// drains by itself.
    pub fn resize(
        &mut self,
        limits: GroupLimits,
        paused: bool,
        version: u64,
        now: Monotonic,
        rules: &OwnRules,
    ) {
        if version < self.version {
            return;
        }
        self.bucket = match (self.bucket.take(), limits.rate) {
            (Some(mut bucket), Some(rate)) => {
                bucket.resize(rate);
                Some(bucket)
            }
            (None, Some(rate)) => Some(Bucket::new(rate, now)),
            (Some(_) | None, None) => None,
        };
        (self.limits, self.paused, self.version) = (limits, paused, version);
        self.watch(now, rules);
    }

    /// Whether a slot of the group is free for legs of a class.
    #[must_use]
    pub fn has_room(&self, class: JobClass, now: Monotonic, rules: &OwnRules) -> bool {
        let limit = self.limit(now);
        let open = limit.saturating_sub(reserve(limit, rules.reserve_one_in));
        self.in_use(now) < limit && (!class.is_bulk() || self.bulk < open)
    }

    /// Takes a slot for a leg, or says why it has to wait, and how long at least where
    /// that is known.
    pub fn take(
        &mut self,
        offer: &Offer,
        now: Monotonic,
        rules: &OwnRules,
    ) -> Result<(), (ReturnReason, Duration)> {
        let taken = self.try_take(offer, now, rules);
        self.watch(now, rules);
        taken
    }

    fn try_take(
        &mut self,
        offer: &Offer,
        now: Monotonic,
        rules: &OwnRules,
    ) -> Result<(), (ReturnReason, Duration)> {
        let busy = Err((ReturnReason::Busy, Duration::ZERO));
        if self.paused {
            return Err((ReturnReason::Paused, Duration::ZERO));
        }
        let full = !self.has_room(offer.class, now, rules);
        if full || self.mailbox_is_full(offer, now, rules) || self.source_is_full(offer, now) {
            return busy;
        }
        if let Some(wait) = self.breaker.wait(now) {
            return Err((ReturnReason::Breaker, wait));
        }
        // The token is spent last, and only by a leg that nothing else holds back.
        if let Some(bucket) = &mut self.bucket {
            bucket.take(now).map_err(|wait| (ReturnReason::Rate, wait))?;
        }
        self.breaker.admit(now).map_err(|wait| (ReturnReason::Breaker, wait))?;
        self.count(offer);
        Ok(())
    }

    /// Gives the slot of a leg back that was not started.
    pub fn untake(&mut self, offer: &Offer, now: Monotonic, rules: &OwnRules) {
        self.free(offer);
        self.breaker.note(Health::Unknown, now);
        self.watch(now, rules);
    }

    /// Gives the slot of a leg back whose socket is closed, and learns from how it ended.
    pub fn ended(&mut self, offer: &Offer, ending: Ending, now: Monotonic, rules: &OwnRules) {
        if ending.code == Some(FaultCode::TooManyConnections) {
            // The server counts one session too many, and this one was it.
            let heard = (self.interactive + self.bulk).saturating_sub(1).max(1);
            let lower = heard.min(self.limit(now));
            self.lowered = Some((lower, now.plus(rules.back_off)));
        }
        self.free(offer);
        self.breaker.note(Health::of(ending.code), now);
        self.watch(now, rules);
    }

    /// Keeps a slot for a leg that a silent predecessor may still run: of the group, of its
    /// mailbox and of its source address.
    pub fn haunt(&mut self, offer: &Offer, until: Monotonic) {
        let Offer { mailbox, class, source, .. } = *offer;
        self.ghosts.push(Ghost { until, mailbox, class, source });
    }

    /// Gives every slot free that is kept for a leg of a silent predecessor.
    pub fn exorcise(&mut self) {
        self.ghosts.clear();
    }

    /// Whether a slot is kept for a leg of a silent predecessor.
    #[must_use]
    pub fn is_haunted(&self, now: Monotonic) -> bool {
        self.ghosts.iter().any(|ghost| now < ghost.until)
    }

    /// The limit that holds now.
    #[must_use]
    pub fn limit(&self, now: Monotonic) -> u32 {
        let limit = self.limits.concurrency.get();
        match self.lowered {
            Some((lower, until)) if now < until => lower.min(limit),
            Some(_) | None => limit,
        }
    }

    /// Slots in use, ghosts included.
    #[must_use]
    pub fn in_use(&self, now: Monotonic) -> u32 {
        let ghosts = self.ghosts.iter().filter(|ghost| now < ghost.until).count();
        let ghosts = u32::try_from(ghosts).unwrap_or(u32::MAX);
        ghosts.saturating_add(self.interactive).saturating_add(self.bulk)
    }

    /// Forgets ghosts that are gone; says whether nothing is left to remember.
    pub fn tidy(&mut self, now: Monotonic, rules: &OwnRules) -> bool {
        self.ghosts.retain(|ghost| now < ghost.until);
        self.watch(now, rules);
        let lowered = self.lowered.is_some_and(|(_, until)| now < until);
        let well = self.breaker == Breaker::default();
        let empty = self.interactive + self.bulk == 0 && self.ghosts.is_empty();
        // A bucket that was dropped would start empty again: slower, never faster.
        empty && well && !lowered && self.version == 0
    }

    /// What holds legs back, and when it makes sense to come again.
    #[must_use]
    pub fn why(&self, now: Monotonic) -> (ReturnReason, Duration) {
        let rate = self.bucket.as_ref().map_or(Duration::ZERO, |bucket| bucket.wait(now));
        if self.paused {
            (ReturnReason::Paused, PAUSED_AGAIN)
        } else if let Some(wait) = self.breaker.wait(now) {
            (ReturnReason::Breaker, wait.max(AGAIN))
        } else if !rate.is_zero() {
            (ReturnReason::Rate, rate.max(AGAIN))
        } else {
            (ReturnReason::Busy, AGAIN)
        }
    }

    /// For how long legs of a class were held back so far.
    pub(super) fn delays(&self, class: JobClass, now: Monotonic) -> Delays {
        let (interactive, bulk) = &self.watches;
        if class.is_bulk() { bulk.read(now) } else { interactive.read(now) }
    }

    /// For how long legs of a class were held back in the last `span`.
    pub(super) fn delays_of(&self, class: JobClass, span: Duration, now: Monotonic) -> Delays {
        let (interactive, bulk) = &self.watches;
        if class.is_bulk() { bulk.last(span, now) } else { interactive.last(span, now) }
    }

    /// Sees what holds legs back now. Whatever changes it calls this; what ends by itself is seen
    /// with the next try to start, or within a second.
    fn watch(&mut self, now: Monotonic, rules: &OwnRules) {
        let hold = |class| self.hold(class, now, rules);
        let (interactive, bulk) = (hold(JobClass::Interactive), hold(JobClass::Revalidation));
        self.watches.0.turn(interactive, now);
        self.watches.1.turn(bulk, now);
    }

    fn hold(&self, class: JobClass, now: Monotonic, rules: &OwnRules) -> Option<Hold> {
        if self.paused {
            Some(Hold::Paused)
        } else if !self.has_room(class, now, rules) {
            Some(Hold::Sessions)
        } else if self.breaker.wait(now).is_some() {
            Some(Hold::Breaker)
        } else {
            let is_spent = self.bucket.as_ref().is_some_and(|bucket| !bucket.wait(now).is_zero());
            is_spent.then_some(Hold::Rate)
        }
    }

    /// What `FleetService` shows.
    #[must_use]
    pub fn status(&self, now: Monotonic) -> GroupStatus {
        GroupStatus {
            limit: self.limit(now),
            in_use: self.in_use(now),
            paused: self.paused,
            breaker: self.breaker.wait(now),
            lowered: self.lowered.map(|(_, until)| until.since(now)).filter(|left| !left.is_zero()),
        }
    }

    fn mailbox_is_full(&self, offer: &Offer, now: Monotonic, rules: &OwnRules) -> bool {
        let mut used = self.mailboxes.get(&offer.mailbox).copied().unwrap_or_default();
        for ghost in self.ghosts.iter().filter(|ghost| now < ghost.until) {
            if ghost.mailbox == offer.mailbox {
                used.all += 1;
                used.sync += u32::from(ghost.class == JobClass::Sync);
            }
        }
        rules.mailbox <= used.all
            || (offer.class == JobClass::Sync && rules.mailbox_sync <= used.sync)
    }

    fn source_is_full(&self, offer: &Offer, now: Monotonic) -> bool {
        let (Some(source), Some(most)) = (offer.source, self.limits.per_source) else {
            return false;
        };
        let same = |ghost: &&Ghost| now < ghost.until && ghost.source == Some(source);
        let ghosts = u32::try_from(self.ghosts.iter().filter(same).count()).unwrap_or(u32::MAX);
        let used = self.sources.get(&source).copied().unwrap_or(0);
        most.get() <= used.saturating_add(ghosts)
    }

    fn count(&mut self, offer: &Offer) {
        *self.class(offer.class) += 1;
        let mailbox = self.mailboxes.entry(offer.mailbox).or_default();
        mailbox.all += 1;
        mailbox.sync += u32::from(offer.class == JobClass::Sync);
        if let Some(source) = offer.source {
            *self.sources.entry(source).or_default() += 1;
        }
    }

    fn free(&mut self, offer: &Offer) {
        let used = self.class(offer.class);
        *used = used.saturating_sub(1);
        if let Some(mailbox) = self.mailboxes.get_mut(&offer.mailbox) {
            mailbox.all = mailbox.all.saturating_sub(1);
            let sync = u32::from(offer.class == JobClass::Sync);
            mailbox.sync = mailbox.sync.saturating_sub(sync);
            if mailbox.all == 0 {
                self.mailboxes.remove(&offer.mailbox);
            }
        }
        if let Some(source) = offer.source
            && let Some(used) = self.sources.get_mut(&source)
        {
            *used = used.saturating_sub(1);
            if *used == 0 {
                self.sources.remove(&source);
            }
        }
    }

    fn class(&mut self, class: JobClass) -> &mut u32 {
        if class.is_bulk() { &mut self.bulk } else { &mut self.interactive }
    }
}
