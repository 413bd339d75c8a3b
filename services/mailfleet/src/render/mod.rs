//! What people see: the report, the tree of steps, live progress, explanations.
//!
//! Everything is rendered to a text with colours; whoever prints it takes them out where they
//! do not belong (no terminal, NO_COLOR). Nothing here decides anything about a mailbox.

pub(crate) mod columns;
pub(crate) mod page;
pub(crate) mod progress;
pub(crate) mod report;
mod steps;
pub(crate) mod words;
pub(crate) mod wrap;

#[cfg(test)]
pub(crate) mod fixtures;

use anstyle::{AnsiColor, Style};
use mailfleet_model::{Severity, StepOutcome, Verdict};

/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is bad.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is worth a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Names that can be looked up.
pub(crate) const CODE: Style = AnsiColor::Cyan.on_default();
/// What is beside the point.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Lines longer than this are hard to read, however wide the terminal is.
const WIDEST: usize = 100;
/// Narrower than this, wrapping only makes it worse.
const NARROWEST: usize = 40;
/// Where output is not a terminal.
const USUAL: usize = 80;

/// The text in a style.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Columns to fill, by the terminal on standard output.
pub(crate) fn width() -> usize {
    let columns = terminal_size::terminal_size().map_or(USUAL, |(width, _)| width.0.into());
    columns.clamp(NARROWEST, WIDEST)
}

/// The mark of a step.
pub(crate) fn mark(outcome: StepOutcome) -> String {
    match outcome {
        StepOutcome::Ok => paint(GOOD, "✓"),
        StepOutcome::Warning => paint(WARN, "!"),
        StepOutcome::Failed => paint(BAD, "✗"),
        StepOutcome::Skipped | StepOutcome::Cancelled => paint(DIM, "-"),
    }
}

/// The colour of a verdict.
pub(crate) fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Healthy => GOOD.bold(),
        Verdict::Faulty => BAD,
        Verdict::Inconclusive => WARN.bold(),
    }
}

/// The colour of a severity.
pub(crate) fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Warning => WARN,
        Severity::Blocking => BAD,
    }
}
