//! `fleet top`: the fleet in one picture, drawn anew every few seconds.
//!
//! On a terminal each picture takes the place of the one before, until q or Ctrl-C; the last one
//! stays while the gateway does not answer. Elsewhere there is one, or as many as were asked for.
//! It changes nothing.

use std::time::Duration;

use anyhow::Context as _;
use mailfleet_api::{json, v1};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Fleet;
use super::args::TopArgs;
use super::picture::{Size, View, draw};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::screen::{self, Screen};
use crate::{signals, span};

/// Looking more often shows nothing new.
const OFTEN: Duration = Duration::from_millis(500);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer may be so late before the picture counts as old.
const LATE: Duration = Duration::from_secs(1);
/// How often the age of an old picture moves.
const CLOCK: Duration = Duration::from_secs(1);
/// Where the terminal does not say how large it is, and where there is none.
const USUAL: usize = 80;

/// Runs the command.
pub(super) async fn run(args: &TopArgs) -> Result<Exit, Error> {
    let every = time("--every", &args.every)?;
    let window = time("--window", &args.window)?;
    if every < OFTEN {
        return Err(Error::Request("--every: is shorter than 500ms".to_owned()));
    }
    let stop = signals::cancel_on_signal().context("cannot listen for signals")?;
    let mut top = tokio::select! {
        fleet = Fleet::at(&args.at.gateway) => Top { fleet: fleet?, every, window },
        () = stop.cancelled() => return Ok(Exit::Good),
    };
    if screen::is_there() && !args.at.json && args.count.is_none() {
        return top.live(&stop).await;
    }
    let is_watched = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let left = args.count.or((!is_watched).then_some(1));
    tokio::select! {
        printed = top.printed(left, args.at.json) => printed,
        () = stop.cancelled() => Ok(Exit::Good),
    }
}

struct Top {
    fleet: Fleet,
    every: Duration,
    window: Duration,
}

impl Top {
    /// Prints pictures one below the other.
    async fn printed(&mut self, mut left: Option<u32>, as_json: bool) -> Result<Exit, Error> {
        let mut ticks = ticks(self.every);
        while left != Some(0) {
            ticks.tick().await;
            let picture = self.ask().await.map_err(|status| self.fleet.gateway.told(&status))?;
            print(&if as_json {
                format!("{}\n", json::to_json(&picture))
            } else {
                let view = View { picture: &picture, note: None, hint: None };
                draw(&view, Size { columns: size().columns, rows: None })
            })?;
            left = left.map(|left| left.saturating_sub(1));
        }
        Ok(Exit::Good)
    }

    /// Draws pictures over each other until somebody wants no more.
    async fn live(&mut self, stop: &CancellationToken) -> Result<Exit, Error> {
        let mut resized =
            signal(SignalKind::window_change()).context("cannot listen for signals")?;
        let first = tokio::select! {
            picture = self.ask() => picture,
            () = stop.cancelled() => return Ok(Exit::Good),
        };
        // Whoever cannot see even one picture is told why on his own screen.
        let mut last = first.map_err(|status| self.fleet.gateway.told(&status))?;
        let screen = Screen::take(stop.clone()).context("cannot draw on the terminal")?;
        let hint = format!("every {}, q quits", span::write(self.every));
        let (mut seen, every) = (Seen::now(), self.every);
        let show = |picture: &v1::GetFleetSummaryResponse, seen: Seen| {
            let (made, answered) = (seen.made.elapsed(), seen.answered.elapsed());
            let note = note(made, answered, every);
            let view = View { picture, note: note.as_deref(), hint: Some(&hint) };
            screen.draw(&draw(&view, size())).context("cannot draw on the terminal")
        };
        let (mut looks, mut clock) = (ticks(every), ticks(CLOCK));
        looks.reset();
        loop {
            show(&last, seen)?;
            tokio::select! {
                _ = looks.tick() => {}
                _ = clock.tick() => continue,
                _ = resized.recv() => continue,
                () = stop.cancelled() => return Ok(Exit::Good),
            }
            let answer = {
                let asked = self.ask();
                tokio::pin!(asked);
                loop {
                    tokio::select! {
                        answer = &mut asked => break answer,
                        _ = clock.tick() => show(&last, seen)?,
                        _ = resized.recv() => show(&last, seen)?,
                        () = stop.cancelled() => return Ok(Exit::Good),
                    }
                }
            };
            match answer {
                Ok(picture) => {
                    // Gateways show a picture that was hard to make several times.
                    let made = if picture.time == last.time { seen.made } else { Instant::now() };
                    seen = Seen { made, answered: Instant::now() };
                    last = picture;
                }
                Err(status) if passes(status.code()) => {}
                Err(status) => return Err(self.fleet.gateway.told(&status)),
            }
        }
    }

    async fn ask(&mut self) -> Result<v1::GetFleetSummaryResponse, Status> {
        let window = self.window.try_into().ok();
        let asked = self.fleet.client.get_fleet_summary(v1::GetFleetSummaryRequest { window });
        match timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        }
    }
}

/// When the picture of now came first, and when the gateway answered last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    made: Instant,
    answered: Instant,
}

impl Seen {
    fn now() -> Self {
        Self { made: Instant::now(), answered: Instant::now() }
    }
}

/// What is said about a picture that is older than a new one would be: why there is none.
fn note(made: Duration, answered: Duration, every: Duration) -> Option<String> {
    let late = every + LATE;
    if late < answered {
        Some(format!("no answer for {}; this is the last picture", span::brief(answered)))
    } else if late < made {
        Some(format!("{} old; the gateway is slow to make another one", span::brief(made)))
    } else {
        None
    }
}

/// What may be over a moment later: a gateway or its store that starts anew.
fn passes(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn size() -> Size {
    match terminal_size::terminal_size() {
        Some((columns, rows)) => Size { columns: columns.0.into(), rows: Some(rows.0.into()) },
        None => Size { columns: USUAL, rows: None },
    }
}

fn time(name: &str, text: &str) -> Result<Duration, Error> {
    span::parse(text).map_err(|error| Error::Request(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_picture_says_whether_the_gateway_is_away_or_slow() {
        let note = |made, answered| {
            let [made, answered] = [made, answered].map(Duration::from_secs);
            note(made, answered, Duration::from_secs(2))
        };
        assert_eq!(note(3, 0), None);
        let slow = "7.0 s old; the gateway is slow to make another one";
        assert_eq!(note(7, 1).as_deref(), Some(slow));
        let away = "no answer for 4.0 s; this is the last picture";
        assert_eq!(note(9, 4).as_deref(), Some(away));
    }
}
