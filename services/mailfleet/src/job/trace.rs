//! `job trace`: when each step ran, as a waterfall in the terminal, from the report alone.
//!
//! No collector is asked: workers send their steps with their results. What lies before a leg's
//! first step is the time in which it waited for its turn.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use mailfleet_api::v1;
use mailfleet_model::{LegReport, Report};
use mailfleet_remedy::{Language, wording};

use crate::exit::Error;
use crate::render::{BOLD, CODE, DIM, mark, paint, wrap};
use crate::span;

/// Columns of a step's name and of a time.
const NAME: usize = 24;
const TIME: usize = 7;

/// Renders the waterfall. Ends in a line break.
///
/// # Errors
/// Wrong usage for a job that has not ended; our own for a report that makes no sense.
pub(super) fn waterfall(job: &v1::Job, language: Language, width: usize) -> Result<String, Error> {
    let Some(report) = job.report.clone() else {
        let id = wrap::clean(&job.job_id);
        return Err(Error::Request(format!(
            "the job has not ended; 'mailfleet job watch {id}' follows it"
        )));
    };
    let report = Report::try_from(report).context("the report cannot be read")?;
    let created = job.create_time.and_then(|time| SystemTime::try_from(time).ok());
    let created = created.unwrap_or(report.started);
    let ended = job.end_time.and_then(|time| SystemTime::try_from(time).ok());
    let whole = ended.and_then(|ended| ended.duration_since(created).ok());
    let whole = whole.unwrap_or(report.elapsed).max(Duration::from_millis(1));
    let scale = Scale { whole, columns: width.saturating_sub(NAME + TIME + 10).max(10) };
    let id = if job.trace_id.is_empty() { &job.job_id } else { &job.trace_id };
    let mut text = format!("trace {}  {}\n", paint(CODE, wrap::clean(id)), span::brief(whole));
    for leg in &report.legs {
        text.push_str(&lines(leg, created, &scale, language));
    }
    let last = report.legs.iter().filter_map(|leg| leg.started.checked_add(leg.elapsed)).max();
    let last = last.and_then(|last| last.duration_since(created).ok()).unwrap_or(whole).min(whole);
    let words = match language {
        Language::English => "until the report stood",
        Language::Japanese => "報告書の完成まで",
    };
    row(&mut text, " ", words, whole - last, &paint(DIM, scale.bar(last, whole - last, '░')));
    Ok(text)
}

fn lines(leg: &LegReport, created: SystemTime, scale: &Scale, language: Language) -> String {
    let start = leg.started.duration_since(created).unwrap_or_default();
    let name = wording::leg(leg.leg, language);
    let mut text = format!("{}  {}\n", paint(BOLD, name), leg.endpoint);
    let waiting = match language {
        Language::English => "waiting for its turn",
        Language::Japanese => "順番待ち",
    };
    row(&mut text, " ", waiting, start, &paint(DIM, scale.bar(Duration::ZERO, start, '░')));
    for step in &leg.steps {
        let kind = wording::step_kind(step.kind, language);
        let bar = scale.bar(start + step.started, step.elapsed, '█');
        row(&mut text, &mark(step.outcome), kind, step.elapsed, &bar);
    }
    text
}

fn row(text: &mut String, mark: &str, name: &str, took: Duration, bar: &str) {
    let name = wrap::clean(name);
    let gap = " ".repeat(NAME.saturating_sub(wrap::columns(&name)));
    let took = span::brief(took);
    let line = format!("  {mark} {name}{gap}{took:>TIME$}  {bar}");
    writeln!(text, "{}", line.trim_end()).expect("writing to a String cannot fail");
}

/// From times to columns.
struct Scale {
    whole: Duration,
    columns: usize,
}

impl Scale {
    /// A bar that begins at `from`; whatever took any time is seen.
    fn bar(&self, from: Duration, long: Duration, with: char) -> String {
        let begin = self.column(from).min(self.columns.saturating_sub(1));
        let end = self.column(from + long).clamp(begin, self.columns);
        let length = if long.is_zero() { 0 } else { (end - begin).max(1) };
        format!("{}{}", " ".repeat(begin), with.to_string().repeat(length))
    }

    fn column(&self, at: Duration) -> usize {
        let columns = u128::try_from(self.columns).unwrap_or(u128::MAX);
        let column = at.as_micros().saturating_mul(columns) / self.whole.as_micros().max(1);
        usize::try_from(column).unwrap_or(self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_lie_where_their_times_are() {
        let scale = Scale { whole: Duration::from_secs(10), columns: 10 };
        let bar = |from, long| scale.bar(Duration::from_secs(from), Duration::from_secs(long), '#');
        assert_eq!(bar(0, 3), "###");
        assert_eq!(bar(8, 2), "        ##");
        assert_eq!(scale.bar(Duration::from_secs(5), Duration::from_millis(1), '#'), "     #");
        assert_eq!(bar(10, 1), "         #", "what lies beyond the end is not left out");
        assert_eq!(bar(4, 0).trim(), "");
    }
}
