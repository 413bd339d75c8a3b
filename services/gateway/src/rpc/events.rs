//! `mailfleet.v1.EventService`: what has ended, streamed to the caller's tenant.
//!
//! A stream holds nothing but its place: it reads the store when somebody says that there is
//! something new, so that any gateway can go on where another one stopped.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::notice::{self as wire, Beginning};
use mailfleet_api::v1;
use mailfleet_api::v1::event_service_server::EventService;
use mailfleet_model::fleet::{GatewayQueue, NoticePage, Store};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::{Caller, Role};

/// Events in one message.
const PAGE: u32 = 500;
/// Silence after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest wait for a reader that does not read: it comes back with its token.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// One message of the stream.
pub(crate) type Answer = Result<v1::WatchEventsResponse, Status>;

/// The service.
#[derive(Debug)]
pub(crate) struct Events<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);

#[tonic::async_trait]
impl<S: Store, Q: GatewayQueue> EventService for Events<S, Q> {
    type WatchEventsStream = ReceiverStream<Answer>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let caller = self.0.caller(&metadata, Role::Reader, None)?;
        let beginning = wire::beginning(&asked).map_err(|bad| status::invalid(&bad, None))?;
        if self.0.draining.is_cancelled() {
            return Err(status::draining(None));
        }
        // Before the first look, so that nothing comes between the two.
        let placed = self.0.notices.watch();
        let (answers, stream) = mpsc::channel(1);
        let mut watching =
            Watching { gateway: Arc::clone(&self.0), caller, after: 0, placed, answers };
        watching.after = watching.begin(beginning).await?;
        self.0.streams.spawn(watching.run());
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

struct Watching<S, Q: GatewayQueue> {
    gateway: Arc<Gateway<S, Q>>,
    caller: Caller,
    /// Everything up to this place has been sent.
    after: u64,
    placed: watch::Receiver<u64>,
    answers: mpsc::Sender<Answer>,
}

impl<S: Store, Q: GatewayQueue> Watching<S, Q> {
    /// The place behind which the stream begins.
    async fn begin(&self, beginning: Beginning) -> Result<u64, Status> {
        Ok(match beginning {
            Beginning::After(serial) => {
                self.page(serial, 0).await?;
                serial
            }
            Beginning::Now => self.read(0, 0).await?.next,
            Beginning::Oldest => self.read(0, 0).await?.forgotten,
        })
    }

    async fn run(mut self) {
        let (stop, answers) = (self.gateway.draining.clone(), self.answers.clone());
        let mut beat = Instant::now();
        loop {
            let page = match self.page(self.after, PAGE).await {
                Ok(page) => page,
                Err(status) => {
                    self.send(Err(status)).await;
                    return;
                }
            };
            self.after = page.next;
            let now = Instant::now();
            if !page.notices.is_empty() || beat <= now {
                beat = now + HEARTBEAT;
                if !self.send(Ok(wire::answer(&page.notices, page.next))).await {
                    return;
                }
            }
            if usize::try_from(PAGE).is_ok_and(|full| full <= page.notices.len()) {
                continue;
            }
            tokio::select! {
                // It can go on elsewhere with its token.
                () = stop.cancelled() => {
                    self.send(Err(status::draining(None))).await;
                    return;
                }
                () = answers.closed() => return,
                changed = self.placed.changed() => if changed.is_err() { return },
                () = sleep_until(beat) => {}
            }
        }
    }

    /// What comes behind a place, unless something there was forgotten.
    async fn page(&self, after: u64, limit: u32) -> Result<NoticePage, Status> {
        let page = self.read(after, limit).await?;
        // Also a token of another deployment, or of a store that was set back.
        if after < page.forgotten || page.next < after {
            return Err(status::events_forgotten(None));
        }
        Ok(page)
    }

    async fn read(&self, after: u64, limit: u32) -> Result<NoticePage, Status> {
        let page = self.gateway.store.notices(&self.caller.tenant.name, after, limit).await;
        page.map_err(|error| status::store(&error, None))
    }

    /// Whether the caller still reads.
    async fn send(&self, answer: Answer) -> bool {
        matches!(timeout(READER_PATIENCE, self.answers.send(answer)).await, Ok(Ok(())))
    }
}
