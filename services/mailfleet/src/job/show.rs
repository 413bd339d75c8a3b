//! A job as people read it: where it is, its legs, then the report as `check` tells it.

use std::fmt::Write as _;
use std::time::SystemTime;

use anstyle::Style;
use anyhow::Context as _;
use mailfleet_api::v1;
use mailfleet_api::v1::job_leg::State as LegState;
use mailfleet_model::{Report, Verdict};
use mailfleet_remedy::Language;

use crate::exit::Error;
use crate::render::columns::{self, Cell, cell};
use crate::render::report::{Names, Support, Telling, report};
use crate::render::{BOLD, CODE, DIM, WARN, paint, verdict_style, width, wrap};

/// Renders a job. Ends in a line break.
pub(super) fn job(job: &v1::Job, language: Language) -> Result<String, Error> {
    let mut text = heading(job);
    text.push_str(&legs(&job.legs));
    if let Some(found) = &job.report {
        let found = Report::try_from(found.clone()).context("the report cannot be read")?;
        // Whom the legs logged in is not in a report; the mailbox is the usual name.
        let name = found.mailbox.to_string();
        let telling = Telling {
            language,
            width: width(),
            names: Names { incoming: name.clone(), outgoing: name },
            support: Support::ForOthers,
        };
        write!(text, "\n{}", report(&found, &telling)).expect(NEVER);
    } else {
        let hint = format!("mailfleet job explain {} says what it waits for", job.job_id);
        writeln!(text, "\n{}", paint(DIM, wrap::clean(&hint))).expect(NEVER);
    }
    Ok(text)
}

const NEVER: &str = "writing to a String cannot fail";

fn heading(job: &v1::Job) -> String {
    let id = paint(CODE, wrap::clean(&job.job_id));
    let state = paint(BOLD, state_word(job.state()));
    let mut text = format!("{id}  {state}  {}\n", wrap::clean(&job.mailbox));
    let mut times = Vec::new();
    for (what, time) in
        [("created", job.create_time), ("ended", job.end_time), ("deadline", job.deadline_time)]
    {
        times.extend(moment(time).map(|time| format!("{what} {time}")));
    }
    if !job.trace_id.is_empty() {
        times.push(format!("trace {}", wrap::clean(&job.trace_id)));
    }
    writeln!(text, "{}", paint(DIM, times.join("  "))).expect(NEVER);
    text
}

fn moment(time: Option<prost_types::Timestamp>) -> Option<String> {
    let time = SystemTime::try_from(time?).ok()?;
    Some(humantime::format_rfc3339_millis(time).to_string())
}

fn legs(legs: &[v1::JobLeg]) -> String {
    if legs.is_empty() {
        return String::new();
    }
    let heading = ["  LEG", "STATE", "RELEASES", "FAILURES", "MAIL SERVER", "LAST FAULT"];
    let row = |leg: &v1::JobLeg| {
        vec![
            cell(Style::new(), format!("  {}", leg.leg().as_str_name())),
            cell(leg_style(leg.state()), leg.state().as_str_name()),
            cell(Style::new(), leg.releases),
            cell(Style::new(), leg.attempt),
            cell(Style::new(), wrap::clean(&leg.limit_group)),
            cell(WARN, if leg.code == 0 { "" } else { leg.code().as_str_name() }),
        ]
    };
    columns::table(&heading, legs.iter().map(row).collect())
}

fn leg_style(state: LegState) -> Style {
    match state {
        LegState::Done => Style::new(),
        LegState::Published => BOLD,
        LegState::Snoozed => WARN,
        LegState::Unspecified
        | LegState::Blocked
        | LegState::Ready
        | LegState::Released
        | LegState::Cancelled
        | LegState::Skipped => DIM,
    }
}

/// What differs between two states of an open job: one line for each leg that moved.
pub(super) fn changes(before: Option<&v1::Job>, now: &v1::Job, _language: Language) -> String {
    let Some(before) = before else { return format!("{}{}", heading(now), legs(&now.legs)) };
    let mut text = String::new();
    for (index, leg) in now.legs.iter().enumerate() {
        let was = before.legs.get(index).map(|leg| leg.state());
        if was != Some(leg.state()) {
            let (name, state) = (leg.leg().as_str_name(), leg.state().as_str_name());
            let since = moment(leg.state_time).unwrap_or_default();
            writeln!(text, "  {}  {name}  {}", paint(DIM, since), paint(BOLD, state)).expect(NEVER);
        }
    }
    text
}

/// Renders what a job waits for.
pub(super) fn explanation(explained: &v1::ExplainJobResponse, _language: Language) -> String {
    let width = width();
    let mut text = String::new();
    for line in wrap::lines(&explained.summary, width) {
        writeln!(text, "{}", paint(BOLD, line)).expect(NEVER);
    }
    for leg in &explained.legs {
        let name = leg.leg().as_str_name();
        let reason = leg.reason().as_str_name();
        writeln!(text, "\n  {}  {}", paint(BOLD, name), paint(CODE, reason)).expect(NEVER);
        text.push_str(&wrap::paragraph("    ", &leg.text, width));
        let mut facts = vec![format!("mail server {}", wrap::clean(&leg.limit_group))];
        if let (Some(limit), Some(in_use)) = (leg.limit, leg.in_use) {
            facts.push(format!("{in_use} of {limit} sessions in use"));
        }
        facts.extend(moment(leg.since_time).map(|time| format!("since {time}")));
        if leg.returned != 0 {
            facts.push(format!("last given back for {}", leg.returned().as_str_name()));
        }
        text.push_str(&wrap::paragraph("    ", &facts.join(", "), width));
    }
    text
}

/// The state as people write it.
pub(super) fn state_word(state: v1::job::State) -> &'static str {
    match state {
        v1::job::State::Open => "open",
        v1::job::State::Done => "done",
        v1::job::State::Cancelled => "cancelled",
        v1::job::State::Unspecified => "unknown",
    }
}

/// The verdict in its colour; empty while there is none.
pub(crate) fn verdict_cell(verdict: v1::report::Verdict) -> Cell {
    let verdict = match verdict {
        v1::report::Verdict::Healthy => Verdict::Healthy,
        v1::report::Verdict::Faulty => Verdict::Faulty,
        v1::report::Verdict::Inconclusive => Verdict::Inconclusive,
        v1::report::Verdict::Unspecified => return cell(DIM, "-"),
    };
    cell(verdict_style(verdict), verdict)
}
