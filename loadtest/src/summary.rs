//! A run in the terminal: whether everything held, phase by phase, and where the page is.

use std::path::Path;

use anstyle::{AnsiColor, Style};

use crate::result::{PhaseResult, RunResult};
use crate::scenario::Of;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Prints it to standard output.
pub(crate) fn print(run: &RunResult, page: &Path) {
    let (style, word) = match (run.void.is_empty(), run.is_met()) {
        (false, _) => (BAD, "void"),
        (true, true) => (GOOD, "met"),
        (true, false) => (BAD, "missed"),
    };
    say(&format!("{}: {style}{word}{style:#}  ({:.0} s)", run.title, run.seconds));
    for why in &run.void {
        say(&format!("  {BAD}void{BAD:#}  {why}"));
    }
    let width = run.slos.iter().map(|slo| slo.what.chars().count()).max().unwrap_or(0);
    for slo in &run.slos {
        let (style, mark) = if slo.is_met { (GOOD, "✓") } else { (BAD, "✗") };
        let space = " ".repeat(width - slo.what.chars().count());
        say(&format!(
            "  {style}{mark}{style:#} {}{space}  {}  {QUIET}(wanted: {}){QUIET:#}",
            slo.what, slo.got, slo.wanted
        ));
    }
    let width = run.phases.iter().map(|phase| phase.name.chars().count()).max().unwrap_or(0);
    if run.phases.iter().any(|phase| 0 < phase.all.due) {
        say(&format!(
            "\n  {QUIET}{:width$}  {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}{QUIET:#}",
            "phase", "due/s", "good/s", "accepted", "p50", "p99", "p99.9"
        ));
    }
    for phase in run.phases.iter().filter(|phase| 0 < phase.all.due) {
        say(&row(phase, width));
    }
    for batch in &run.batches {
        let rate = batch.rate().map_or("–".to_owned(), |rate| format!("{rate:.1}"));
        let ended = batch.looks.last().map_or(0, |(_, ended)| *ended);
        say(&format!(
            "  batch at {}: {ended} of {} items ended, {rate} a second, uploaded in {:.1} s",
            batch.servers, batch.items, batch.uploaded
        ));
    }
    for fault in &run.faults {
        let seconds = |span: Option<f64>| span.map_or("–".to_owned(), |it| format!("{it:.1} s"));
        let takeover = if fault.takes_worker {
            format!("all its servers asked and served by {}, ", seconds(fault.takeover))
        } else {
            String::new()
        };
        say(&format!(
            "  {} ({}) at {:.0} s: {takeover}longest wait {}",
            fault.what,
            fault.subject,
            fault.at,
            seconds(fault.longest_wait)
        ));
    }
    for trouble in run.troubles.iter().take(5) {
        say(&format!("  {BAD}!{BAD:#} {trouble}"));
    }
    let load = run.environment.iter().filter(|(name, _)| name.starts_with("load average"));
    let load: Vec<String> = load.map(|(name, value)| format!("{name} {value}")).collect();
    say(&format!("\n  {QUIET}{}{QUIET:#}\n  {}", load.join(", "), page.display()));
}

fn row(phase: &PhaseResult, width: usize) -> String {
    let ms = |of, quantile| {
        let span = phase.all.quantile(of, quantile);
        span.map_or("–".to_owned(), |span| format!("{:.0} ms", span.as_secs_f64() * 1e3))
    };
    format!(
        "  {:width$}  {:>9.1} {:>9.1} {:>9} {:>9} {:>9} {:>9}",
        phase.name,
        phase.all.offered,
        phase.all.goodput,
        ms(Of::Accepted, 0.5),
        ms(Of::Report, 0.5),
        ms(Of::Report, 0.99),
        ms(Of::Report, 0.999)
    )
}

fn say(line: &str) {
    anstream::println!("{line}");
}
