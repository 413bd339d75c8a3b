//! Workers, shards and limit groups on the wire.

use std::num::NonZeroU32;
use std::time::Duration;

use mailfleet_model::Violations;
use mailfleet_model::fleet::{
    Announcement, GroupId, GroupKey, GroupLimits, GroupSettings, GroupState, Rate, ShardIndex,
    WorkerId, ZoneName,
};

use crate::v1::limit_group::Condition;
use crate::{v1, when};

mod summary;

pub use summary::{parse_window, recent};

/// Begins the name of every worker.
const WORKERS: &str = "workers/";
/// Stands around the zone in the name of every limit group.
const ZONES: &str = "zones/";
const GROUPS: &str = "/limitGroups/";
/// Most sessions at once, and from one source address.
const MOST_SESSIONS: u32 = 10_000;
/// Most logins in a period.
const MOST_LOGINS: u32 = 100_000;
/// Shortest, usual and longest period of a login rate.
const PERIOD: (Duration, Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
/// Groups on a page if the caller says nothing, and at most.
const PAGE: (usize, usize) = (50, 200);
/// Longest text to look for, in bytes: as long as a key.
const MAX_TEXT: usize = 300;

/// The name of a worker.
#[must_use]
pub fn worker_name(worker: &WorkerId) -> String {
    format!("{WORKERS}{worker}")
}

/// Reads the name of a worker.
///
/// # Errors
/// One violation of the field `name`.
pub fn parse_worker_name(name: &str) -> Result<WorkerId, Violations> {
    let mut bad = Violations::default();
    let id = name.strip_prefix(WORKERS).and_then(|id| id.parse().ok());
    bad.check("name", id.ok_or("is not workers/ and an id")).ok_or(bad)
}

/// The name of a limit group.
#[must_use]
pub fn group_name(group: &GroupId) -> String {
    format!("{ZONES}{}{GROUPS}{}", group.zone, group.key)
}

/// Reads the name of a limit group of one of these zones.
///
/// # Errors
/// One violation of the field `name`.
pub fn parse_group_name(name: &str, zones: &[ZoneName]) -> Result<GroupId, Violations> {
    let mut bad = Violations::default();
    let group = group_named(name).filter(|group| zones.contains(&group.zone));
    let forms: Vec<String> = zones.iter().map(|zone| format!("{ZONES}{zone}{GROUPS}")).collect();
    let wrong = format!("is not {} and a key", forms.join(" or "));
    bad.check("name", group.ok_or(wrong)).ok_or(bad)
}

fn group_named(name: &str) -> Option<GroupId> {
    let (zone, key) = name.strip_prefix(ZONES)?.split_once(GROUPS)?;
    Some(GroupId { zone: zone.parse().ok()?, key: GroupKey::new(key).ok()? })
}

/// A worker that was heard so long ago.
#[must_use]
pub fn worker(news: &Announcement, silence: Duration) -> v1::Worker {
    v1::Worker {
        name: worker_name(&news.worker),
        zone: news.zone.to_string(),
        shards: news.shards.iter().map(|shard| u32::from(shard.0)).collect(),
        capacity: news.capacity,
        running: news.running,
        draining: news.draining,
        version: news.version.clone(),
        silence: Some(when::duration(silence)),
    }
}

/// What the store and the owner know about a group.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its settings.
    pub settings: GroupSettings,
    /// The part of its zone in what it allows; `None`: nothing.
    pub part: Option<GroupLimits>,
    /// Its shard.
    pub shard: ShardIndex,
    /// Legs that are out.
    pub out: u32,
    /// Legs that wait in the store.
    pub waiting: u32,
    /// What its owner says.
    pub owner: Option<GroupState>,
}

/// The group as it is shown.
#[must_use]
pub fn group(known: &Known) -> v1::LimitGroup {
    let Known { settings, part, shard, out, waiting, owner } = known;
    v1::LimitGroup {
        name: group_name(&settings.group),
        key: settings.group.key.to_string(),
        shard: u32::from(shard.0),
        limits: Some(limits(&settings.limits)),
        paused: settings.paused,
        version: settings.version,
        out: *out,
        waiting_in_store: *waiting,
        owner: owner.as_ref().map(owner_state),
        conditions: conditions(settings.paused, 0 < *waiting, part.is_none(), owner.as_ref())
            .into_iter()
            .map(Into::into)
            .collect(),
        zone_limits: part.as_ref().map(limits),
    }
}

/// The conditions that hold, in ascending order.
#[must_use]
pub fn conditions(
    paused: bool,
    waiting: bool,
    is_shut_out: bool,
    owner: Option<&GroupState>,
) -> Vec<Condition> {
    let says = |is: fn(&GroupState) -> bool| owner.is_some_and(is);
    let all = [
        // The owner of a zone that is shut out was told that the group is paused.
        (Condition::Paused, paused || (!is_shut_out && says(|owner| owner.paused))),
        (Condition::ServerDown, says(|owner| owner.breaker.is_some())),
        (Condition::Lowered, says(|owner| owner.lowered.is_some())),
        (Condition::Waiting, waiting || says(|owner| 0 < owner.waiting)),
        (Condition::ShutOut, is_shut_out),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(condition, _)| condition).collect()
}

/// Whether one of these conditions wants an operator: all do, but that legs wait.
pub fn is_sick(mut conditions: impl Iterator<Item = Condition>) -> bool {
    conditions.any(|condition| !matches!(condition, Condition::Waiting | Condition::Unspecified))
}

fn owner_state(state: &GroupState) -> v1::OwnerState {
    v1::OwnerState {
        limit: state.limit,
        in_use: state.in_use,
        waiting: state.waiting,
        down_for: state.breaker.map(when::duration),
        lowered_for: state.lowered.map(when::duration),
    }
}

fn limits(limits: &GroupLimits) -> v1::Limits {
    v1::Limits {
        concurrency: limits.concurrency.get(),
        per_source: limits.per_source.map_or(0, NonZeroU32::get),
        login_rate: limits.rate.map(|rate| v1::LoginRate {
            logins: rate.logins.get(),
            period: Some(when::duration(rate.per)),
        }),
    }
}

/// Reads what a group is to allow.
///
/// # Errors
/// All bad fields at once, below `limits`.
pub fn parse_limits(asked: Option<&v1::Limits>) -> Result<GroupLimits, Violations> {
    let mut bad = Violations::default();
    let Some(asked) = asked else {
        bad.add("limits", "is required");
        return Err(bad);
    };
    let within = |number: u32, most: u32| NonZeroU32::new(number).filter(|n| n.get() <= most);
    let concurrency = bad.check(
        "limits.concurrency",
        within(asked.concurrency, MOST_SESSIONS).ok_or("is not from 1 to 10000"),
    );
    let per_source = within(asked.per_source, MOST_SESSIONS);
    if asked.per_source != 0 && per_source.is_none() {
        bad.add("limits.per_source", "is not from 0 to 10000");
    }
    let rate = asked.login_rate.as_ref().and_then(|rate| {
        let logins = bad.check(
            "limits.login_rate.logins",
            within(rate.logins, MOST_LOGINS).ok_or("is not from 1 to 100000"),
        );
        let (shortest, usual, longest) = PERIOD;
        let per = match rate.period {
            None => Some(usual),
            Some(period) => {
                when::to_duration(period).filter(|per| (shortest..=longest).contains(per))
            }
        };
        let wrong = "is not from 1 s to 86400 s";
        let per = bad.check("limits.login_rate.period", per.ok_or(wrong));
        Some(Rate { logins: logins?, per: per? })
    });
    match concurrency.filter(|_| bad.is_empty()) {
        Some(concurrency) => Ok(GroupLimits { concurrency, per_source, rate }),
        None => Err(bad),
    }
}

/// Which limit groups a caller wants to see.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupListing {
    /// Groups on a page, from 1 to 200.
    pub page_size: usize,
    /// The group that the page comes after.
    pub after: Option<GroupId>,
    /// Only keys that contain this.
    pub contains: String,
    /// Only groups with one of these; empty: all.
    pub conditions: Vec<Condition>,
}

impl GroupListing {
    /// Whether a group is to be shown, wherever the page begins.
    #[must_use]
    pub fn wants(&self, key: &GroupKey, conditions: &[Condition]) -> bool {
        let condition = self.conditions.is_empty()
            || conditions.iter().any(|condition| self.conditions.contains(condition));
        condition && key.as_str().contains(&self.contains)
    }
}

/// Reads the request for a list.
///
/// # Errors
/// All bad fields at once.
pub fn group_listing(request: &v1::ListLimitGroupsRequest) -> Result<GroupListing, Violations> {
    let mut bad = Violations::default();
    let page_size = match usize::try_from(request.page_size) {
        Ok(0) => PAGE.0,
        Ok(size) => size.min(PAGE.1),
        Err(_) => {
            bad.add("page_size", "is less than 0");
            PAGE.0
        }
    };
    let after = Some(&request.page_token).filter(|token| !token.is_empty());
    let after = after.and_then(|token| {
        bad.check("page_token", group_named(token).ok_or("is not a token of this service"))
    });
    if MAX_TEXT < request.key_contains.len() {
        bad.add("key_contains", "is longer than 300 characters");
    }
    let conditions = request.conditions.iter().map(|number| Condition::try_from(*number));
    let conditions: Option<Vec<Condition>> =
        conditions.map(|c| c.ok().filter(|c| *c != Condition::Unspecified)).collect();
    let conditions = bad.check("conditions", conditions.ok_or("holds a value that is not known"));
    match conditions.filter(|_| bad.is_empty()) {
        Some(conditions) => Ok(GroupListing {
            page_size,
            after,
            contains: request.key_contains.clone(),
            conditions,
        }),
        None => Err(bad),
    }
}

#[cfg(test)]
mod tests;
