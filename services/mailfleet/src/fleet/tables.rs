//! Workers, shards and limit groups as tables.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use mailfleet_api::v1;
use mailfleet_api::v1::limit_group::Condition;

use super::WORKERS;
use crate::render::columns::{Cell, cell, table};
use crate::render::{BAD, CODE, DIM, GOOD, WARN, wrap};
use crate::span;

const PLAIN: Style = Style::new();
/// Silence after which the others count a worker out.
const SILENT: Duration = Duration::from_millis(2_500);

/// The workers, one a line.
pub(super) fn workers(workers: &[v1::Worker]) -> String {
    let row = |worker: &v1::Worker| {
        let silence = duration(worker.silence.as_ref()).unwrap_or_default();
        let state = match (worker.draining, SILENT < silence) {
            (true, _) => cell(WARN, "draining"),
            (false, true) => cell(BAD, format!("silent for {}", span::brief(silence))),
            (false, false) => cell(GOOD, "ready"),
        };
        vec![
            cell(CODE, bare(&worker.name)),
            state,
            cell(PLAIN, worker.shards.len()),
            cell(PLAIN, format!("{} of {}", worker.running, worker.capacity)),
            cell(DIM, wrap::clean(&worker.version)),
        ]
    };
    table(&["WORKER", "STATE", "SHARDS", "RUNNING", "VERSION"], workers.iter().map(row).collect())
}

/// The owners with their shards, and the shards that wait for one.
pub(super) fn shards(answer: &v1::ListShardsResponse) -> String {
    let mut owners: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let (mut free, mut moving) = (Vec::new(), Vec::new());
    for shard in &answer.shards {
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
    table(&["OWNER", "SHARDS", "WHICH"], rows)
}

/// The limit groups, one a line.
pub(super) fn groups(groups: &[v1::LimitGroup]) -> String {
    let heading =
        ["LIMIT GROUP", "IN USE", "LIMIT", "WAITING", "LOGINS", "PER SOURCE", "SHARD", "STATE"];
    table(&heading, groups.iter().map(group).collect())
}

fn group(group: &v1::LimitGroup) -> Vec<Cell> {
    let limits = group.limits.unwrap_or_default();
    let owner = group.owner.as_ref();
    let in_use = owner.map_or("-".to_owned(), |owner| owner.in_use.to_string());
    let now = owner.map(|owner| owner.limit).filter(|now| *now != limits.concurrency);
    let limit = match now {
        Some(now) => format!("{now} ({})", limits.concurrency),
        None => limits.concurrency.to_string(),
    };
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
    if holds(Condition::Paused) {
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
        let text = anstream::adapter::strip_str(&groups(&[group])).to_string();
        let line = text.lines().nth(1).expect("a row");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["imap:google", "4", "4", "(10)", "7", "-", "-", "0", "lowered"]);
    }
}
