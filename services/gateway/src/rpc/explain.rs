//! Says what a job waits for: of each leg the reason, and one sentence for people.
//!
//! The leg's state tells most of it, the group's settings and its owner the rest. What an
//! owner does not say is not guessed.

mod words;

use std::collections::HashMap;
use std::time::Duration;

use mailfleet_api::job::{self, Explained};
use mailfleet_api::v1;
use mailfleet_api::v1::leg_explanation::Reason;
use mailfleet_engine::budget::{Try, may_try};
use mailfleet_engine::rules::DispatchRules;
use mailfleet_model::fleet::{
    GatewayQueue, GroupId, GroupOccupancy, GroupSettings, GroupState, HeldStage, JobView, LegEnd,
    LegRecord, LegState, LegSummary, LegView, Store, StoreError, Timestamp, WorkerId,
};
use mailfleet_remedy::Language;
use tonic::Status;

use crate::gateway::Gateway;
use crate::states::Answer;
use crate::status;
use words::Why;

/// What is known about a group.
#[derive(Debug, Clone)]
struct Facts {
    settings: GroupSettings,
    /// Legs of it that are out.
    out: u32,
    /// What its owner says, of the group and of the job's legs.
    answer: Option<Answer>,
    /// Who says that it owns the shard.
    owner: Option<WorkerId>,
}

pub(super) async fn explain<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    view: &JobView,
    language: Option<Language>,
) -> Result<v1::ExplainJobResponse, Status> {
    let tongue = language.unwrap_or(Language::English);
    let mut known: HashMap<GroupId, Facts> = HashMap::new();
    let mut legs = Vec::new();
    for row in &view.legs {
        let group = &row.leg.group;
        if !row.leg.state.is_final() && !known.contains_key(group) {
            let facts = facts(gateway, row).await;
            let facts = facts.map_err(|error| status::store(&error, language))?;
            known.insert(group.clone(), facts);
        }
        let why = judge(row, known.get(group), view.now, &gateway.rules.dispatch);
        legs.push((why, row));
    }
    let summary = words::summary(&legs, tongue);
    let told = legs.into_iter().map(|(why, row)| {
        let text = words::sentence(&why, tongue);
        job::explanation(&row.leg, explained(why, text))
    });
    Ok(v1::ExplainJobResponse { summary, legs: told.collect() })
}

async fn facts<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    row: &LegView,
) -> Result<Facts, StoreError> {
    let (group, shard) = (&row.leg.group, row.leg.shard);
    let GroupOccupancy { mut settings, out, .. } = gateway.occupancy(group).await?;
    settings.limits = gateway.part(&settings.limits, &group.zone).unwrap_or(settings.limits);
    // Only of a leg that is there can the owner say anything.
    let may_be_there = row.leg.state.is_out();
    let job = Some(row.leg.id.job);
    let answer = if may_be_there { gateway.owner(group, job).await } else { None };
    let owner = gateway.members.owners(&group.zone, shard, gateway.now()).into_iter().next();
    Ok(Facts { settings, out, answer, owner })
}

/// Why a leg has not ended.
fn judge(row: &LegView, facts: Option<&Facts>, now: Timestamp, rules: &DispatchRules) -> Why {
    let Some(facts) = facts.filter(|_| !row.leg.state.is_final()) else { return Why::Ended };
    let leg = &row.leg;
    let wait = leg.due.map(|due| due.since(now));
    let limit = facts.settings.limits.concurrency.get();
    match leg.state {
        LegState::Done | LegState::Cancelled | LegState::Skipped => Why::Ended,
        LegState::Blocked => Why::OtherLeg,
        LegState::Ready | LegState::Snoozed if facts.settings.paused => Why::Paused,
        LegState::Ready => match may_try(row.budget, leg.class, now, rules) {
            Try::NotBefore(time) => Why::KeptBack(Some(time.since(now))),
            Try::NotByItself => Why::KeptBack(None),
            Try::Allowed => Why::Turn { limit, out: facts.out },
        },
        LegState::Snoozed => match (leg.returned, &leg.end) {
            // A run clears why it was given back before.
            (None, Some(LegEnd { summary: LegSummary { code: Some(code), .. }, .. })) => {
                Why::Retry { code: *code, wait }
            }
            (cause, _) => Why::Returned { cause, wait },
        },
        // That the broker has it is noted later than its owner may have it.
        LegState::Released => match facts.answer.as_ref().filter(|answer| answer.held.is_some()) {
            Some(answer) => at_owner(leg, answer, &facts.settings),
            None => Why::HandOver,
        },
        LegState::Published => match (&facts.answer, &facts.owner) {
            (Some(answer), _) => at_owner(leg, answer, &facts.settings),
            (None, Some(owner)) => Why::AtWorker(owner.clone()),
            (None, None) => Why::NoOwner,
        },
    }
}

/// What a leg does at its owner.
fn at_owner(leg: &LegRecord, answer: &Answer, settings: &GroupSettings) -> Why {
    let worker = answer.worker.clone();
    let state = answer.state(&leg.group);
    let Some(held) = &answer.held else {
        // An older version does not tell which legs it has. Where none waits, it is not this one.
        return match state.filter(|state| 0 < state.waiting) {
            Some(state) => waiting(state, settings),
            None => Why::AtWorker(worker),
        };
    };
    let Some(held) = held.iter().find(|held| held.leg == leg.id) else { return Why::HandOver };
    match held.stage {
        HeldStage::Running => {
            let slots = state.map(|state| (state.limit, state.in_use));
            Why::Running { worker, source: held.source, slots }
        }
        HeldStage::Asking => Why::HandOver,
        HeldStage::Leaving => Why::Leaving(worker),
        HeldStage::Waiting => state.map_or(Why::HandOver, |state| waiting(state, settings)),
    }
}

/// What a leg waits for at its owner.
fn waiting(state: &GroupState, settings: &GroupSettings) -> Why {
    let slots = (state.limit, state.in_use);
    if state.paused {
        return Why::Paused;
    }
    match state.breaker {
        Some(wait) => Why::ServerDown(Some(wait).filter(|wait| !wait.is_zero())),
        None if state.in_use < state.limit && settings.limits.rate.is_some() => Why::LoginRate,
        None => Why::Slot { limit: slots.0, in_use: slots.1, waiting: state.waiting },
    }
}

fn explained(why: Why, text: String) -> Explained {
    let (mut worker, mut source) = (None, None);
    let plain = |reason| (reason, None, None, None);
    let waits = |reason, wait: Option<Duration>| (reason, wait, None, None);
    let (reason, wait, slots, code) = match why {
        Why::Ended => plain(Reason::Ended),
        Why::OtherLeg => plain(Reason::OtherLeg),
        Why::Paused => plain(Reason::GroupPaused),
        Why::HandOver | Why::NoOwner => plain(Reason::HandOver),
        Why::LoginRate => plain(Reason::LoginRate),
        Why::KeptBack(wait) => waits(Reason::LoginKeptBack, wait),
        Why::ServerDown(wait) => waits(Reason::ServerDown, wait),
        Why::Returned { wait, .. } => waits(Reason::Returned, wait),
        Why::Turn { limit, out } => (Reason::Turn, None, Some((limit, out)), None),
        Why::Slot { limit, in_use, .. } => (Reason::Slot, None, Some((limit, in_use)), None),
        Why::Running { worker: at, source: from, slots } => {
            (worker, source) = (Some(at), from);
            (Reason::Running, None, slots, None)
        }
        Why::AtWorker(at) => {
            worker = Some(at);
            plain(Reason::AtWorker)
        }
        Why::Leaving(at) => {
            worker = Some(at);
            plain(Reason::Leaving)
        }
        Why::Retry { code, wait } => (Reason::Retry, wait, None, Some(code)),
    };
    Explained { reason, text, wait, slots, code, worker, source }
}

#[cfg(test)]
mod tests;
