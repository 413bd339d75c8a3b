//! `compare A B`: whether two sets of runs differ, and how surely.
//!
//! Each side is one result or a folder with several. One run against another says nothing about
//! noise, and this program says so. With four or more on each side every measure gets a
//! probability (Mann and Whitney, exact) and an interval of the ratio (bootstrap).

use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, ensure};

use crate::latency::Latencies;
use crate::result::RunResult;
use crate::scenario::Of;
use crate::stats::{mann_whitney, median, ratio_interval};

/// With fewer runs on a side no difference, however large, can be sure: with three of each the
/// rarest outcome has a probability of 10 %.
const ENOUGH: usize = 4;
/// A difference counts if it is less likely by chance.
const SURE: f64 = 0.05;

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// What to compare.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The one that is known: a result.json, or a folder in which some lie.
    a: PathBuf,
    /// The one that is asked about.
    b: PathBuf,
    /// A change of this many per cent or less is never called one.
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0)]
    noise: f64,
}

/// One measure on both sides.
#[derive(Debug, Clone, PartialEq)]
struct Measure {
    name: String,
    unit: &'static str,
    /// Whether more of it is worse.
    is_cost: bool,
    a: Vec<f64>,
    b: Vec<f64>,
}

/// What can be said about a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Finding {
    /// There are too few runs to tell.
    TooFew,
    /// Nothing beyond noise.
    Same,
    Better,
    Worse,
}

/// Compares, prints, and says whether nothing got worse.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let (a, b) = (read(&arguments.a)?, read(&arguments.b)?);
    let name = a.first().map(|run| &run.scenario);
    let is_one = a.iter().chain(&b).all(|run| Some(&run.scenario) == name);
    ensure!(is_one, "these are runs of different scenarios");
    say(&format!("{}: {} against {}", a[0].title, runs(a.len()), runs(b.len())));
    for (name, side) in [("A", &a), ("B", &b)] {
        let void = side.iter().filter(|run| !run.void.is_empty()).count();
        if 0 < void {
            say(&format!(
                "  {BAD}{} of {name} void{BAD:#}: what they measured means little",
                runs(void)
            ));
        }
    }
    tell_differences(&a, &b);
    let measures = measures(&a, &b);
    let width = measures.iter().map(|measure| measure.name.chars().count()).max().unwrap_or(0);
    say(&format!(
        "\n  {QUIET}{:width$}  {:>12}  {:>12}  {:>7}{QUIET:#}",
        "median of the runs", "A", "B", "B/A"
    ));
    let mut is_fine = true;
    for measure in &measures {
        let found = measure.judge(arguments.noise);
        is_fine &= found != Finding::Worse;
        say(&measure.words(found, width));
    }
    if a.len().min(b.len()) < ENOUGH {
        say(&format!(
            "\n  Too few runs to tell a change from noise: {ENOUGH} on each side at least \
             (run --repeat {ENOUGH})."
        ));
    }
    Ok(is_fine)
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// The results of a side, in the order of their folders.
fn read(path: &Path) -> anyhow::Result<Vec<RunResult>> {
    let mut files = Vec::new();
    find(path, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "{} holds no result.json", path.display());
    files.iter().map(|file| RunResult::read(file)).collect()
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() || path.file_name().is_some_and(|name| name == "result.json") {
            find(&path, files)?;
        }
    }
    Ok(())
}

/// What was different beside the programs: a comparison across machines means little.
fn tell_differences(a: &[RunResult], b: &[RunResult]) {
    let (Some(a), Some(b)) = (a.first(), b.first()) else { return };
    for (name, value) in &a.environment {
        let other = b.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        if other.is_some_and(|other| other != value) {
            let other = other.map(String::as_str).unwrap_or_default();
            say(&format!("  {QUIET}{name}: {value} → {other}{QUIET:#}"));
        }
    }
}

/// Everything that both sides measured.
fn measures(a: &[RunResult], b: &[RunResult]) -> Vec<Measure> {
    let mut all = Vec::new();
    let mut add = |name: String, unit, is_cost, of: &dyn Fn(&RunResult) -> Option<f64>| {
        let side = |runs: &[RunResult]| -> Vec<f64> { runs.iter().filter_map(of).collect() };
        let (a, b) = (side(a), side(b));
        if !a.is_empty() && !b.is_empty() {
            all.push(Measure { name, unit, is_cost, a, b });
        }
    };
    let Some(first) = a.first() else { return all };
    for phase in first.phases.iter().filter(|phase| 0 < phase.all.due) {
        let find =
            |run: &RunResult| run.phases.iter().find(|other| other.name == phase.name).cloned();
        for (of, quantile, word) in [
            (Of::Accepted, 0.99, "accepted p99"),
            (Of::Report, 0.5, "report p50"),
            (Of::Report, 0.99, "report p99"),
        ] {
            add(format!("{}: {word}", phase.name), "ms", true, &|run| {
                find(run)?.all.quantile(of, quantile).map(|span| span.as_secs_f64() * 1e3)
            });
        }
        add(format!("{}: right answers", phase.name), "/s", false, &|run| {
            find(run).map(|phase| phase.all.goodput)
        });
    }
    add("whole run: report p99".to_owned(), "ms", true, &|run| {
        let mut whole = Latencies::default();
        run.phases.iter().for_each(|phase| whole.add(&phase.all.report));
        whole.quantile(0.99).map(|span| span.as_secs_f64() * 1e3)
    });
    for (index, batch) in first.batches.iter().enumerate() {
        add(format!("batch at {}", batch.servers), "/s", false, &|run| {
            run.batches.get(index)?.rate()
        });
    }
    for process in &first.processes {
        let looks = |run: &RunResult| {
            run.processes.iter().find(|other| other.name == process.name).cloned()
        };
        add(format!("{}: memory at most", process.name), "MiB", true, &|run| {
            let most = looks(run)?.looks.iter().map(|look| look.memory).max()?;
            Some(most as f64 / f64::from(1 << 20))
        });
        add(format!("{}: CPU time for each answer", process.name), "ms", true, &|run| {
            let looks = looks(run)?.looks;
            let used = looks.last()?.cpu - looks.first()?.cpu;
            (0 < run.counts.answered).then(|| used.max(0.0) * 1e3 / run.counts.answered as f64)
        });
    }
    all
}

impl Measure {
    fn ratio(&self) -> Option<f64> {
        let (a, b) = (median(&self.a)?, median(&self.b)?);
        (a != 0.0).then(|| b / a)
    }

    /// Whether it changed, with this many per cent as noise in any case.
    fn judge(&self, noise: f64) -> Finding {
        if self.a.len().min(self.b.len()) < ENOUGH {
            return Finding::TooFew;
        }
        let Some(ratio) = self.ratio() else { return Finding::Same };
        let is_small = (ratio - 1.0).abs() * 100.0 <= noise;
        if is_small || SURE <= mann_whitney(&self.a, &self.b) {
            return Finding::Same;
        }
        if (1.0 < ratio) == self.is_cost { Finding::Worse } else { Finding::Better }
    }

    fn words(&self, found: Finding, width: usize) -> String {
        let value = |side: &[f64]| {
            let value = median(side).unwrap_or_default();
            format!("{} {}", short(value), self.unit)
        };
        let ratio = self.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let line = format!(
            "  {:width$}  {:>12}  {:>12}  {ratio:>7}",
            self.name,
            value(&self.a),
            value(&self.b)
        );
        let band = ratio_interval(&self.a, &self.b)
            .map(|(low, high)| format!("{low:.2} to {high:.2}"))
            .unwrap_or_default();
        match found {
            Finding::TooFew => line,
            Finding::Same => format!("{line}  {QUIET}no difference beyond noise ({band}){QUIET:#}"),
            Finding::Better => format!("{line}  {GOOD}better{GOOD:#} ({band})"),
            Finding::Worse => format!("{line}  {BAD}worse{BAD:#} ({band})"),
        }
    }
}

fn short(value: f64) -> String {
    if 100.0 <= value { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn say(line: &str) {
    anstream::println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::tests::run;

    fn measure(a: &[f64], b: &[f64], is_cost: bool) -> Finding {
        let (name, unit) = ("it".to_owned(), "ms");
        Measure { name, unit, is_cost, a: a.to_vec(), b: b.to_vec() }.judge(3.0)
    }

    #[test]
    fn a_difference_needs_enough_runs_and_more_than_noise() {
        let (slow, fast) = ([20.0, 21.0, 22.0, 20.5, 21.5], [10.0, 11.0, 10.5, 11.5, 10.2]);
        assert_eq!(measure(&fast, &slow, true), Finding::Worse);
        assert_eq!(measure(&slow, &fast, true), Finding::Better);
        assert_eq!(measure(&slow, &fast, false), Finding::Worse, "less throughput is worse");
        assert_eq!(measure(&fast[..3], &slow[..3], true), Finding::TooFew);
        assert_eq!(measure(&[20.0], &[10.0], true), Finding::TooFew);
        // Sure, and too small to matter.
        let little: Vec<f64> = fast.iter().map(|value| value * 1.001 + 0.001).collect();
        assert_eq!(measure(&fast, &little, true), Finding::Same);
        // Large, and as likely by chance.
        assert_eq!(
            measure(&[10.0, 30.0, 12.0, 31.0], &[11.0, 29.0, 33.0, 13.0], true),
            Finding::Same
        );
    }

    #[test]
    fn both_sides_are_compared_phase_by_phase_and_process_by_process() {
        let names: Vec<String> =
            measures(&[run()], &[run()]).into_iter().map(|measure| measure.name).collect();
        for wanted in [
            "calm: report p99",
            "whole run: report p99",
            "ramp 40/s: right answers",
            "gateway 1: memory at most",
            "gateway 1: CPU time for each answer",
        ] {
            assert!(names.iter().any(|name| name == wanted), "{wanted} is not in {names:?}");
        }
    }

    #[test]
    fn the_results_of_a_folder_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["1", "2"] {
            let inner = folder.path().join(name);
            std::fs::create_dir(&inner).expect("a folder");
            let text = serde_json::to_string(&run()).expect("it can be written");
            std::fs::write(inner.join("result.json"), text).expect("a file");
            std::fs::write(inner.join("other.json"), "{}").expect("a file");
        }
        assert_eq!(read(folder.path()).expect("both").len(), 2);
        assert!(read(&folder.path().join("3")).is_err());
    }
}
