//! Workers, shards and limit groups as tables.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use mailfleet_api::v1;
use mailfleet_api::v1::limit_group::Condition;

use super::WORKERS;
use crate::render::columns::{Cell, Table, cell, table};
use crate::render::{BAD, CODE, DIM, GOOD, WARN, wrap};
use crate::span;

/// Columns that a narrow terminal may do without.
pub(super) const VERSION: &str = "VERSION";
pub(super) const LOGINS: &str = "LOGINS";
pub(super) const PER_SOURCE: &str = "PER SOURCE";
pub(super) const SHARD: &str = "SHARD";

const PLAIN: Style = Style::new();
/// Silence after which the others count a worker out.
const SILENT: Duration = Duration::from_millis(2_500);

/// The workers, one a line.
pub(super) fn workers(workers: &[v1::Worker]) -> Table {
    let zones = Zones::of(workers.iter().map(|worker| worker.zone.as_str()));
    let row = |worker: &v1::Worker| {
        let state = match (worker.draining, silent(worker)) {
            (true, _) => cell(WARN, "draining"),
            (false, Some(silence)) => cell(BAD, format!("silent for {}", span::brief(silence))),
            (false, None) => cell(GOOD, "ready"),
        };
        let row = vec![
            cell(CODE, bare(&worker.name)),
            state,
            cell(PLAIN, worker.shards.len()),
            cell(PLAIN, format!("{} of {}", worker.running, worker.capacity)),
            cell(DIM, wrap::clean(&worker.version)),
        ];
        zones.with(1, &worker.zone, row)
    };
    let heading = zones.heading(1, &["WORKER", "STATE", "SHARDS", "RUNNING", VERSION]);
    Table::new(&heading, workers.iter().map(row).collect())
}

/// How long a worker has been silent, if that is too long.
pub(super) fn silent(worker: &v1::Worker) -> Option<Duration> {
    let silence = duration(worker.silence.as_ref()).unwrap_or_default();
    Some(silence).filter(|silence| SILENT < *silence)
}

/// The owners with their shards, and the shards that wait for one, zone by zone.
pub(super) fn shards(answer: &v1::ListShardsResponse) -> String {
    let zones = Zones::of(answer.shards.iter().map(|shard| shard.zone.as_str()));
    let mut by_zone: BTreeMap<&str, Vec<&v1::Shard>> = BTreeMap::new();
    for shard in &answer.shards {
        by_zone.entry(&shard.zone).or_default().push(shard);
    }
    let rows = by_zone.into_iter().flat_map(|(zone, shards)| {
        shards_of_zone(&shards).into_iter().map(|row| zones.with(0, zone, row)).collect::<Vec<_>>()
    });
    table(&zones.heading(0, &["OWNER", "SHARDS", "WHICH"]), rows.collect())
}

fn shards_of_zone(shards: &[&v1::Shard]) -> Vec<Vec<Cell>> {
    let mut owners: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let (mut free, mut moving) = (Vec::new(), Vec::new());
    for shard in shards {
        match shard.owners.as_slice() {
            [] => free.push(shard.index),
            owned => {
                if owned.len() > 1 {
                    moving.push(shard.index);
                }
                for owner in owned {
                    owners.entry(bare(owner)).or_default().push(shard.index);
                }
            }
        }
    }
    let owned = |(owner, shards): (String, Vec<u32>)| {
        vec![cell(CODE, owner), cell(PLAIN, shards.len()), cell(DIM, ranges(&shards))]
    };
    let mut rows: Vec<Vec<Cell>> = owners.into_iter().map(owned).collect();
    for (what, style, shards) in [("changing hands", WARN, moving), ("no owner", BAD, free)] {
        if !shards.is_empty() {
            rows.push(vec![
                cell(style, what),
                cell(PLAIN, shards.len()),
                cell(DIM, ranges(&shards)),
            ]);
        }
    }
    rows
}

/// The limit groups, one a line.
pub(super) fn groups(groups: &[v1::LimitGroup]) -> Table {
    let heading = ["LIMIT GROUP", "IN USE", "LIMIT", "WAITING", LOGINS, PER_SOURCE, SHARD, "STATE"];
    let zones = Zones::of(groups.iter().map(|group| zone_of(&group.name)));
    let rows = groups.iter().map(|it| zones.with(1, zone_of(&it.name), group(it)));
    Table::new(&zones.heading(1, &heading), rows.collect())
}

/// The zone of a limit group, out of its name.
fn zone_of(name: &str) -> &str {
    let named = name.strip_prefix("zones/").and_then(|rest| rest.split_once('/'));
    named.map_or("", |(zone, _)| zone)
}

/// Whether there are several zones, so that rows say which one they are about.
struct Zones(bool);

impl Zones {
    fn of<'a>(mut names: impl Iterator<Item = &'a str>) -> Self {
        let first = names.next();
        Self(names.any(|name| Some(name) != first))
    }

    fn heading<'a>(&self, place: usize, heading: &[&'a str]) -> Vec<&'a str> {
        let mut heading = heading.to_vec();
        if self.0 {
            heading.insert(place, "ZONE");
        }
        heading
    }

    fn with(&self, place: usize, zone: &str, mut row: Vec<Cell>) -> Vec<Cell> {
        if self.0 {
            row.insert(place, cell(PLAIN, wrap::clean(zone)));
        }
        row
    }
}

/// What the group allows in its zone, and the mail server as a whole where that is more.
fn group(group: &v1::LimitGroup) -> Vec<Cell> {
    let whole = group.limits.unwrap_or_default();
    // A gateway that does not split limits, of an older version, says nothing of a part.
    let is_shut_out = group.conditions().any(|found| found == Condition::ShutOut);
    let limits =
        group.zone_limits.unwrap_or(if is_shut_out { v1::Limits::default() } else { whole });
    let owner = group.owner.as_ref();
    let in_use = owner.map_or("-".to_owned(), |owner| owner.in_use.to_string());
    let now = owner.map(|owner| owner.limit).filter(|now| *now != limits.concurrency);
    let now = now.filter(|_| !is_shut_out);
    let mut limit = match now {
        Some(now) => format!("{now} ({})", limits.concurrency),
        None => limits.concurrency.to_string(),
    };
    if limits.concurrency != whole.concurrency {
        limit.push_str(&format!(" of {}", whole.concurrency));
    }
    let waiting = group.waiting_in_store + owner.map_or(0, |owner| owner.waiting);
    let rate = limits.login_rate.as_ref().map_or("-".to_owned(), |rate| {
        let period = duration(rate.period.as_ref()).unwrap_or(Duration::from_secs(60));
        format!("{}/{}", rate.logins, span::write(period))
    });
    let per_source = match limits.per_source {
        0 => "-".to_owned(),
        cap => cap.to_string(),
    };
    vec![
        cell(CODE, wrap::clean(&group.key)),
        cell(PLAIN, in_use),
        cell(if now.is_some() { WARN } else { PLAIN }, limit),
        cell(PLAIN, waiting),
        cell(PLAIN, rate),
        cell(PLAIN, per_source),
        cell(DIM, group.shard),
        state(group),
    ]
}

/// What an operator has to know first.
fn state(group: &v1::LimitGroup) -> Cell {
    let holds = |condition| group.conditions().any(|found| found == condition);
    let for_how_long = |time: Option<&prost_types::Duration>| {
        duration(time).map(|time| format!(" for {}", span::brief(time))).unwrap_or_default()
    };
    let owner = group.owner.as_ref();
    if holds(Condition::ShutOut) {
        cell(WARN, "no part for this zone")
    } else if holds(Condition::Paused) {
        cell(WARN, "paused")
    } else if holds(Condition::ServerDown) {
        let time = for_how_long(owner.and_then(|owner| owner.down_for.as_ref()));
        cell(BAD, format!("does not answer, left alone{time}"))
    } else if holds(Condition::Lowered) {
        let time = for_how_long(owner.and_then(|owner| owner.lowered_for.as_ref()));
        cell(WARN, format!("lowered{time}"))
    } else if owner.is_none() {
        cell(DIM, "idle")
    } else {
        cell(GOOD, "ok")
    }
}

fn bare(name: &str) -> String {
    wrap::clean(name.strip_prefix(WORKERS).unwrap_or(name))
}

fn duration(time: Option<&prost_types::Duration>) -> Option<Duration> {
    Duration::try_from(*time?).ok()
}

/// `0-3, 7, 9-12`.
fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let run = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_shards_are_told_as_one_range() {
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3, 7, 9-10");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn a_lowered_limit_shows_both_numbers() {
        let group = v1::LimitGroup {
            key: "imap:google".to_owned(),
            limits: Some(v1::Limits { concurrency: 10, ..v1::Limits::default() }),
            owner: Some(v1::OwnerState { limit: 4, in_use: 4, waiting: 2, ..Default::default() }),
            waiting_in_store: 5,
            conditions: vec![Condition::Lowered.into()],
            ..v1::LimitGroup::default()
        };
        let text = anstream::adapter::strip_str(&groups(&[group]).render()).to_string();
        let line = text.lines().nth(1).expect("a row");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["imap:google", "4", "4", "(10)", "7", "-", "-", "0", "lowered"]);
    }

    #[test]
    fn zones_are_shown_where_there_are_several() {
        let part = |zone: &str, part: Option<u32>| v1::LimitGroup {
            name: format!("zones/{zone}/limitGroups/imap:google"),
            key: "imap:google".to_owned(),
            limits: Some(v1::Limits { concurrency: 3, ..v1::Limits::default() }),
            zone_limits: part.map(|n| v1::Limits { concurrency: n, ..v1::Limits::default() }),
            conditions: part.map_or(vec![Condition::ShutOut.into()], |_| Vec::new()),
            ..v1::LimitGroup::default()
        };
        let shown = |all: &[v1::LimitGroup]| -> Vec<String> {
            let text = anstream::adapter::strip_str(&groups(all).render()).to_string();
            let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().skip(1).map(squeezed).collect()
        };
        let two = [part("osaka", Some(2)), part("tokyo", None)];
        let expect = [
            "imap:google osaka - 2 of 3 0 - - 0 idle",
            "imap:google tokyo - 0 of 3 0 - - 0 no part for this zone",
        ];
        assert_eq!(shown(&two), expect);
        assert_eq!(shown(&[part("osaka", Some(3))]), ["imap:google - 3 0 - - 0 idle"]);
    }
}
