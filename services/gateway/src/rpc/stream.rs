//! The stream of one `Validate` call, from the acceptance to the report.
//!
//! A task of its own that only tells: the job goes on without it, unless the caller who made
//! it asked otherwise. Steps may be dropped for a slow reader; the report is waited for.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_engine::collect::Event as JobEvent;
use mailfleet_model::fleet::{GatewayQueue, Store, StoreError};
use mailfleet_remedy::Language;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Status;

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Caller;
use crate::watch::{Change, Heard, Watch};

/// Events that wait for a slow reader before further ones are dropped. A validation has
/// about sixty.
pub(super) const EVENTS: usize = 64;
/// How long the report waits for a reader that does not read.
const READER_PATIENCE: Duration = Duration::from_secs(30);
/// How long after its deadline a job is ended from here, sooner than by the sweep: the
/// store's clock must agree that it has passed.
pub(super) const AFTER_DEADLINE: Duration = Duration::from_millis(5);

/// One message of the stream.
pub(super) type Answer = Result<v1::ValidateResponse, Status>;

/// What happens when the caller goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDisconnect {
    /// The validation runs to its end.
    GoOn,
    /// The legs log out and end.
    Cancel,
}

/// One call.
pub(super) struct Stream<S, Q: GatewayQueue> {
    pub(super) gateway: Arc<Gateway<S, Q>>,
    pub(super) caller: Caller,
    pub(super) language: Option<Language>,
    pub(super) on_disconnect: OnDisconnect,
    /// When the job is past its deadline, where this call made it.
    pub(super) expires: Option<Instant>,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) watch: Watch,
}

/// Wraps an event for the stream.
pub(super) fn answer(event: Event) -> Answer {
    Ok(v1::ValidateResponse { event: Some(event) })
}

impl<S: Store, Q: GatewayQueue> Stream<S, Q> {
    /// Tells what happens until there is a report, nobody listens, or the service ends.
    pub(super) async fn run(mut self) {
        let stop = self.gateway.stop.clone();
        let answers = self.answers.clone();
        // A job that this call made was watched before it was there; others may have ended.
        let mut look = self.expires.is_none();
        loop {
            if std::mem::take(&mut look)
                && let Some(last) = self.look().await
            {
                while let Some(event) = self.watch.try_step() {
                    self.step(&event);
                }
                return deliver(&self.answers, last).await;
            }
            let expires = self.expires;
            let expired = async {
                match expires {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The end of the service closes connections too, and is not the caller's leaving.
                biased;
                () = stop.cancelled() => {
                    tracing::info!("the service ends before the job does");
                    let last = Err(status::job_goes_on(self.watch.job, self.language));
                    return deliver(&self.answers, last).await;
                }
                () = answers.closed() => return self.left().await,
                () = expired => {
                    self.expires = None;
                    self.advance(&JobEvent::Deadline).await;
                }
                heard = self.watch.next() => match heard {
                    Heard::Changed(change) => look = change == Change::MayBeOver,
                    Heard::Step(event) => self.step(&event),
                },
            }
        }
    }

    /// The last message, if it is time for it. A store that does not answer is asked again at
    /// the next look, a second later at most.
    async fn look(&self) -> Option<Answer> {
        let job = self.watch.job;
        match self.report().await {
            Ok(report) => report,
            Err(error) => {
                let error = mailfleet_telemetry::chain(&error).to_string();
                tracing::debug!(job.id = %job, error, "a look at a job failed");
                None
            }
        }
    }

    async fn report(&self) -> Result<Option<Answer>, StoreError> {
        let (gateway, job) = (&self.gateway, self.watch.job);
        let report = if let Some(ended) = self.watch.ended() {
            gateway.report(&ended, self.language)
        } else {
            let record = gateway.store.record(&self.caller.tenant.name, job).await?;
            let Some(record) = record else {
                return Ok(Some(Err(status::no_such_job(self.language))));
            };
            if !record.state.is_final() {
                return Ok(None);
            }
            gateway.report(&record, self.language)
        };
        Ok(Some(match report {
            Some(report) => answer(Event::Report(report)),
            None => Err(status::unreadable(job, self.language)),
        }))
    }

    /// A full channel drops the step: the report holds every one.
    fn step(&self, event: &mailfleet_model::LegEvent) {
        drop(self.answers.try_send(answer(Event::Step(v1::StepEvent::from(event)))));
    }

    async fn left(&self) {
        match self.on_disconnect {
            OnDisconnect::GoOn => tracing::info!("the caller left, the job goes on"),
            OnDisconnect::Cancel if !self.watch.is_alone() => {
                tracing::info!("the caller left, the job goes on for another one");
            }
            OnDisconnect::Cancel => {
                tracing::info!("the caller left, the job is cancelled");
                self.advance(&JobEvent::Cancel).await;
            }
        }
    }

    async fn advance(&self, event: &JobEvent) {
        if let Err(error) = self.gateway.advance(self.watch.job, event).await {
            // Its deadline ends the job anyway.
            tracing::warn!(error = %mailfleet_telemetry::chain(&error), "a job was not ended");
        }
    }
}

/// Sends the last message, however slowly the caller reads. The caller may be gone, which is
/// no news, or asleep, which must not hold us for ever.
async fn deliver(answers: &mpsc::Sender<Answer>, last: Answer) {
    if timeout(READER_PATIENCE, answers.send(last)).await.is_err() {
        tracing::warn!("the caller does not read, report dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_never_reads_does_not_hold_the_gateway() {
        let (answers, _stream) = mpsc::channel(1);
        deliver(&answers, answer(Event::Step(v1::StepEvent::default()))).await;
        let began = Instant::now();
        deliver(&answers, answer(Event::Report(v1::Report::default()))).await;
        assert_eq!(began.elapsed(), READER_PATIENCE);
    }
}
