//! Draws the fleet in one picture: what ends and how, the workers, the mail servers.
//!
//! A pure function of an answer and a size. What does not fit is left out, and the picture says
//! how much.

use std::cmp::Reverse;
use std::time::{Duration, UNIX_EPOCH};

use anstyle::Style;
use mailfleet_api::v1;
use mailfleet_api::v1::job::State;
use mailfleet_api::v1::report::Verdict;

use super::tables;
use crate::render::columns::{Cell, cell, row, widest};
use crate::render::{BAD, BOLD, DIM, GOOD, WARN, paint, wrap};
use crate::span;

const PLAIN: Style = Style::new();
/// Mail servers of a picture that is as long as it likes.
const ROWS: usize = 20;
/// Lines of the counts, below their heading: the verdicts, and what is open.
const COUNTS: usize = 5;
/// Terminals from here on have room for more causes.
const TALL: usize = 40;
const MORE_CAUSES: usize = 10;
/// What stands between the counts and the causes.
const BETWEEN: &str = "      ";
/// Workers get no more than a part of the lines, and never fewer than this.
const WORKERS: (usize, usize) = (4, 3);

/// What is shown.
pub(super) struct View<'a> {
    /// What the gateway said.
    pub(super) picture: &'a v1::GetFleetSummaryResponse,
    /// Why it is not new.
    pub(super) note: Option<&'a str>,
    /// What the person may do.
    pub(super) hint: Option<&'a str>,
}

/// The room that there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    /// `None`: as many as it takes.
    pub(super) rows: Option<usize>,
}

/// The picture: lines that end in a line break, none wider and no more of them than there is
/// room.
pub(super) fn draw(view: &View<'_>, size: Size) -> String {
    let picture = view.picture;
    let mut lines = head(picture, size.columns);
    lines.push(match (view.note, view.hint) {
        (Some(note), _) => paint(BAD, wrap::cut(note, size.columns)),
        (None, hint) => paint(DIM, wrap::cut(hint.unwrap_or_default(), size.columns)),
    });
    lines.extend(counts(picture, size));
    lines.push(String::new());
    lines.extend(workers(picture, size));
    lines.push(String::new());
    let room = size.rows.map_or(ROWS, |rows| rows.saturating_sub(lines.len() + 2));
    lines.extend(groups(picture, size.columns, room));
    lines.truncate(size.rows.unwrap_or(lines.len()));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// One line where it fits, two otherwise.
fn head(picture: &v1::GetFleetSummaryResponse, columns: usize) -> Vec<String> {
    let running: u32 = picture.workers.iter().map(|worker| worker.running).sum();
    let capacity: u32 = picture.workers.iter().map(|worker| worker.capacity).sum();
    let zones: Vec<String> = picture.zones.iter().map(|zone| wrap::clean(zone)).collect();
    let zone = if zones.len() == 1 { "zone" } else { "zones" };
    let workers = match picture.workers.len() {
        1 => "1 worker".to_owned(),
        many => format!("{many} workers"),
    };
    let head = format!("{zone} {}  {workers}  {running} of {capacity} legs", zones.join(", "));
    let shards = picture.shards;
    let (style, owned) = match picture.shards_without_owner {
        0 => (BOLD, format!("all {shards} shards owned")),
        free => (BAD, format!("{free} of {shards} shards without owner")),
    };
    let head = wrap::cut(&head, columns.saturating_sub(owned.len() + 2));
    let width = wrap::columns(&head) + 2 + owned.len();
    let mut line = format!("{}  {}", paint(BOLD, head), paint(style, owned));
    let time = moment(picture);
    // In the corner, where clocks are looked for; left out where it would take a line.
    let room = columns.saturating_sub(width);
    if time.len() + 2 <= room {
        line.push_str(&" ".repeat(room - time.len()));
        line.push_str(&paint(DIM, time));
    }
    vec![line]
}

fn moment(picture: &v1::GetFleetSummaryResponse) -> String {
    let time = picture.time.unwrap_or_default();
    let since = u64::try_from(time.seconds).unwrap_or_default();
    let whole = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(since));
    // The day is known.
    whole.to_string().split('T').next_back().unwrap_or_default().to_owned()
}

/// How jobs ended, beside what stood in the way of their legs.
fn counts(picture: &v1::GetFleetSummaryResponse, size: Size) -> Vec<String> {
    let left = verdicts(picture);
    let widths: Vec<usize> =
        (0..3).map(|at| widest(left.iter().filter_map(|r| r.get(at)))).collect();
    let window = picture.window.and_then(|window| Duration::try_from(window).ok());
    let window = span::brief(window.unwrap_or_default());
    let rate = format!("{:.1} jobs/s in the last {window}", picture.ended_per_second);
    let width = wrap::columns(&rate).max(widths.iter().sum::<usize>() + 4);
    let room = size.columns.saturating_sub(width + BETWEEN.len());
    let most = if size.rows.is_none_or(|rows| TALL <= rows) { MORE_CAUSES } else { COUNTS };
    let right = causes(picture, most);
    let wide: Vec<usize> =
        (0..2).map(|at| widest(right.iter().filter_map(|r| r.get(at)))).collect();
    let is_beside = wide.iter().sum::<usize>() + 2 <= room;
    let left: Vec<String> = std::iter::once(paint(BOLD, &rate))
        .chain(left.iter().map(|cells| row(cells, &widths).trim_end().to_owned()))
        .collect();
    if !is_beside {
        return left;
    }
    let right: Vec<String> =
        right.iter().map(|cells| row(cells, &wide).trim_end().to_owned()).collect();
    (0..left.len().max(right.len()))
        .map(|at| {
            let left = left.get(at).map(String::as_str).unwrap_or_default();
            let shown = wrap::columns(&anstream::adapter::strip_str(left).to_string());
            match right.get(at) {
                Some(right) => {
                    format!("{left}{}{BETWEEN}{right}", " ".repeat(width.saturating_sub(shown)))
                }
                None => left.to_owned(),
            }
        })
        .collect()
}

fn verdicts(picture: &v1::GetFleetSummaryResponse) -> Vec<Vec<Cell>> {
    let total: u64 = picture.ended.iter().map(|ended| ended.jobs).sum();
    let count = |is: &dyn Fn(State, Verdict) -> bool| -> u64 {
        let mine = picture.ended.iter().filter(|ended| is(ended.state(), ended.verdict()));
        mine.map(|ended| ended.jobs).sum()
    };
    let done = |verdict| count(&|state, said| state == State::Done && said == verdict);
    let line = |style: Style, name: &str, jobs: u64, share: Option<u64>| {
        let share = share.map_or(String::new(), |share| format!("{share:>3} %"));
        let style = if jobs == 0 { DIM } else { style };
        vec![cell(style, name), cell(style, format!("{:>9}", grouped(jobs))), cell(DIM, share)]
    };
    // Halves go up: one job of two hundred is not nothing.
    let share = |jobs: u64| (0 < total).then(|| (jobs * 100 + total / 2) / total.max(1));
    [
        (GOOD, "healthy", done(Verdict::Healthy)),
        (BAD, "faulty", done(Verdict::Faulty)),
        (WARN, "inconclusive", done(Verdict::Inconclusive)),
        (PLAIN, "cancelled", count(&|state, _| state == State::Cancelled)),
    ]
    .into_iter()
    .map(|(style, name, jobs)| line(style, name, jobs, share(jobs)))
    .chain([line(PLAIN, "open now", picture.open_jobs, None)])
    .collect()
}

/// A heading and the most frequent causes; the last line says how many more there are.
fn causes(picture: &v1::GetFleetSummaryResponse, most: usize) -> Vec<Vec<Cell>> {
    let line = |style: Style, name: &str, legs: u64| {
        vec![cell(style, name), cell(style, format!("{:>6}", grouped(legs)))]
    };
    let causes = &picture.causes;
    if causes.is_empty() {
        return vec![vec![cell(DIM, "no leg ended by a fault"), cell(PLAIN, "")]];
    }
    let shown = if causes.len() <= most { most } else { most.saturating_sub(1) };
    let (shown, rest) = causes.split_at(shown.min(causes.len()));
    let mut lines = vec![vec![cell(BOLD, "LEGS BY FAULT"), cell(PLAIN, "")]];
    lines.extend(shown.iter().map(|it| line(PLAIN, it.code().as_str_name(), it.legs)));
    if !rest.is_empty() {
        let legs = rest.iter().map(|cause| cause.legs).sum();
        lines.push(line(DIM, &format!("{} others", rest.len()), legs));
    }
    lines
}

/// The workers, those in trouble first.
fn workers(picture: &v1::GetFleetSummaryResponse, size: Size) -> Vec<String> {
    if picture.workers.is_empty() {
        return vec![paint(BAD, "no worker was heard within the last minute")];
    }
    let mut workers = picture.workers.clone();
    // Otherwise by name, as they came, so that none jumps about.
    workers.sort_by_key(|worker| {
        (Reverse(tables::silent(worker).is_some()), Reverse(worker.draining))
    });
    let (part, least) = WORKERS;
    let room = size.rows.map_or(workers.len(), |rows| (rows / part).max(least));
    let hidden = fit(&mut workers, room);
    let table = tables::workers(&workers).within(size.columns, &[tables::VERSION]);
    lines_of(&table, hidden, "workers")
}

/// The mail servers that the gateway named, the sickest and busiest first.
fn groups(picture: &v1::GetFleetSummaryResponse, columns: usize, room: usize) -> Vec<String> {
    if picture.groups.is_empty() {
        return vec![paint(DIM, "no mail server is in use, and none has settings of its own")];
    }
    let mut groups = picture.groups.clone();
    let beyond = (picture.groups_total as usize).saturating_sub(groups.len());
    // The line that says how many more there are takes one.
    let room = if groups.len() <= room && beyond == 0 { room } else { room.saturating_sub(1) };
    let hidden = groups.len().saturating_sub(room) + beyond;
    groups.truncate(room);
    if groups.is_empty() {
        return vec![paint(
            DIM,
            match picture.groups_sick {
                0 => format!("{} mail servers, and no room for them", grouped(hidden as u64)),
                sick => format!(
                    "{} mail servers and no room; {} need a look",
                    grouped(hidden as u64),
                    grouped(sick.into())
                ),
            },
        )];
    }
    let spare = [tables::SHARD, tables::PER_SOURCE, tables::LOGINS];
    let table = tables::groups(&groups).within(columns, &spare);
    let what = match picture.groups_sick {
        0 => "mail servers, all well".to_owned(),
        sick => format!("mail servers; {} in all need a look", grouped(sick.into())),
    };
    lines_of(&table, hidden, &what)
}

/// Leaves so many, one fewer where a line must say that there are more; returns how many more.
fn fit<T>(all: &mut Vec<T>, room: usize) -> usize {
    let hidden = if all.len() <= room { 0 } else { all.len() - room.saturating_sub(1) };
    all.truncate(all.len() - hidden);
    hidden
}

fn lines_of(table: &str, hidden: usize, what: &str) -> Vec<String> {
    let mut lines: Vec<String> = table.lines().map(ToOwned::to_owned).collect();
    if 0 < hidden {
        lines.push(paint(DIM, format!("and {} more {what}", grouped(hidden as u64))));
    }
    lines
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
