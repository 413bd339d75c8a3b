//! The stream of one `WatchJob` call: the job whenever it has changed, and heartbeats.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_model::fleet::{GatewayQueue, JobView, Store, StoreError};
use mailfleet_remedy::Language;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Caller;
use crate::watch::{Heard, Watch};

/// Silence after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest wait for a reader that does not read: it comes back with its token.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One message of the stream.
pub(super) type Answer = Result<v1::WatchJobResponse, Status>;

/// Starts the stream. `seen` is the version that the caller knows.
pub(super) fn start<S: Store, Q: GatewayQueue>(
    gateway: &Arc<Gateway<S, Q>>,
    caller: Caller,
    watch: Watch,
    seen: Option<u64>,
    language: Option<Language>,
) -> ReceiverStream<Answer> {
    // Room for one: changes come as one for a slow reader.
    let (answers, stream) = mpsc::channel(1);
    let watching =
        Watching { gateway: Arc::clone(gateway), caller, watch, seen, language, answers };
    gateway.streams.spawn(watching.run());
    ReceiverStream::new(stream)
}

struct Watching<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    caller: Caller,
    watch: Watch,
    seen: Option<u64>,
    language: Option<Language>,
    answers: mpsc::Sender<Answer>,
}

impl<S: Store, Q: GatewayQueue> Watching<S, Q> {
    async fn run(mut self) {
        // From here on a watcher holds up no drain: it can go on elsewhere with its token.
        let (stop, answers) = (self.gateway.draining.clone(), self.answers.clone());
        let mut beat = Instant::now() + HEARTBEAT;
        loop {
            match self.look().await {
                Ok(Some(view)) if self.seen != Some(view.job.version) => {
                    self.seen = Some(view.job.version);
                    beat = Instant::now() + HEARTBEAT;
                    let job = Some(self.gateway.message(&view, self.language));
                    let sent = self.send(Ok(v1::WatchJobResponse { job })).await;
                    if !sent || view.job.state.is_final() {
                        return;
                    }
                }
                // The caller knows the final state already.
                Ok(Some(view)) if view.job.state.is_final() => return,
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.send(Err(status::no_such_job(self.language))).await;
                    return;
                }
                Err(error) => {
                    self.send(Err(status::store(&error, self.language))).await;
                    return;
                }
            }
            // Nobody asked for steps here.
            let changed = async { while !matches!(self.watch.next().await, Heard::Changed(_)) {} };
            tokio::select! {
                () = stop.cancelled() => {
                    let last = Err(status::job_goes_on(self.watch.job, self.language));
                    self.send(last).await;
                    return;
                }
                () = answers.closed() => return,
                () = changed => {}
                () = sleep_until(beat) => {
                    beat = Instant::now() + HEARTBEAT;
                    if !self.send(Ok(v1::WatchJobResponse { job: None })).await {
                        return;
                    }
                }
            }
        }
    }

    async fn look(&self) -> Result<Option<JobView>, StoreError> {
        self.gateway.store.job(&self.caller.tenant.name, self.watch.job).await
    }

    /// Whether the caller still reads.
    async fn send(&self, answer: Answer) -> bool {
        matches!(timeout(READER_PATIENCE, self.answers.send(answer)).await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests;
