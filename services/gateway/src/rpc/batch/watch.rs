//! The stream of one `WatchBatch` call: the batch whenever it has changed, and heartbeats.
//!
//! Looks at the counters twice a second: a batch has few watchers and changes all the time.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::batch as wire;
use mailfleet_api::v1;
use mailfleet_model::fleet::{BatchId, GatewayQueue, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Caller;

/// How often the batch is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Silence after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest wait for a reader that does not read: it comes back with its token.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One message of the stream.
pub(super) type Answer = Result<v1::WatchBatchResponse, Status>;

/// Starts the stream. `seen` is the token that the caller has, or empty.
pub(super) fn start<S: Store, Q: GatewayQueue>(
    gateway: &Arc<Gateway<S, Q>>,
    caller: Caller,
    batch: BatchId,
    seen: String,
) -> ReceiverStream<Answer> {
    // Room for one: changes come as one for a slow reader.
    let (answers, stream) = mpsc::channel(1);
    let watching = Watching { gateway: Arc::clone(gateway), caller, batch, seen, answers };
    gateway.streams.spawn(watching.run());
    ReceiverStream::new(stream)
}

struct Watching<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    caller: Caller,
    batch: BatchId,
    seen: String,
    answers: mpsc::Sender<Answer>,
}

impl<S: Store, Q: GatewayQueue> Watching<S, Q> {
    async fn run(mut self) {
        let (stop, answers) = (self.gateway.draining.clone(), self.answers.clone());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                // It can go on elsewhere with its token.
                () = stop.cancelled() => {
                    self.send(Err(status::draining(None))).await;
                    return;
                }
                () = answers.closed() => return,
                _ = looks.tick() => {}
            }
            let report = match self.gateway.batch(&self.caller, self.batch).await {
                Ok(report) => report,
                Err(status) => {
                    self.send(Err(status)).await;
                    return;
                }
            };
            let is_over = report.batch.state.is_final();
            let message = wire::message(&report);
            let batch = (message.watch_token != self.seen).then(|| {
                self.seen.clone_from(&message.watch_token);
                message
            });
            if batch.is_some() || HEARTBEAT <= last.elapsed() {
                last = Instant::now();
                if !self.send(Ok(v1::WatchBatchResponse { batch })).await {
                    return;
                }
            }
            if is_over {
                return;
            }
        }
    }

    /// Whether the caller still reads.
    async fn send(&self, answer: Answer) -> bool {
        matches!(timeout(READER_PATIENCE, self.answers.send(answer)).await, Ok(Ok(())))
    }
}
