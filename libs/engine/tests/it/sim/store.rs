//! A model store: the port's promises, in memory. Every call is one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Admission, BatchId, Dispatch, GroupHolds, GroupId, GroupKey, GroupLimits, GroupSettings,
    GroupView, JobChange, JobClass, JobDraft, JobRecord, JobState, JobView, Lane, LegId, LegRecord,
    LegState, LegView, LoginBudget, LoginTag, OutCount, ReadyLeg, Release, RequestTag, SettingsTag,
    SubmitView, Submitted, TenantId, Timestamp, Usage,
};

use super::batches::BatchRow;
use super::mutation::Mutation;

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) job: JobRecord,
    pub(crate) legs: Vec<LegRecord>,
    settings: Option<SettingsTag>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) now: Timestamp,
    pub(crate) rows: BTreeMap<JobId, Row>,
    open: BTreeSet<JobId>,
    requests: BTreeMap<(TenantId, String), (JobId, RequestTag)>,
    pub(crate) ledger: BTreeMap<(LoginTag, GroupKey), LoginBudget>,
    ledger_legs: BTreeSet<LegId>,
    served: BTreeMap<(GroupId, JobClass, TenantId), u64>,
    dispatched: BTreeMap<GroupId, (Timestamp, GroupHolds)>,
    pub(crate) settings: BTreeMap<GroupId, GroupSettings>,
    /// Batches that are fed.
    pub(crate) item_batches: BTreeMap<BatchId, BatchRow>,
    /// Whether the clock is set during this run.
    pub(crate) clock_jumps: bool,
    /// Promises that were broken.
    pub(crate) broken: Vec<String>,
}

impl Store {
    pub(crate) fn submit(
        &mut self,
        draft: &JobDraft,
        decide: impl Fn(&SubmitView) -> Admission,
    ) -> Submitted {
        let admission = decide(&self.submit_view(draft));
        let Admission::Accept { at_once } = &admission else {
            return Submitted { admission, released: Vec::new(), wake: Vec::new() };
        };
        let wake = self.insert_some(draft, at_once);
        let legs = &self.rows[&draft.id].legs;
        let released = legs.iter().filter(|leg| leg.state == LegState::Released).cloned();
        let released = released.collect();
        Submitted { admission, released, wake }
    }

    /// Writes the rows of a job; the groups to dispatch.
    pub(crate) fn insert(&mut self, draft: &JobDraft) -> Vec<GroupId> {
        self.insert_some(draft, &[])
    }

    fn insert_some(&mut self, draft: &JobDraft, at_once: &[u8]) -> Vec<GroupId> {
        let (id, tenant) = (draft.id, draft.tenant.clone());
        if let Some(request) = &draft.request {
            let key = (tenant.clone(), request.id.clone());
            self.requests.insert(key, (id, request.body));
        }
        let job = JobRecord {
            id,
            tenant,
            class: draft.class,
            batch: draft.batch,
            state: JobState::Open,
            version: 1,
            created: self.now,
            deadline: self.now.plus(draft.deadline),
            finished: None,
            verdict: None,
            report: None,
            traceparent: None,
            payload: draft.payload.clone(),
        };
        let places = 0..u8::try_from(draft.legs.len()).expect("few");
        let leg = |index| draft.leg(index, self.now, at_once.contains(&index)).expect("its leg");
        let legs: Vec<LegRecord> = places.map(leg).collect();
        let wake = legs.iter().map(|leg| leg.group.clone()).collect();
        self.rows.insert(id, Row { job, legs, settings: draft.settings });
        self.open.insert(id);
        wake
    }

    fn submit_view(&self, draft: &JobDraft) -> SubmitView {
        let repeated = draft.request.as_ref().and_then(|request| {
            self.requests.get(&(draft.tenant.clone(), request.id.clone())).copied()
        });
        let same = |row: &&Row| {
            row.job.tenant == draft.tenant
                && draft.settings.is_some()
                && row.settings == draft.settings
        };
        SubmitView {
            now: self.now,
            repeated,
            running: self.open_rows().find(same).map(|row| row.job.id),
            usage: Usage::default(),
            budgets: draft.legs.iter().map(|leg| self.budget(leg.login, &leg.group)).collect(),
            calm: self.calm(draft),
        }
    }

    fn calm(&self, draft: &JobDraft) -> Vec<GroupView> {
        let groups: BTreeSet<&GroupId> = draft.legs.iter().map(|leg| &leg.group).collect();
        let waits = |group: &GroupId| {
            let ready = |leg: &LegRecord| leg.state == LegState::Ready && leg.group == *group;
            self.open_legs().any(ready)
        };
        let calm = groups.into_iter().filter(|group| !waits(group));
        calm.map(|group| self.group_view(group)).collect()
    }

    fn budget(&self, login: LoginTag, group: &GroupId) -> LoginBudget {
        self.ledger.get(&(login, group.key.clone())).copied().unwrap_or_default()
    }

    fn open_rows(&self) -> impl Iterator<Item = &Row> {
        self.open.iter().filter_map(|id| self.rows.get(id))
    }

    fn open_legs(&self) -> impl Iterator<Item = &LegRecord> {
        self.open_rows().flat_map(|row| &row.legs)
    }

    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut LegRecord> {
        self.rows.get_mut(&id.job)?.legs.get_mut(usize::from(id.index))
    }

    pub(crate) fn release(
        &mut self,
        group: &GroupId,
        decide: impl Fn(&GroupView) -> Release,
    ) -> (Vec<LegRecord>, Release) {
        let view = self.group_view(group);
        let release = decide(&view);
        self.dispatched.insert(group.clone(), (self.now, release.holds));
        let mut legs = Vec::new();
        for id in &release.legs {
            let now = self.now;
            let Some(leg) = self.leg_mut(*id) else { continue };
            if leg.state != LegState::Ready {
                continue;
            }
            (leg.state, leg.since, leg.dispatch) = (LegState::Released, now, leg.dispatch.next());
            legs.push(leg.clone());
        }
        for turn in &release.turns {
            let lane = (group.clone(), turn.class, turn.tenant.clone());
            self.served.insert(lane, turn.served);
        }
        (legs, release)
    }

    fn group_view(&self, group: &GroupId) -> GroupView {
        let mut lanes: BTreeMap<(JobClass, TenantId), Lane> = BTreeMap::new();
        let (mut out, mut shard_out) = (OutCount::default(), OutCount::default());
        let shard = self.open_legs().find(|leg| leg.group == *group).map(|leg| leg.shard);
        for leg in self.open_legs() {
            let count = |out: &mut OutCount| {
                *(if leg.class.is_bulk() { &mut out.bulk } else { &mut out.interactive }) += 1;
            };
            if leg.state.is_out() && Some(leg.shard) == shard {
                count(&mut shard_out);
            }
            if leg.group != *group {
                continue;
            }
            if leg.state.is_out() {
                count(&mut out);
            } else if leg.state == LegState::Ready && !self.is_paused(self.batch_of(leg)) {
                let lane = lanes.entry((leg.class, leg.tenant.clone())).or_insert_with(|| Lane {
                    tenant: leg.tenant.clone(),
                    class: leg.class,
                    served: self.served(group, leg),
                    legs: Vec::new(),
                });
                let budget = self.budget(leg.login, group);
                lane.legs.push(ReadyLeg { id: leg.id, since: leg.since, budget });
            }
        }
        for lane in lanes.values_mut() {
            lane.legs.sort_by_key(|leg| (leg.since, leg.id));
            lane.legs.truncate(GroupView::LEGS);
        }
        let lanes = lanes.into_values().collect();
        let (dispatched, holds) = self.dispatched.get(group).copied().unwrap_or_default();
        let (now, settings) = (self.now, self.group(group));
        GroupView { now, settings, out, shard_out, dispatched, holds, lanes }
    }

    fn batch_of(&self, leg: &LegRecord) -> Option<BatchId> {
        self.rows.get(&leg.id.job).and_then(|row| row.job.batch)
    }

    fn served(&self, group: &GroupId, leg: &LegRecord) -> u64 {
        let lane = (group.clone(), leg.class, leg.tenant.clone());
        self.served.get(&lane).copied().unwrap_or(0)
    }

    pub(crate) fn group(&self, group: &GroupId) -> GroupSettings {
        self.settings.get(group).cloned().expect("every simulated group has settings")
    }

    pub(crate) fn set_group(&mut self, group: &GroupId, limits: GroupLimits) -> GroupSettings {
        let settings = self.settings.get_mut(group).expect("a simulated group");
        settings.limits = limits;
        settings.version += 1;
        settings.clone()
    }

    pub(crate) fn mark_published(&mut self, leg: LegId, dispatch: Dispatch) {
        let now = self.now;
        let Some(leg) = self.leg_mut(leg) else { return };
        if leg.state == LegState::Released && leg.dispatch == dispatch {
            (leg.state, leg.since) = (LegState::Published, now);
        }
    }

    pub(crate) fn unpublished(&mut self, age: Duration) -> Vec<LegRecord> {
        let (now, old) = (self.now, self.now.minus(age));
        let stale = |leg: &&LegRecord| leg.state == LegState::Released && leg.since <= old;
        let found: Vec<LegId> = self.open_legs().filter(stale).map(|leg| leg.id).collect();
        let touch = |id: LegId| {
            let leg = self.leg_mut(id).expect("just found");
            leg.since = now;
            leg.clone()
        };
        found.into_iter().map(touch).collect()
    }

    pub(crate) fn overdue(&self, grace: Duration) -> Vec<(LegId, Dispatch)> {
        let late = |leg: &&LegRecord| {
            leg.state == LegState::Published && leg.since.plus(leg.cap + grace) <= self.now
        };
        self.open_legs().filter(late).map(|leg| (leg.id, leg.dispatch)).collect()
    }

    pub(crate) fn wake(&mut self) -> BTreeSet<GroupId> {
        let now = self.now;
        let due = |leg: &&LegRecord| {
            leg.state == LegState::Snoozed && leg.due.is_none_or(|due| due <= now)
        };
        let found: Vec<LegId> = self.open_legs().filter(due).map(|leg| leg.id).collect();
        let wake = |id: LegId| {
            let leg = self.leg_mut(id).expect("just found");
            (leg.state, leg.since, leg.due) = (LegState::Ready, now, None);
            leg.group.clone()
        };
        found.into_iter().map(wake).collect()
    }

    pub(crate) fn waiting(&self, age: Duration) -> BTreeSet<GroupId> {
        let old = self.now.minus(age);
        let idle = |group: &GroupId| {
            // A clock that was set back must not hide a group for an hour.
            let last = self.dispatched.get(group);
            last.is_none_or(|(last, _)| *last <= old || self.now < *last)
        };
        let ready = self
            .open_legs()
            .filter(|leg| leg.state == LegState::Ready && !self.is_paused(self.batch_of(leg)));
        ready.map(|leg| leg.group.clone()).filter(idle).collect()
    }

    pub(crate) fn expired(&self) -> Vec<JobId> {
        let late = |row: &&Row| row.job.deadline <= self.now && !self.is_paused(row.job.batch);
        self.open_rows().filter(late).map(|row| row.job.id).collect()
    }

    pub(crate) fn view(&self, job: JobId) -> Option<JobView> {
        let row = self.rows.get(&job)?;
        let legs = row
            .legs
            .iter()
            .map(|leg| LegView { leg: leg.clone(), budget: self.budget(leg.login, &leg.group) });
        Some(JobView { now: self.now, job: row.job.clone(), legs: legs.collect() })
    }

    /// Writes a decision. The caller has read the view in the same transaction, unless it
    /// is a mutation.
    pub(crate) fn apply(
        &mut self,
        view: &JobView,
        change: JobChange,
        mutation: Option<Mutation>,
    ) -> BTreeSet<GroupId> {
        let mut wake = BTreeSet::new();
        let mut broken = Vec::new();
        for leg in change.legs {
            let row = self.leg_mut(leg.id).expect("a leg of the view");
            if row.state != leg.state && !row.state.may_become(leg.state) {
                broken.push(format!("I2: leg {} went from {} to {}", leg.id, row.state, leg.state));
            }
            if row.state.is_out() && !leg.state.is_out() || leg.state == LegState::Ready {
                wake.insert(row.group.clone());
                wake.insert(leg.group.clone());
            }
            *row = leg;
        }
        if let Some(job) = change.job {
            let ended = job.clone();
            let again = self.finish(view, job);
            if again.is_none() {
                self.end_item(&ended, mutation);
            }
            broken.extend(again);
        }
        for entry in change.ledger {
            if self.ledger_legs.insert(entry.leg) {
                let budget = self.ledger.entry((entry.login, entry.group.key)).or_default();
                budget.refusals += 1;
                budget.last = Some(self.now);
            }
        }
        self.broken.extend(broken);
        wake
    }

    fn finish(&mut self, view: &JobView, job: JobRecord) -> Option<String> {
        let row = self.rows.get_mut(&job.id).expect("a job of the view");
        let was = row.job.state;
        self.open.remove(&job.id);
        let again = row.job.state.is_final().then(|| {
            let which = if was == JobState::Cancelled { "I9" } else { "I2" };
            format!("{which}: job {} was {was} and became {}", view.job.id, job.state)
        });
        row.job = job;
        again
    }
}
