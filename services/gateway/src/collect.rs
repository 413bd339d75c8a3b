//! Collect: workers' news into the store, and only then acked.
//!
//! Several are worked on at once; for one job the store's lock puts them in a row. While
//! the store is away nothing is acked, and so nothing is lost.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::order;
use mailfleet_engine::collect::{Composer as _, Event};
use mailfleet_model::fleet::{
    Control, GatewayQueue, JobChange, JobView, LegEnd, LegId, LegSummary, NewsDelivery, NewsSource,
    Outcome, PeerSide, PeerWord, StartAnswer, Store, StoreError, WorkerId, WorkerMessage,
    WorkerNews,
};
use mailfleet_model::{FaultCode, Retry};
use mailfleet_telemetry::metrics::{self, Clock, Queue};
use mailfleet_telemetry::spans;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::compose::Compose;
use crate::gateway::Gateway;

/// News that are worked on at once.
const AT_ONCE: usize = 32;
/// Pause before the news are consumed anew.
const RECONNECT: Duration = Duration::from_millis(500);
/// First and longest pause before the store is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How often a job whose rows make no sense is tried.
const CORRUPT_TRIES: u32 = 3;

/// Collects for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        match gateway.queue.news().await {
            Ok(news) => {
                gateway.troubles.news.is_over();
                consume(&gateway, news).await;
                tracing::warn!("the stream of workers' news has ended, consuming anew");
            }
            Err(error) => gateway.troubles.news.begins(&error),
        }
        sleep(RECONNECT).await;
    }
}

/// Works until the stream ends. What is not acked by then is delivered again.
async fn consume<S: Store, Q: GatewayQueue>(gateway: &Arc<Gateway<S, Q>>, mut news: Q::News) {
    let mut working: JoinSet<u64> = JoinSet::new();
    let mut tags = std::collections::HashMap::new();
    loop {
        let done = tokio::select! {
            // Acks first: they make room on the broker.
            biased;
            Some(done) = working.join_next_with_id() => done,
            next = news.next(), if working.len() < AT_ONCE => {
                let Some(NewsDelivery { tag, news }) = next else { return };
                let gateway = Arc::clone(gateway);
                let task = working.spawn(async move {
                    gateway.take(news).await;
                    tag
                });
                tags.insert(task.id(), tag);
                continue;
            }
        };
        let tag = match done {
            Ok((id, tag)) => {
                tags.remove(&id);
                Some(tag)
            }
            Err(error) => {
                // Delivered again, it would kill the next one too: the sweeps deal with the leg.
                tracing::error!(error = %error, "a worker's news cannot be worked on, passing over");
                tags.remove(&error.id())
            }
        };
        if let Some(tag) = tag
            && let Err(error) = news.ack(tag).await
        {
            let error = mailfleet_telemetry::chain(&error).to_string();
            tracing::debug!(error, "an ack is lost, the news come again");
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Works one delivery into the store; returns when it may be acked.
    async fn take(&self, news: WorkerNews) {
        let message = match news {
            WorkerNews::Message(message) => *message,
            WorkerNews::Unreadable => {
                tracing::warn!("a worker's news could not be read, the broker set them aside");
                return;
            }
        };
        metrics::consumed(Queue::News);
        let (clock, span) = (Clock::new(), spans::process_news(&message));
        let answer = self.until_stored(&message).await;
        drop(span);
        metrics::processed(Queue::News, clock);
        if let Outcome::MayStart { .. } = message.outcome {
            let (leg, dispatch) = (message.leg, message.dispatch);
            let answer = answer.unwrap_or(StartAnswer::Drop);
            if answer == StartAnswer::Go {
                self.speak_for_the_incoming(&message.worker, leg).await;
            }
            self.link.tell(&message.worker, &Control::Start { leg, dispatch, answer }).await;
        }
    }

    /// Says in place of an incoming leg that has ended that nothing more comes from it. Who heard
    /// it say so may be gone, or have forgotten it, and the outgoing leg would wait for seconds
    /// with a slot of its mail server in its hands.
    async fn speak_for_the_incoming(&self, worker: &WorkerId, leg: LegId) {
        // The first leg is the incoming one of a pair, and that one waits for nobody.
        if leg.index == 0 {
            return;
        }
        let has_ended = |view: &JobView| {
            let first = view.legs.first();
            (JobChange::default(), first.is_some_and(|first| first.leg.state.is_final()))
        };
        // Where the store is away, the leg waits.
        if let Ok(Some((true, _))) = self.store.advance(leg.job, has_ended).await {
            let (job, side, word) = (leg.job, PeerSide::Incoming, PeerWord::LegEnded);
            self.link.tell(worker, &Control::Peer { job, side, word }).await;
        }
    }

    /// Advances the job, and tries again as long as the store is away. `None` for a job that
    /// is gone, or makes no sense.
    async fn until_stored(&self, message: &WorkerMessage) -> Option<StartAnswer> {
        let WorkerMessage { leg, dispatch, outcome, worker, .. } = message;
        let event = match outcome {
            Outcome::Ended(end) => Event::Ended(*leg, *dispatch, end.clone()),
            Outcome::Returned(returned) => Event::Returned(*leg, *dispatch, returned.clone()),
            Outcome::MayStart { redelivered } => {
                Event::MayStart { leg: *leg, dispatch: *dispatch, redelivered: *redelivered }
            }
        };
        let (mut pause, mut corrupt) = (PAUSE.0, 0);
        loop {
            let error = match self.advance(leg.job, &event).await {
                Ok(answer) => {
                    self.troubles.collect.is_over();
                    if answer.is_none() {
                        tracing::info!(job.id = %leg.job, %worker, "news of a job that is gone");
                    }
                    return answer;
                }
                Err(error) => error,
            };
            self.troubles.collect.begins(&error);
            if matches!(error, StoreError::Corrupt { .. }) {
                corrupt += 1;
                if CORRUPT_TRIES <= corrupt {
                    tracing::error!(job.id = %leg.job, "a job makes no sense, its news are lost");
                    return None;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// The event with a report that can be read: one that cannot becomes a fault of ours, so that
/// it does no harm when the job's report is made. What came of the login and of a test mail
/// still counts.
pub(crate) fn readable<'a>(
    event: &'a Event,
    view: &JobView,
    composer: &Compose<'_>,
) -> Cow<'a, Event> {
    let Event::Ended(leg, dispatch, end) = event else { return Cow::Borrowed(event) };
    if order::leg_result(&end.report).is_ok() {
        return Cow::Borrowed(event);
    }
    let Some(row) = view.legs.get(usize::from(leg.index)) else { return Cow::Borrowed(event) };
    let code = FaultCode::Unknown;
    // Another run would be told in the same words: somebody has to mend that first.
    let retry = Some(Retry::AfterFix);
    let summary = LegSummary { code: Some(code), retry, ..end.summary };
    let end = LegEnd { summary, report: composer.closing(&row.leg, code) };
    Cow::Owned(Event::Ended(*leg, *dispatch, end))
}
