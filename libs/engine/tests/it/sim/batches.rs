//! Batches in the model store: items, their counters, and the judge of what begins.
//!
//! The counters move with each item, as the real store's do, and are held against the items
//! after every step of a run. What begins is judged by the items themselves, not by the view
//! that was decided on.

use std::collections::BTreeMap;

use mailfleet_engine::batch::{Ask, feed};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchChange, BatchId, BatchPause, BatchRecord, BatchState, BatchView, DomainView, GroupId,
    HeldItem, ItemEnd, ItemState, JobRecord, JobState, LegState, LoginTag, PauseCause,
};
use mailfleet_model::leg::LoginOutcome;

use super::mutation::Mutation;
use super::store::Store;

/// A batch with its items in their order.
#[derive(Debug, Clone)]
pub(crate) struct BatchRow {
    pub(crate) record: BatchRecord,
    pub(crate) items: Vec<ItemRow>,
    /// Numbers the ends of items: the order that the guard is judged by.
    ends: u64,
    /// Ends before this one do not count for the guard.
    guard_from: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct ItemRow {
    domain: usize,
    login: LoginTag,
    pub(crate) state: ItemState,
    pub(crate) job: Option<JobId>,
    verdict: Option<mailfleet_model::Verdict>,
    answer: Option<LoginOutcome>,
    /// Which end of the batch its own was.
    ended: u64,
    finished: Option<mailfleet_model::fleet::Timestamp>,
    /// Whether its login was ever refused for good.
    refused: bool,
}

impl BatchRow {
    pub(crate) fn new(record: BatchRecord) -> Self {
        Self { record, items: Vec::new(), ends: 0, guard_from: 0 }
    }

    fn move_item(&mut self, index: usize, to: ItemState, leak: bool) {
        let item = &self.items[index];
        let (from, verdict) = (item.state, item.verdict);
        if !leak {
            let counter = self.record.counts.of(from, verdict);
            *counter = counter.wrapping_sub(1);
            *self.record.counts.of(to, verdict) += 1;
        }
        self.items[index].state = to;
    }

    /// How many of the last logins in a row were refused, in the order of their ends.
    fn run_of_refusals(&self) -> u32 {
        let told = |answer| {
            matches!(answer, Some(LoginOutcome::Accepted | LoginOutcome::RefusedDefinitively))
        };
        let mut answered: Vec<&ItemRow> = self
            .items
            .iter()
            .filter(|item| self.guard_from < item.ended && told(item.answer))
            .collect();
        answered.sort_by_key(|item| std::cmp::Reverse(item.ended));
        let refused = |item: &&&ItemRow| item.answer == Some(LoginOutcome::RefusedDefinitively);
        u32::try_from(answered.iter().take_while(refused).count()).expect("few")
    }
}

impl Store {
    /// Stores items that are not there yet; `false` if the batch takes none.
    pub(crate) fn add_items(
        &mut self,
        id: BatchId,
        items: &[(usize, LoginTag)],
        from: usize,
    ) -> bool {
        let row = self.item_batches.get_mut(&id).expect("a planned batch");
        if row.record.state != BatchState::Uploading {
            return false;
        }
        for (domain, login) in items.iter().skip(row.items.len().saturating_sub(from)) {
            row.record.counts.held += 1;
            row.items.push(ItemRow {
                domain: *domain,
                login: *login,
                state: ItemState::Held,
                job: None,
                verdict: None,
                answer: None,
                ended: 0,
                finished: None,
                refused: false,
            });
        }
        true
    }

    fn login_is_open(&self, login: LoginTag) -> bool {
        let items = self.item_batches.values().flat_map(|row| &row.items);
        items.into_iter().any(|item| item.state == ItemState::Open && item.login == login)
    }

    /// Asks something of a batch; the places of the items that begin, how many were moved, and
    /// groups to dispatch. The caller makes the jobs in the same transaction.
    pub(crate) fn feed_batch(
        &mut self,
        id: BatchId,
        ask: &Ask,
        mutation: Option<Mutation>,
    ) -> (Vec<usize>, usize, Vec<GroupId>) {
        let view = self.batch_view(id, mutation);
        let change = feed(&view, ask);
        let mut wake = self.turn(id, &change);
        let mut moved = 0;
        if change.cancel_held {
            let row = self.item_batches.get_mut(&id).expect("it was viewed");
            for index in 0..row.items.len() {
                if row.items[index].state == ItemState::Held {
                    row.move_item(index, ItemState::Cancelled, false);
                    moved += 1;
                }
            }
        }
        let mut begun = Vec::new();
        for position in &change.begin {
            let index = usize::try_from(position - 1).expect("small");
            self.judge(id, index);
            let row = self.item_batches.get_mut(&id).expect("it was viewed");
            row.move_item(index, ItemState::Open, false);
            begun.push(index);
        }
        if self.item_batches[&id].record.state != BatchState::Running {
            wake.clear();
        }
        moved += begun.len();
        (begun, moved, wake)
    }

    fn batch_view(&self, id: BatchId, mutation: Option<Mutation>) -> BatchView {
        let row = &self.item_batches[&id];
        let mut domains: BTreeMap<usize, DomainView> = BTreeMap::new();
        for (position, item) in (1..).zip(&row.items) {
            let domain = domains.entry(item.domain).or_insert_with(|| DomainView {
                open: 0,
                refused: 0,
                proven: mutation == Some(Mutation::NoCanaries),
                held: Vec::new(),
            });
            match (item.state, item.answer) {
                (ItemState::Open, _) => domain.open += 1,
                (ItemState::Held, _) => {
                    let shared = mutation == Some(Mutation::SharedLogins);
                    if shared || !self.login_is_open(item.login) {
                        domain.held.push(HeldItem { position, login: item.login });
                    }
                }
                (_, Some(LoginOutcome::RefusedDefinitively)) => domain.refused += 1,
                (_, Some(_)) => domain.proven = true,
                (_, None) => {}
            }
        }
        for domain in domains.values_mut() {
            domain.refused = domain.refused.min(row.record.settings.canaries);
        }
        let has_held = |(domain, _): &(usize, DomainView)| {
            let mut items = row.items.iter();
            items.any(|item| item.domain == *domain && item.state == ItemState::Held)
        };
        let domains = domains.into_iter().filter(has_held).map(|(_, view)| view).collect();
        BatchView {
            now: self.now,
            batch: row.record.clone(),
            refusals: if mutation == Some(Mutation::NoGuard) { 0 } else { self.refusals(row) },
            domains,
            more: false,
        }
    }

    /// As the real store reads it: by the times of the ends.
    fn refusals(&self, row: &BatchRow) -> u32 {
        let Some(most) = row.record.settings.stop_when else { return 0 };
        let since = row.record.guard_since;
        let mut answered: Vec<&ItemRow> = row
            .items
            .iter()
            .filter(|item| {
                let told = [LoginOutcome::Accepted, LoginOutcome::RefusedDefinitively];
                item.answer.is_some_and(|answer| told.contains(&answer))
                    && item.finished.is_some_and(|at| since < at)
            })
            .collect();
        answered.sort_by_key(|item| std::cmp::Reverse((item.finished, item.ended)));
        let refused = |item: &&&ItemRow| item.answer == Some(LoginOutcome::RefusedDefinitively);
        let run = answered.iter().take(usize::try_from(most).expect("few"));
        u32::try_from(run.take_while(refused).count()).expect("few")
    }

    /// What must hold when an item begins, whatever was decided on.
    fn judge(&mut self, id: BatchId, index: usize) {
        let row = &self.item_batches[&id];
        let (item, settings) = (&row.items[index], &row.record.settings);
        let mut broken = Vec::new();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                broken.push(format!("{what}: item {index} of {id}"));
            }
        };
        must(row.record.state == BatchState::Running, "I9: an item begins of a batch at rest");
        must(item.state == ItemState::Held, "I2: an item begins twice");
        must(!item.refused, "I11: an item begins anew whose password was refused");
        must(!self.login_is_open(item.login), "I11: a login is open twice");
        if let Some(most) = settings.stop_when.filter(|_| !self.clock_jumps) {
            must(row.run_of_refusals() < most, "I11: the guard lets on an item");
        }
        let same = || row.items.iter().filter(|other| other.domain == item.domain);
        let refused = Some(LoginOutcome::RefusedDefinitively);
        let proven = same().any(|other| other.answer.is_some() && other.answer != refused);
        let open = same().filter(|other| other.state == ItemState::Open).count();
        let tried = open + same().filter(|other| other.answer == refused).count();
        let canaries = usize::try_from(settings.canaries).expect("few");
        must(proven || tried < canaries || open == 0, "I11: an item begins before its canaries");
        self.broken.extend(broken);
    }

    /// Writes the batch's own changes; the groups to dispatch after a pause.
    fn turn(&mut self, id: BatchId, change: &BatchChange) -> Vec<GroupId> {
        let now = self.now;
        let row = self.item_batches.get_mut(&id).expect("it was viewed");
        let record = &mut row.record;
        if change.lift_guard {
            record.settings.stop_when = None;
        }
        if change.guard_anew {
            (record.guard_since, row.guard_from) = (now, row.ends);
        }
        let Some(state) = change.state else { return Vec::new() };
        if record.state.is_final() {
            self.broken.push(format!("I9: batch {id} went from {} to {state}", record.state));
        }
        if state == BatchState::Running && record.started.is_none() {
            record.started = Some(now);
            record.deadline = Some(now.plus(record.settings.deadline));
        }
        let was = record.pause.take();
        if state == BatchState::Paused {
            let (cause, reason) =
                change.pause.clone().unwrap_or((PauseCause::Operator, String::new()));
            record.pause = Some(BatchPause { cause, reason, since: now });
        }
        record.finished = state.is_final().then_some(now);
        record.state = state;
        let Some(was) = was.filter(|_| state != BatchState::Paused) else { return Vec::new() };
        let mut groups = Vec::new();
        for row in self.rows.values_mut().filter(|row| row.job.batch == Some(id)) {
            if row.job.state == JobState::Open {
                row.job.deadline = row.job.deadline.plus(now.since(was.since));
                let ready = row.legs.iter().filter(|leg| leg.state == LegState::Ready);
                groups.extend(ready.map(|leg| leg.group.clone()));
            }
        }
        groups
    }

    pub(crate) fn is_paused(&self, batch: Option<BatchId>) -> bool {
        let row = batch.and_then(|batch| self.item_batches.get(&batch));
        row.is_some_and(|row| row.record.state == BatchState::Paused)
    }

    /// Ends the item of a job that has ended.
    pub(crate) fn end_item(&mut self, job: &JobRecord, mutation: Option<Mutation>) {
        let Some(id) = job.batch else { return };
        let legs = self.rows[&job.id].legs.clone();
        let now = self.now;
        let Some(row) = self.item_batches.get_mut(&id) else { return };
        let Some(index) = row.items.iter().position(|item| item.job == Some(job.id)) else {
            self.broken.push(format!("I8: job {} of {id} has no item", job.id));
            return;
        };
        let cancelled = job.state == JobState::Cancelled;
        let answer = ItemEnd::of(&legs).login.filter(|_| !cancelled);
        row.ends += 1;
        let to = if cancelled { ItemState::Cancelled } else { ItemState::Done };
        let leak = cancelled && mutation == Some(Mutation::LeakyCounters);
        if !leak {
            let counts = &mut row.record.counts;
            counts.open = counts.open.wrapping_sub(1);
            *counts.of(to, job.verdict) += 1;
        }
        let item = &mut row.items[index];
        (item.state, item.verdict, item.answer) = (to, job.verdict.filter(|_| !cancelled), answer);
        (item.ended, item.finished) = (row.ends, Some(now));
        item.refused |= answer == Some(LoginOutcome::RefusedDefinitively);
    }

    /// Begins anew what ended with trouble; whether the batch was in a state for it.
    pub(crate) fn redrive(&mut self, id: BatchId, mutation: Option<Mutation>) -> bool {
        let now = self.now;
        let row = self.item_batches.get_mut(&id).expect("a planned batch");
        use BatchState as S;
        if !matches!(row.record.state, S::Running | S::Paused | S::Done) {
            return false;
        }
        let mut any = false;
        for index in 0..row.items.len() {
            let item = &row.items[index];
            let troubled = item.state == ItemState::Done
                && item.verdict != Some(mailfleet_model::Verdict::Healthy);
            let spared = item.answer == Some(LoginOutcome::RefusedDefinitively)
                && mutation != Some(Mutation::RedriveRefused);
            if troubled && !spared {
                row.move_item(index, ItemState::Held, false);
                let item = &mut row.items[index];
                (item.job, item.verdict, item.answer, item.finished) = (None, None, None, None);
                any = true;
            }
        }
        if any && row.record.state == S::Done {
            (row.record.state, row.record.finished) = (S::Running, None);
            (row.record.guard_since, row.guard_from) = (now, row.ends);
        }
        true
    }

    /// Batches that are to be fed.
    pub(crate) fn live_batches(&self) -> Vec<BatchId> {
        use BatchState as S;
        let live =
            |row: &&BatchRow| matches!(row.record.state, S::Running | S::Paused | S::Cancelling);
        self.item_batches.values().filter(live).map(|row| row.record.id).collect()
    }

    /// Holds the counters against the items.
    pub(crate) fn check_batches(&self) -> Option<String> {
        self.item_batches.values().find_map(|row| {
            let mut sum = mailfleet_model::fleet::ItemCounts::default();
            for item in &row.items {
                *sum.of(item.state, item.verdict) += 1;
            }
            let counts = row.record.counts;
            let id = row.record.id;
            (counts != sum).then(|| format!("I8: batch {id} counts {counts:?}, its items {sum:?}"))
        })
    }
}
