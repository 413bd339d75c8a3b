//! What happens, while it happens: one line that changes in a terminal, a line now and then
//! elsewhere. Goes to standard error, so that standard output holds results only.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::caller::Ending;
use crate::generate::Sample;
use crate::latency::Latencies;

/// How often a line is written where there is no terminal.
const QUIET: Duration = Duration::from_secs(15);

/// Shows how far a run has come.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    due: AtomicU64,
    missed: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    now: Mutex<Now>,
}

/// What the line is made of.
struct Now {
    phase: String,
    began: Instant,
    time: Duration,
    /// When a line was written last.
    told: Instant,
    /// Of the last seconds.
    recent: Latencies,
    before: (u64, u64),
    at: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(1).with_style(
            ProgressStyle::with_template("{spinner:.dim} {bar:24.cyan/dim} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━━─"),
        );
        bar.set_draw_target(if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        let now = Instant::now();
        let now = Now {
            phase: String::new(),
            began: now,
            time: Duration::ZERO,
            told: now,
            recent: Latencies::default(),
            before: (0, 0),
            at: now,
        };
        let zero = || AtomicU64::new(0);
        Self {
            bar,
            is_terminal,
            due: zero(),
            missed: zero(),
            answered: zero(),
            failed: zero(),
            now: Mutex::new(now),
        }
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that stays.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }

    /// What is being done that takes a while.
    pub(crate) fn doing(&self, what: &str) {
        if self.is_terminal {
            self.bar.set_length(1);
            self.bar.set_position(0);
            self.bar.set_message(what.to_owned());
            self.bar.tick();
        } else {
            say(what);
        }
    }

    /// A phase begins.
    pub(crate) fn phase(&self, name: &str, time: Duration) {
        let mut now = self.now();
        let moment = Instant::now();
        (now.phase, now.began, now.time) = (name.to_owned(), moment, time);
        (now.told, now.at) = (moment, moment);
        now.before = self.counts();
        self.bar.set_length(u64::try_from(time.as_millis()).unwrap_or(1));
    }

    fn counts(&self) -> (u64, u64) {
        (self.due.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed))
    }

    pub(crate) fn due(&self) {
        self.due.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// A validation has ended.
    pub(crate) fn ended(&self, sample: &Sample) {
        match sample.outcome.as_ref().map(|outcome| &outcome.ending) {
            Some(Ending::Report { at, .. }) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.now().recent.record(*at);
            }
            Some(Ending::Lost(_) | Ending::Failed(_)) | None => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Draws the line anew. Called once a second.
    pub(crate) fn tick(&self, beside: &str) {
        let (due, answered) = self.counts();
        let (missed, failed) =
            (self.missed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let open = due.saturating_sub(answered + missed + failed);
        let mut now = self.now();
        if now.phase.is_empty() {
            return;
        }
        let seconds = now.at.elapsed().as_secs_f64().max(0.001);
        let rate = |new: u64, old: u64| {
            f64::from(u32::try_from(new.saturating_sub(old)).unwrap_or(u32::MAX)) / seconds
        };
        let p99 = now.recent.quantile(0.99);
        let p99 = p99.map_or("–".to_owned(), |p99| format!("{} ms", p99.as_millis()));
        let mut line = format!(
            "{}  {}/{} s  {:.0}/s due  {:.0}/s answered  {open} open  p99 {p99}",
            now.phase,
            now.began.elapsed().as_secs().min(now.time.as_secs()),
            now.time.as_secs(),
            rate(due, now.before.0),
            rate(answered, now.before.1),
        );
        for (count, word) in [(missed, "missed"), (failed, "failed")] {
            if 0 < count {
                line.push_str(&format!("  {count} {word}"));
            }
        }
        line.push_str(beside);
        let elapsed = u64::try_from(now.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.is_terminal {
            self.bar.set_position(elapsed.min(self.bar.length().unwrap_or(0)));
            self.bar.set_message(line);
        } else if QUIET <= now.told.elapsed() {
            say(&line);
            now.told = Instant::now();
        } else {
            return;
        }
        (now.before, now.at, now.recent) = ((due, answered), Instant::now(), Latencies::default());
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.now().phase.clear();
        self.bar.finish_and_clear();
    }
}

/// A line on standard error.
pub(crate) fn say(line: &str) {
    anstream::eprintln!("{line}");
}
