//! One accepted validation, from its place in the queue to the end of its stream.
//!
//! Lives in a task of its own, so that it goes on when the caller leaves, unless the caller
//! asked otherwise. Step events may be dropped for a slow reader; the report is waited for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_model::{
    Fault, FaultCode, JobId, LegEvent, LegObserver, LegReport, Report, TraceId, Validation,
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
        // The reader may be gone, which is no news, or asleep, which must not hold us.
        if timeout(READER_PATIENCE, self.answers.send(last)).await.is_err() {
            tracing::warn!("the caller does not read, report dropped");
        }
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
            Ok(_) if self.stop.is_cancelled() => Ended::GivenUp,
            Ok(_) if cancel.is_cancelled() => Ended::Abandoned,
            Ok(report) => Ended::Report(Box::new(report)),
        }
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
            egress_pool: Vec::new(),
        };
        mailfleet_engine::join(job, validation, legs.collect())
    }
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
