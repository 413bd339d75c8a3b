//! The stream of one `WatchBatch` call: the batch whenever it has changed, and heartbeats.
//!
//! What it says comes from the look that all watchers of the batch share.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::batch as wire;
use mailfleet_api::v1;
use mailfleet_model::fleet::{BatchId, GatewayQueue, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::batches::BatchWatch;
use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Caller;

/// Silence after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest wait for a reader that does not read: it comes back with its token.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One message of the stream.
pub(super) type Answer = Result<v1::WatchBatchResponse, Status>;

/// Starts the stream. `seen` is the token that the caller has, or empty.
pub(super) fn start<S: Store, Q: GatewayQueue>(
    gateway: &Arc<Gateway<S, Q>>,
    caller: &Caller,
    batch: BatchId,
    seen: String,
) -> ReceiverStream<Answer> {
    // Room for one: changes come as one for a slow reader.
    let (answers, stream) = mpsc::channel(1);
    let watch = gateway.watch_batch(&caller.tenant.name, batch);
    let watching = Watching { stop: gateway.draining.clone(), watch, seen, answers };
    gateway.streams.spawn(watching.run());
    ReceiverStream::new(stream)
}

struct Watching {
    stop: CancellationToken,
    watch: BatchWatch,
    seen: String,
    answers: mpsc::Sender<Answer>,
}

impl Watching {
    async fn run(mut self) {
        let (stop, answers) = (self.stop.clone(), self.answers.clone());
        let mut beat = Instant::now() + HEARTBEAT;
        loop {
            let answer = tokio::select! {
                // It can go on elsewhere with its token.
                () = stop.cancelled() => {
                    self.send(Err(status::draining(None))).await;
                    return;
                }
                () = answers.closed() => return,
                seen = self.watch.next() => match seen {
                    Err(status) => {
                        self.send(Err(status)).await;
                        return;
                    }
                    Ok(report) => {
                        let is_over = report.batch.state.is_final();
                        let message = wire::message(&report);
                        if message.watch_token == self.seen {
                            if is_over {
                                return;
                            }
                            continue;
                        }
                        self.seen.clone_from(&message.watch_token);
                        if is_over {
                            self.send(Ok(v1::WatchBatchResponse { batch: Some(message) })).await;
                            return;
                        }
                        v1::WatchBatchResponse { batch: Some(message) }
                    }
                },
                () = sleep_until(beat) => v1::WatchBatchResponse { batch: None },
            };
            beat = Instant::now() + HEARTBEAT;
            if !self.send(Ok(answer)).await {
                return;
            }
        }
    }

    /// Whether the caller still reads.
    async fn send(&self, answer: Answer) -> bool {
        matches!(timeout(READER_PATIENCE, self.answers.send(answer)).await, Ok(Ok(())))
    }
}
