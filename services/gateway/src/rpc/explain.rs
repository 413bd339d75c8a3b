//! Says what a job waits for: of each leg the reason, and one sentence for people.
//!
//! The leg's state tells most of it, the group's settings and its owner the rest. What an
//! owner does not say is told as the likeliest.

mod words;

use std::collections::HashMap;
use std::time::Duration;

use mailfleet_api::job::{self, Explained};
use mailfleet_api::v1;
use mailfleet_api::v1::leg_explanation::Reason;
use mailfleet_engine::budget::{Try, may_try};
use mailfleet_engine::rules::DispatchRules;
use mailfleet_model::fleet::{
    GatewayQueue, GroupId, GroupSettings, GroupState, JobView, LegState, LegView, Store,
    StoreError, Timestamp,
};
use mailfleet_remedy::Language;
use tonic::Status;

use crate::gateway::Gateway;
use crate::states::Occupancy;
use crate::status;
use words::Why;

/// What is known about a group.
#[derive(Debug, Clone)]
struct Facts {
    settings: GroupSettings,
    occupancy: Occupancy,
    /// What its owner says.
    state: Option<GroupState>,
    /// Whether a worker says that it owns the shard.
    is_owned: bool,
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
        job::explanation(&row.leg, explained(&why, text))
    });
    Ok(v1::ExplainJobResponse { summary, legs: told.collect() })
}

async fn facts<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    row: &LegView,
) -> Result<Facts, StoreError> {
    let (group, shard) = (&row.leg.group, row.leg.shard);
    let mut settings = gateway.store.group(group).await?;
    settings.limits = gateway.part(&settings.limits, &group.zone).unwrap_or(settings.limits);
    let occupancy = gateway.occupancy(group).await?;
    // Only of a leg that is there can the owner say anything.
    let is_there = row.leg.state == LegState::Published;
    let state = if is_there { gateway.state(group).await } else { None };
    let is_owned = !gateway.members.owners(&group.zone, shard, gateway.now()).is_empty();
    Ok(Facts { settings, occupancy, state, is_owned })
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
            Try::Allowed => Why::Turn { limit, out: facts.occupancy.out },
        },
        LegState::Snoozed => match leg.end.as_ref().and_then(|end| end.summary.code) {
            Some(code) => Why::Retry { code, wait },
            None => Why::Returned(wait),
        },
        LegState::Released => Why::HandOver,
        LegState::Published => match &facts.state {
            Some(state) => at_owner(state, &facts.settings),
            None if facts.is_owned => Why::Running(None),
            None => Why::NoOwner,
        },
    }
}

/// What a leg does at its owner. Where some run and some wait, it is said to wait.
fn at_owner(state: &GroupState, settings: &GroupSettings) -> Why {
    let slots = (state.limit, state.in_use);
    if state.waiting == 0 && 0 < state.in_use {
        return Why::Running(Some(slots));
    }
    if state.paused {
        return Why::Paused;
    }
    match state.breaker {
        Some(wait) => Why::ServerDown(Some(wait).filter(|wait| !wait.is_zero())),
        None if state.in_use < state.limit && settings.limits.rate.is_some() => Why::LoginRate,
        // Just taken over, or about to start.
        None if state.waiting == 0 => Why::HandOver,
        None => Why::Slot { limit: slots.0, in_use: slots.1, waiting: state.waiting },
    }
}

fn explained(why: &Why, text: String) -> Explained {
    let plain = |reason| (reason, None, None, None);
    let waits = |reason, wait: Option<Duration>| (reason, wait, None, None);
    let (reason, wait, slots, code) = match *why {
        Why::Ended => plain(Reason::Ended),
        Why::OtherLeg => plain(Reason::OtherLeg),
        Why::Paused => plain(Reason::GroupPaused),
        Why::HandOver | Why::NoOwner => plain(Reason::HandOver),
        Why::LoginRate => plain(Reason::LoginRate),
        Why::KeptBack(wait) => waits(Reason::LoginKeptBack, wait),
        Why::ServerDown(wait) => waits(Reason::ServerDown, wait),
        Why::Returned(wait) => waits(Reason::Returned, wait),
        Why::Turn { limit, out } => (Reason::Turn, None, Some((limit, out)), None),
        Why::Slot { limit, in_use, .. } => (Reason::Slot, None, Some((limit, in_use)), None),
        Why::Running(slots) => (Reason::Running, None, slots, None),
        Why::Retry { code, wait } => (Reason::Retry, wait, None, Some(code)),
    };
    Explained { reason, text, wait, slots, code }
}

#[cfg(test)]
mod tests;
