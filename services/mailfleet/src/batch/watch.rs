//! Follows a batch: a bar at a terminal, a line now and then elsewhere.
//!
//! Ends with the batch, when it is paused, or with Ctrl-C, which leaves it running.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailfleet_api::v1::batch::State;
use mailfleet_api::{json, v1};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::{Batches, id_of, nothing, show};
use crate::exit::{Error, Exit};
use crate::output::{complain, print};
use crate::span;

/// Pause between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(5);
/// Pause before a stream that ended early is taken up again, and how often.
const AGAIN: (Duration, u32) = (Duration::from_secs(1), 60);

/// Follows a batch. The exit status is what came of it.
pub(super) async fn follow(
    batches: &mut Batches,
    name: &str,
    as_json: bool,
    stop: &CancellationToken,
) -> Result<Exit, Error> {
    let mut view = View::new(as_json);
    let last = tokio::select! {
        last = watch(batches, name, &mut view) => last,
        () = stop.cancelled() => {
            view.bar.finish_and_clear();
            let id = name.trim_start_matches("batches/");
            complain(&format!(
                "the batch goes on; come back with: mailfleet batch watch {id}\n"
            ));
            return Ok(Exit::Inconclusive);
        }
    };
    view.bar.finish_and_clear();
    let last = last?;
    let text = if as_json { format!("{}\n", json::to_json(&last)) } else { show::batch(&last) };
    print(&text)?;
    Ok(exit(&last))
}

/// Reads the stream to its end or a pause, and takes it up again where it ended early.
async fn watch(batches: &mut Batches, name: &str, view: &mut View) -> Result<v1::Batch, Error> {
    let (mut last, mut tries) = (None::<v1::Batch>, 0);
    loop {
        let token = last.as_ref().map(|batch| batch.watch_token.clone()).unwrap_or_default();
        match read(batches, name, token, view, &mut last).await {
            Ok(()) => return last.ok_or_else(nothing),
            Err(status) => {
                tries += 1;
                if status.code() != Code::Unavailable || AGAIN.1 < tries {
                    return Err(batches.gateway.told(&status));
                }
                tokio::time::sleep(AGAIN.0).await;
            }
        }
    }
}

async fn read(
    batches: &mut Batches,
    name: &str,
    watch_token: String,
    view: &mut View,
    last: &mut Option<v1::Batch>,
) -> Result<(), Status> {
    let request = v1::WatchBatchRequest { name: name.to_owned(), watch_token };
    let mut stream = batches.client.watch_batch(request).await?.into_inner();
    while let Some(news) = stream.message().await? {
        // A message without a batch only says that the stream is alive.
        let Some(batch) = news.batch else { continue };
        view.show(&batch);
        let is_paused = batch.state() == State::Paused;
        *last = Some(batch);
        if is_paused {
            return Ok(());
        }
    }
    Ok(())
}

/// The status that a batch stands for.
pub(super) fn exit(batch: &v1::Batch) -> Exit {
    let counts = batch.counts.unwrap_or_default();
    if batch.state() != State::Done {
        Exit::Inconclusive
    } else if counts.faulty > 0 {
        Exit::Faulty
    } else if counts.inconclusive + counts.cancelled > 0 {
        Exit::Inconclusive
    } else {
        Exit::Good
    }
}

/// What is seen meanwhile.
struct View {
    bar: ProgressBar,
    is_terminal: bool,
    as_json: bool,
    next: Instant,
}

impl View {
    fn new(as_json: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && !as_json;
        let target =
            if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
        let style = style.expect("the template is in this line");
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { bar, is_terminal, as_json, next: Instant::now() }
    }

    fn show(&mut self, batch: &v1::Batch) {
        let counts = batch.counts.unwrap_or_default();
        let done = counts.total.saturating_sub(counts.held + counts.open);
        let text = line(batch);
        if self.is_terminal {
            self.bar.set_length(counts.total);
            self.bar.set_position(done);
            self.bar.set_message(text);
        } else if !self.as_json && self.next <= Instant::now() {
            self.next = Instant::now() + LINES;
            complain(&format!("{}: {done} of {}  {text}\n", id_of(batch), counts.total));
        }
    }
}

/// Counts, rate and remaining time in one line.
fn line(batch: &v1::Batch) -> String {
    let counts = batch.counts.unwrap_or_default();
    let mut text = format!(
        "{} healthy, {} faulty, {} inconclusive",
        counts.healthy, counts.faulty, counts.inconclusive
    );
    if batch.items_per_second > 0.0 {
        text.push_str(&format!("  {:.1}/s", batch.items_per_second));
    }
    let left = batch.time_left.and_then(|left| Duration::try_from(left).ok());
    if let Some(left) = left {
        text.push_str(&format!("  {} left", span::brief(left)));
    }
    text
}
