//! One accepted validation, from its place in the queue to the end of its stream.
//!
//! Lives in a task of its own, so that it goes on when the caller leaves, unless the caller
//! asked otherwise. Step events may be dropped for a slow reader; the report is waited for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_model::{
    Fault, FaultCode, JobId, LegEvent, LegObserver, LegReport, Outline, Report, StepOutcome,
    TraceId, Validation,
};
use mailfleet_remedy::Language;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::Instrument;

use crate::admission::Place;
use crate::validate::{Run, Validator};
use crate::{deadline, message, status};

/// Events that wait for a slow reader before further ones are dropped. A validation has
/// about sixty.
pub(crate) const EVENTS: usize = 64;
/// How long the report waits for a reader that does not read.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One message of the stream.
pub(crate) type Answer = Result<v1::ValidateResponse, Status>;

/// What happens when the caller goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisconnect {
    /// The validation runs to its end.
    GoOn,
    /// The legs log out and end.
    Cancel,
}

/// One accepted validation.
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) trace: Option<TraceId>,
    pub(crate) language: Option<Language>,
    pub(crate) on_disconnect: OnDisconnect,
    /// Cancelled when the service must end now.
    pub(crate) stop: CancellationToken,
    pub(crate) answers: mpsc::Sender<Answer>,
}

/// How a job ended.
enum Ended {
    Report(Box<Report>),
    /// The caller had left and wanted nothing more.
    Abandoned,
    GivenUp,
    Broken,
}

/// Wraps an event for the stream.
pub(crate) fn answer(event: Event) -> Answer {
    Ok(v1::ValidateResponse { event: Some(event) })
}

impl Job {
    /// Waits for a slot, runs, answers.
    pub(crate) async fn run(self, place: Place, validator: Validator, validation: Validation) {
        let ended = self.work(place, validator, validation).await;
        let last = match ended {
            Ended::Report(report) => {
                log(&report);
                answer(Event::Report(message::report_message(&report, self.language)))
            }
            Ended::Abandoned => {
                tracing::info!("the caller left, validation cancelled");
                return;
            }
            Ended::GivenUp => {
                tracing::warn!("validation given up at shutdown");
                Err(status::given_up(self.id, self.language))
            }
            Ended::Broken => Err(status::internal(self.id, self.language)),
        };
        deliver(&self.answers, last).await;
    }

    async fn work(&self, place: Place, validator: Validator, mut validation: Validation) -> Ended {
        let began = Instant::now();
        let waiting = timeout(validation.budget, place.run());
        let slot = tokio::select! {
            slot = waiting => slot.ok(),
            () = self.stop.cancelled() => return Ended::GivenUp,
            () = self.left() => return Ended::Abandoned,
        };
        validation.budget = validation.budget.saturating_sub(began.elapsed());
        let Some(slot) = slot.filter(|_| !deadline::is_too_short(validation.budget)) else {
            return Ended::Report(Box::new(self.never_started(&validation, began.elapsed())));
        };
        let cancel = self.stop.child_token();
        let run = Run {
            job: self.id,
            observer: Arc::new(Live(self.answers.clone())),
            cancel: cancel.clone(),
            trace: self.trace,
        };
        // A task of its own, so that a mistake of ours becomes an answer.
        let work = async move { validator.run(validation, run).await }.in_current_span();
        let mut running = tokio::spawn(work);
        let joined = tokio::select! {
            joined = &mut running => joined,
            () = self.left() => {
                cancel.cancel();
                running.await
            }
        };
        drop(slot);
        match joined {
            Err(error) => {
                tracing::error!(error = %error, "a validation ended without a report");
                Ended::Broken
            }
            // What was finished before the end of the service reached it is still told.
            Ok(report) if self.stop.is_cancelled() && was_cut_short(&report) => Ended::GivenUp,
            Ok(_) if self.has_left() => Ended::Abandoned,
            Ok(report) => Ended::Report(Box::new(report)),
        }
    }

    /// Whether the caller is gone and nobody wants the rest.
    fn has_left(&self) -> bool {
        self.on_disconnect == OnDisconnect::Cancel && self.answers.is_closed()
    }

    /// Ends when the caller is gone and nobody wants the rest.
    async fn left(&self) {
        match self.on_disconnect {
            OnDisconnect::GoOn => std::future::pending().await,
            OnDisconnect::Cancel => self.answers.closed().await,
        }
    }

    /// The report of a job whose deadline passed in the queue.
    fn never_started(&self, validation: &Validation, waited: Duration) -> Report {
        let now = SystemTime::now();
        let settings = validation.incoming.iter().chain(&validation.outgoing);
        let legs = settings.map(|settings| {
            let leg = settings.endpoint.protocol.into();
            let mut report = LegReport::begin(leg, settings.endpoint.clone(), now);
            report.faults.push(Fault::new(FaultCode::CapacityLimit, leg));
            report
        });
        let job = mailfleet_engine::Job {
            id: self.id,
            started: now.checked_sub(waited).unwrap_or(now),
            elapsed: waited,
            trace_id: self.trace,
        };
        let outline = Outline::numbered(validation, Vec::new());
        mailfleet_engine::join(job, &outline, legs.collect())
    }
}

/// Sends the last message, however slowly the caller reads. The caller may be gone, which is
/// no news, or asleep, which must not hold us for ever.
async fn deliver(answers: &mpsc::Sender<Answer>, last: Answer) {
    if timeout(READER_PATIENCE, answers.send(last)).await.is_err() {
        tracing::warn!("the caller does not read, report dropped");
    }
}

/// Whether the validation was stopped before it had found everything out.
fn was_cut_short(report: &Report) -> bool {
    let mut steps = report.legs.iter().flat_map(|leg| &leg.steps);
    steps.any(|step| step.outcome == StepOutcome::Cancelled)
}

fn log(report: &Report) {
    let headline = report.faults.first().map_or("", |fault| fault.code.name());
    tracing::info!(
        verdict = %report.verdict,
        fault.code = headline,
        elapsed_ms = u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        "validation ended",
    );
}

/// Sends live events to the caller.
struct Live(mpsc::Sender<Answer>);

impl LegObserver for Live {
    fn observe(&self, event: LegEvent) {
        // A full or closed channel drops the event: the report holds every step.
        let _ = self.0.try_send(answer(Event::Step(v1::StepEvent::from(&event))));
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use mailfleet_model::{Leg, StepKind};
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_misses_events_and_never_the_report() {
        let (answers, stream) = mpsc::channel(2);
        let live = Live(answers.clone());
        for _ in 0..100 {
            // Returns at once, or the test would never end.
            live.observe(LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Login });
        }
        drop(live);
        let delivering = tokio::spawn(async move {
            deliver(&answers, answer(Event::Report(v1::Report::default()))).await;
        });
        tokio::time::advance(READER_PATIENCE / 2).await;
        let messages: Vec<Answer> = ReceiverStream::new(stream).collect().await;
        let is_report = |message: &Answer| {
            message.as_ref().is_ok_and(|m| matches!(m.event, Some(Event::Report(_))))
        };
        assert_eq!(messages.len(), 3, "two events had room");
        assert!(messages.last().is_some_and(is_report));
        delivering.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_never_reads_does_not_hold_the_gateway() {
        let (answers, _stream) = mpsc::channel(1);
        let event = LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Login };
        Live(answers.clone()).observe(event);
        let began = Instant::now();
        deliver(&answers, answer(Event::Report(v1::Report::default()))).await;
        assert_eq!(began.elapsed(), READER_PATIENCE);
    }
}
