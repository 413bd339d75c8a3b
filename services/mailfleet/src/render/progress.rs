//! Live progress at a terminal: under each leg the steps as they end, and the one under way.
//!
//! An observer of legs; it draws on standard error and wipes itself away before the report is
//! printed. Never decides anything, and never waits: events arrive in a leg's own task.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailfleet_model::{Leg, LegEvent, LegObserver};
use mailfleet_remedy::{Language, wording};

use super::{BOLD, paint, steps, width};

/// How often the clock of a running step moves.
const TICK: Duration = Duration::from_millis(100);

/// Draws steps while they happen.
pub(crate) struct Progress {
    bars: MultiProgress,
    language: Language,
    legs: Mutex<Vec<(Leg, Bars)>>,
}

/// The lines of one leg.
struct Bars {
    /// The last line that will not change any more.
    last: ProgressBar,
    /// The step under way.
    running: Option<ProgressBar>,
}

impl Progress {
    /// Draws on standard error.
    pub(crate) fn new(language: Language) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { bars, language, legs: Mutex::default() }
    }

    /// Wipes everything away.
    pub(crate) fn clear(&self) {
        for (_, bars) in self.legs.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if let Some(running) = bars.running {
                running.finish_and_clear();
            }
        }
        // A terminal that is gone shows nothing anyway.
        let _ = self.bars.clear();
    }

    /// A line that does not change.
    fn fixed(&self, after: Option<&ProgressBar>, text: String) -> ProgressBar {
        let bar = ProgressBar::no_length().with_style(style("{msg}"));
        let bar = match after {
            Some(after) => self.bars.insert_after(after, bar),
            None => self.bars.add(bar),
        };
        bar.abandon_with_message(text);
        bar
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are in this file")
}

impl LegObserver for Progress {
    fn observe(&self, event: LegEvent) {
        let (LegEvent::StepStarted { leg, .. } | LegEvent::StepFinished { leg, .. }) = event;
        let mut legs = self.legs.lock().unwrap_or_else(PoisonError::into_inner);
        if !legs.iter().any(|(known, _)| *known == leg) {
            let name = paint(BOLD, wording::leg(leg, self.language));
            let last = self.fixed(None, format!("  {name}"));
            legs.push((leg, Bars { last, running: None }));
        }
        let Some((_, bars)) = legs.iter_mut().find(|(known, _)| *known == leg) else { return };
        if let Some(running) = bars.running.take() {
            running.finish_and_clear();
            self.bars.remove(&running);
        }
        match event {
            LegEvent::StepStarted { kind, .. } => {
                let bar = self.bars.insert_after(&bars.last, ProgressBar::no_length());
                bar.set_style(style("    {spinner} {msg}  {elapsed}"));
                bar.set_message(wording::step_kind(kind, self.language));
                bar.enable_steady_tick(TICK);
                bars.running = Some(bar);
            }
            LegEvent::StepFinished { step, .. } => {
                let line = steps::line(&step, self.language, width());
                bars.last = self.fixed(Some(&bars.last), format!("    {line}"));
            }
        }
    }
}
