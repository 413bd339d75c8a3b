//! Batches in the simulated fleet: uploads that break off, feeding at every gateway, and a
//! client that pauses, resumes, cancels and redrives.

use std::time::Duration;

use mailfleet_engine::batch::Ask;
use mailfleet_engine::collect::Event as JobEvent;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    BatchId, BatchRecord, BatchSettings, BatchState, ItemCounts, ItemState, JobClass, Timestamp,
};
use uuid::Uuid;

use super::batches::BatchRow;
use super::event::{Client, ForGateway, Scheduled};
use super::history::{BatchPlan, Steer};
use super::mutation::Mutation;
use super::store::Store;
use super::world::{World, millis};

/// Marks the jobs of items, whose plans stand with their batch.
const ITEM: u128 = 0x8000;

/// How often the client looks after a batch.
const NURSE: Duration = Duration::from_secs(7);

pub(crate) fn batch_id(index: usize) -> BatchId {
    BatchId(Uuid::from_u128(0xba7c_0000 + u128::try_from(index).expect("few")))
}

/// Which batch, and which item of it, a job was made for.
pub(crate) fn item_of(job: JobId) -> Option<(usize, usize)> {
    let low = job.0.as_u128() & 0xffff;
    let part = |bits: u128| usize::try_from(bits).expect("small");
    (low & ITEM != 0).then(|| (part((low >> 8) & 0x7f), part(low & 0xff)))
}

fn item_id(batch: usize, item: usize) -> u128 {
    let number = |n: usize| u128::try_from(n).expect("few");
    ITEM | number(batch) << 8 | number(item)
}

/// An empty batch as the first part of an upload makes it.
pub(crate) fn row(index: usize, plan: &BatchPlan) -> BatchRow {
    let tenant = format!("t{}", plan.items.first().map_or(0, |item| item.tenant));
    BatchRow::new(BatchRecord {
        id: batch_id(index),
        tenant: tenant.parse().expect("a name"),
        display_name: String::new(),
        state: BatchState::Uploading,
        settings: BatchSettings {
            class: JobClass::Revalidation,
            max_open: plan.max_open,
            canaries: plan.canaries,
            stop_when: plan.stop_when,
            item_deadline: millis(7_200_000),
            deadline: millis(7 * 24 * 3_600_000),
        },
        created: Timestamp(0),
        started: None,
        deadline: None,
        finished: None,
        pause: None,
        guard_since: Timestamp(0),
        traceparent: None,
        counts: ItemCounts::default(),
    })
}

impl World {
    pub(crate) fn begin_batches(&mut self) {
        for (index, plan) in self.history.batches.clone().iter().enumerate() {
            self.store.item_batches.insert(batch_id(index), row(index, plan));
            self.at(millis(plan.at), Scheduled::Client(Client::Upload(index)));
            self.at(millis(plan.at) + NURSE, Scheduled::Client(Client::Nurse(index)));
            for (at, steer) in &plan.steers {
                self.at(millis(*at), Scheduled::Client(Client::Steer(index, *steer)));
            }
        }
    }

    fn ask_somebody(&mut self, event: ForGateway) {
        let gateway = self.random.index(self.gateways.len());
        if self.gateways[gateway].alive {
            let after = self.hop();
            self.gateway_later(gateway, after, event);
        }
    }

    fn batch_state(&self, index: usize) -> BatchState {
        self.store.item_batches[&batch_id(index)].record.state
    }

    /// Sends everything again until the batch has begun.
    pub(crate) fn upload(&mut self, index: usize) {
        if self.batch_state(index) == BatchState::Uploading {
            self.later(millis(5_000), Scheduled::Client(Client::Upload(index)));
            self.ask_somebody(ForGateway::Upload(index, 0));
        }
    }

    /// Resumes what was paused, as an operator does who comes by. What is done may be begun
    /// again, and paused then.
    pub(crate) fn nurse(&mut self, index: usize) {
        self.later(NURSE, Scheduled::Client(Client::Nurse(index)));
        if self.batch_state(index) == BatchState::Paused {
            let lift_guard = self.random.chance(40);
            self.ask_somebody(ForGateway::Ask(index, Box::new(Ask::Resume { lift_guard })));
        }
    }

    /// Asks once what may get lost, and again what must not.
    pub(crate) fn steer(&mut self, index: usize, steer: Steer) {
        let ask = match steer {
            Steer::Pause => Ask::Pause("lunch".to_owned()),
            Steer::Resume => Ask::Resume { lift_guard: false },
            Steer::Cancel => {
                use BatchState as S;
                if matches!(self.batch_state(index), S::Cancelling | S::Cancelled | S::Done) {
                    return;
                }
                self.later(millis(5_000), Scheduled::Client(Client::Steer(index, steer)));
                Ask::Cancel
            }
            Steer::Redrive => {
                self.ask_somebody(ForGateway::Redrive(index));
                return;
            }
        };
        self.ask_somebody(ForGateway::Ask(index, Box::new(ask)));
    }

    /// One transaction of an upload; the next one follows unless the gateway dies between.
    pub(crate) fn take_items(&mut self, gateway: usize, index: usize, part: usize) {
        let plan = &self.history.batches[index];
        let half = plan.items.len().div_ceil(2);
        let from = part * half;
        let logins: Vec<_> =
            plan.items.iter().map(|item| (item.groups[0], super::gateway::login(item))).collect();
        let some = logins.get(from..(from + half).min(logins.len())).unwrap_or_default();
        if !self.store.add_items(batch_id(index), some, from) {
            return;
        }
        let next = if from + half < logins.len() {
            ForGateway::Upload(index, part + 1)
        } else {
            ForGateway::Ask(index, Box::new(Ask::Start))
        };
        let after = self.step();
        self.gateway_later(gateway, after, next);
    }

    /// One look at a batch.
    pub(crate) fn ask_batch(&mut self, gateway: usize, index: usize, ask: &Ask) {
        let id = batch_id(index);
        let (begun, moved, mut wake) = self.store.feed_batch(id, ask, self.mutation);
        for item in begun {
            let plan = self.history.batches[index].items[item].clone();
            let mut draft = self.draft_of(&plan, item_id(index, item), 0);
            (draft.batch, draft.settings, draft.request) = (Some(id), None, None);
            if self.mutation == Some(Mutation::OutgoingFirst) {
                draft.legs.iter_mut().for_each(|leg| leg.gate = mailfleet_model::fleet::Gate::Open);
            }
            let row = self.store.item_batches.get_mut(&id).expect("it was fed");
            row.items[item].job = Some(draft.id);
            wake.extend(self.store.insert(&draft));
        }
        self.wake_groups(gateway, wake);
        let cancelling = self.batch_state(index) == BatchState::Cancelling;
        if cancelling {
            for job in self.open_items(id) {
                let event = Box::new(JobEvent::Cancel);
                self.gateway_later(gateway, millis(2), ForGateway::Advance(job, event));
            }
        }
        if moved > 0 || cancelling || *ask != Ask::Feed {
            self.feed_later(gateway, index);
        }
    }

    fn open_items(&self, id: BatchId) -> Vec<JobId> {
        let items = self.store.item_batches[&id].items.iter();
        items.filter(|item| item.state == ItemState::Open).filter_map(|item| item.job).collect()
    }

    fn feed_later(&mut self, gateway: usize, index: usize) {
        let after = self.step() + millis(20);
        self.gateway_later(gateway, after, ForGateway::Ask(index, Box::new(Ask::Feed)));
    }

    pub(crate) fn redrive(&mut self, gateway: usize, index: usize) {
        if self.store.redrive(batch_id(index), self.mutation) {
            self.feed_later(gateway, index);
        }
    }

    /// An item may have ended: its batch is fed.
    pub(crate) fn fed_by(&mut self, gateway: usize, job: JobId) {
        if let Some((index, _)) = item_of(job) {
            self.feed_later(gateway, index);
        }
    }

    /// The sweep's round.
    pub(crate) fn feed_all(&mut self, gateway: usize) {
        if self.mutation == Some(Mutation::NoFeeding) {
            return;
        }
        for id in self.store.live_batches() {
            let index = usize::try_from(id.0.as_u128() & 0xff).expect("few");
            self.gateway_later(gateway, millis(1), ForGateway::Ask(index, Box::new(Ask::Feed)));
        }
    }
}

/// What must hold of batches at the end.
pub(crate) fn final_check(store: &Store, plans: &[BatchPlan]) -> Result<(), String> {
    for (index, plan) in plans.iter().enumerate() {
        let row = &store.item_batches[&batch_id(index)];
        // Cancelled in the middle of its upload, it never takes the rest.
        let whole = row.record.state != BatchState::Cancelled;
        if whole && row.items.len() != plan.items.len() {
            return Err(format!("I1: batch {index} has {} items", row.items.len()));
        }
        for (place, item) in row.items.iter().enumerate() {
            let job = item.job.and_then(|job| store.rows.get(&job));
            let ended = match item.state {
                ItemState::Done => job.is_some_and(|row| row.job.state.is_final()),
                ItemState::Cancelled => job.is_none_or(|row| row.job.state.is_final()),
                ItemState::Held | ItemState::Open => false,
            };
            if !ended {
                return Err(format!("I2: item {place} of batch {index} is {}", item.state));
            }
        }
        let made = store.rows.values().filter(|row| row.job.batch == Some(batch_id(index)));
        if made.clone().any(|row| !row.job.state.is_final()) {
            return Err(format!("I9: a job of batch {index} outlives it"));
        }
    }
    Ok(())
}
