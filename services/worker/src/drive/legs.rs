//! The legs that run: a task each, ended politely or at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_api::order;
use mailfleet_engine::own::Ending;
use mailfleet_engine::worker::Event;
use mailfleet_model::fleet::{Delay, Dispatch, LegEnd, LegId, LegMessage, Outcome, WorkerQueue};
use mailfleet_telemetry::spans;
use mailfleet_telemetry::trace::Span;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;

use super::Drive;
use crate::runner::{self, Errand, Ran, Runner};

/// Time to say goodbye to a mail server after a cancel.
const GOODBYE: Duration = Duration::from_secs(1);

/// The legs that run.
#[derive(Debug, Default)]
pub(super) struct Legs {
    tasks: JoinSet<Option<Ran>>,
    running: HashMap<Id, Running>,
    by_leg: HashMap<LegId, Id>,
    /// What the news of a leg go on: its run's context, and its job's before it has run.
    traces: HashMap<LegId, String>,
}

/// A leg that runs.
#[derive(Debug)]
pub(super) struct Running {
    message: LegMessage,
    /// What of the mail server's own it mostly waited for.
    held_by: Option<Delay>,
    cancel: CancellationToken,
    abort: AbortHandle,
}

/// How a leg's task ended. `None` in it: it did not say goodbye in time.
pub(super) type Ended = Result<(Id, Option<Ran>), JoinError>;

impl Legs {
    /// Lets a leg say goodbye, for a second.
    pub(super) fn cancel(&self, leg: LegId) {
        if let Some(running) = self.of(leg) {
            running.cancel.cancel();
        }
    }

    /// Closes a leg's socket now.
    pub(super) fn abort(&self, leg: LegId) {
        if let Some(running) = self.of(leg) {
            running.abort.abort();
        }
    }

    /// The next leg that ended; `None` while there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        self.tasks.join_next_with_id().await
    }

    fn of(&self, leg: LegId) -> Option<&Running> {
        self.running.get(self.by_leg.get(&leg)?)
    }

    /// The context that news of a leg go on.
    pub(super) fn trace(&self, leg: LegId) -> Option<String> {
        self.traces.get(&leg).cloned()
    }

    /// A leg was delivered. One that runs keeps its run's context.
    pub(super) fn note_trace(&mut self, leg: LegId, traceparent: Option<String>) {
        if let Some(traceparent) = traceparent {
            self.traces.entry(leg).or_insert(traceparent);
        }
    }

    /// A leg's delivery is acked: nothing more is said about it.
    pub(super) fn forget_trace(&mut self, leg: LegId) {
        self.traces.remove(&leg);
    }

    /// Every shard is lost.
    pub(super) fn forget_traces(&mut self) {
        self.traces.clear();
    }

    fn start(&mut self, runner: Arc<Runner>, errand: Errand, held_by: Option<Delay>) {
        let (message, cancel) = (errand.message.clone(), errand.cancel.clone());
        let context = errand.span.as_ref().map(Span::context);
        let span = tracing::info_span!(
            "leg", leg = %message.leg, kind = %message.kind,
            job.id = %message.leg.job, trace_id = Empty, span_id = Empty
        );
        if let Some(context) = context {
            span.record("trace_id", tracing::field::display(context.trace_id()));
            span.record("span_id", context.span_id());
            self.traces.insert(message.leg, context.to_string());
        }
        let cancelled = cancel.clone();
        let work = async move {
            let farewell = async {
                cancelled.cancelled().await;
                sleep(GOODBYE).await;
            };
            tokio::select! {
                // An end that is there counts.
                biased;
                ran = Box::pin(runner.run(errand)) => Some(ran),
                () = farewell => None,
            }
        };
        let abort = self.tasks.spawn(work.instrument(span));
        self.by_leg.insert(message.leg, abort.id());
        self.running.insert(abort.id(), Running { message, held_by, cancel, abort });
    }

    /// `None` for a task whose leg has been started anew: its end says nothing.
    fn forget(&mut self, id: Id) -> Option<Running> {
        let running = self.running.remove(&id)?;
        let leg = running.message.leg;
        if self.by_leg.get(&leg) != Some(&id) {
            return None;
        }
        self.by_leg.remove(&leg);
        Some(running)
    }
}

impl<Q: WorkerQueue> Drive<Q> {
    pub(super) fn start_leg(&mut self, leg: LegId, message: LegMessage, held_by: Option<Delay>) {
        tracing::debug!(%leg, dispatch = message.dispatch.0, "a leg starts");
        // Never two sockets for one leg, whatever went before.
        self.legs.abort(leg);
        let errand = Errand {
            observer: runner::observer(&self.queue, &self.onlookers, &message),
            span: spans::process(&message),
            message,
            switchboard: Arc::clone(&self.switchboard),
            cancel: CancellationToken::new(),
            fence: self.fence.clone(),
        };
        self.legs.start(Arc::clone(&self.runner), errand, held_by);
    }

    /// A leg's socket is closed: its slot is free, and then what it found is published.
    pub(super) async fn leg_ended(&mut self, ended: Ended) {
        let (id, ran) = match ended {
            Ok((id, ran)) => (id, Ok(ran)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(Running { message, held_by, .. }) = self.legs.forget(id) else { return };
        let (leg, dispatch) = (message.leg, message.dispatch);
        match ran {
            Ok(Some(Ran::Ended(mut end))) => {
                if let Some(held_by) = held_by {
                    order::note_delay(&mut end.report, held_by);
                }
                self.leg_reported(leg, dispatch, end).await;
            }
            Ok(Some(Ran::Returned(returned))) => {
                self.tell(Event::Ended(leg, Ending::UNTOLD)).await;
                self.publish_if_held(leg, dispatch, Outcome::Returned(returned));
            }
            Ok(None) => self.tell(Event::Ended(leg, Ending::UNTOLD)).await,
            Err(error) if error.is_panic() => {
                tracing::error!(%leg, "a leg's task panicked");
                self.leg_reported(leg, dispatch, runner::lost(&message)).await;
            }
            Err(_aborted) => self.tell(Event::Ended(leg, Ending::UNTOLD)).await,
        }
    }

    async fn leg_reported(&mut self, leg: LegId, dispatch: Dispatch, end: LegEnd) {
        let ending = Ending { code: end.summary.code, login: end.summary.login };
        let code = ending.code.map_or("", |code| code.name());
        tracing::debug!(%leg, dispatch = dispatch.0, fault.code = code, "a leg ended");
        self.tell(Event::Ended(leg, ending)).await;
        self.publish_if_held(leg, dispatch, Outcome::Ended(end));
    }

    /// Nothing is said about a leg that was cancelled or whose lock is gone.
    fn publish_if_held(&mut self, leg: LegId, dispatch: Dispatch, outcome: Outcome) {
        if self.engine.dispatch_of(leg) == Some(dispatch) {
            self.publish(leg, dispatch, outcome);
        }
    }
}
