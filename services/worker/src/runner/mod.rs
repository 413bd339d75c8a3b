//! The runner: a leg's message in, how it ended out.
//!
//! Every way ends in a report or in a leg that is given back; what is wrong with an order,
//! a credential or a pool is a fault of ours in the leg's report, like any other fault.

mod observe;
mod regroup;
mod report;
mod unseal;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mailfleet_api::order::{LegOrder, Pair, leg_result_payload};
use mailfleet_engine::summary;
use mailfleet_model::fleet::{
    GroupKey, LegEnd, LegMessage, PeerSide, ReturnReason, Returned, WorkerQueue,
};
use mailfleet_model::leg::{IncomingPlan, LegPlan, LegReport, LegSpec, Marks, OutgoingPlan};
use mailfleet_model::{FaultCode, LegObserver, Login};
use mailfleet_probe::companion::{Companion, Terms};
use mailfleet_probe::resolve::Resolved;
use mailfleet_probe::{Admission, LegTask, Probe, run_leg_if};
use mailfleet_telemetry::metrics::{self, Clock, Queue};
use mailfleet_telemetry::trace::Span;
use mailfleet_telemetry::{chain, spans};
use mailfleet_vault::KeyRing;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, FenceLine, fenced};
use crate::egress::{Pool, Pools};
use crate::health::Unsealing;
use crate::onlookers::Onlookers;
use crate::switchboard::Switchboard;

pub(crate) use observe::LiveSteps;
use regroup::Regrouping;

/// The kinds of legs that this build runs. What a leg of each does stands in its order.
pub const KINDS: [&str; 3] = ["incoming", "outgoing", "arrival"];

/// Longest wait for a place at a source address that is used to its cap. The leg's slot
/// is taken meanwhile, so it is short; then the leg comes again.
const PLACE_PATIENCE: Duration = Duration::from_secs(5);
/// When a leg comes again that found no place at its source address.
const PLACE_AGAIN: Duration = Duration::from_secs(5);

/// Longest report that travels over the broker (`queue/v1/news.proto`), in bytes.
const MAX_REPORT: usize = 1024 * 1024;

/// Runs legs. What all legs of a worker share.
#[derive(Debug)]
pub struct Runner {
    probe: Arc<Probe>,
    keys: Arc<KeyRing>,
    pools: Arc<Pools>,
    unsealing: Arc<Unsealing>,
    regrouping: Regrouping,
}

/// What accompanies one leg.
pub(crate) struct Errand {
    pub(crate) message: LegMessage,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) observer: Arc<dyn LegObserver>,
    /// The leg's run, as it is traced.
    pub(crate) span: Option<Span>,
    /// Ends the leg early, with a farewell to the server.
    pub(crate) cancel: CancellationToken,
    pub(crate) fence: FenceLine,
}

/// How a leg ended.
#[derive(Debug)]
pub(crate) enum Ran {
    /// In a report.
    Ended(LegEnd),
    /// It did not dial.
    Returned(Returned),
}

impl Runner {
    /// Runs legs with this probe, these keys and these ways out.
    #[must_use]
    pub fn new(probe: Arc<Probe>, keys: Arc<KeyRing>, pools: Pools) -> Self {
        Self {
            probe,
            keys,
            pools: Arc::new(pools),
            unsealing: Arc::default(),
            regrouping: Regrouping::default(),
        }
    }

    pub(crate) fn pools(&self) -> &Arc<Pools> {
        &self.pools
    }

    pub(crate) fn unsealing(&self) -> &Arc<Unsealing> {
        &self.unsealing
    }

    /// Runs a leg to its end.
    ///
    /// Behind the fence it does not dial and waits to be ended from outside.
    pub(crate) async fn run(&self, errand: Errand) -> Ran {
        let clock = Clock::new();
        let ran = self.try_run(errand).await;
        metrics::processed(Queue::Shard, clock);
        ran
    }

    async fn try_run(&self, errand: Errand) -> Ran {
        let order = match LegOrder::from_payload(&errand.message.payload) {
            Ok(order) => order,
            Err(error) => {
                tracing::error!(leg = %errand.message.leg, error = %error, "an order is unreadable");
                return Ran::Ended(report::unreadable(&errand.message.kind, error));
            }
        };
        let Some(pool) = self.pools.get(&errand.message.pool) else {
            let note = "The worker has no egress pool of the leg's name.";
            return Ran::Ended(report::ours(&order, FaultCode::EgressPoolEmpty, note));
        };
        let mailbox = order.mailbox.to_string();
        let login = match self.login(&order, &mailbox) {
            Ok(login) => login,
            Err(end) => return Ran::Ended(*end),
        };
        let source = self.pools.source(&pool.name, &mailbox);
        let Some(_place) = self.place(pool, source).await else {
            return Ran::Returned(Returned { reason: ReturnReason::Busy, after: PLACE_AGAIN });
        };
        self.dial(order, login, (pool, source), errand).await
    }

    /// Opens the credential.
    fn login(&self, order: &LegOrder, mailbox: &str) -> Result<Login, Box<LegEnd>> {
        let credential = unseal::open(&self.keys, order, mailbox).map_err(|error| {
            self.unsealing.count(error);
            tracing::error!(error = %chain(&error), "a credential cannot be opened");
            let note = unseal::note(error);
            Box::new(report::ours(order, FaultCode::CredentialUnsealFailed, note))
        })?;
        Login::new(&order.username, Arc::new(credential)).ok_or_else(|| {
            let note = "The order's user name is empty or has a control character.";
            Box::new(report::ours(order, FaultCode::Unknown, note))
        })
    }

    /// A place at the source address; the outer `None` if there was none in time.
    async fn place(
        &self,
        pool: &Pool,
        source: Option<IpAddr>,
    ) -> Option<Option<OwnedSemaphorePermit>> {
        let place = self.pools.place(source);
        let place = timeout(PLACE_PATIENCE, place).await.ok();
        if place.is_none() {
            tracing::warn!(pool = %pool.name, "every connection of a source address is in use");
        }
        place
    }

    async fn dial(
        &self,
        order: LegOrder,
        login: Login,
        (pool, source): (&Pool, Option<IpAddr>),
        errand: Errand,
    ) -> Ran {
        let Errand { message, switchboard, observer, mut span, cancel, fence } = errand;
        let companion = companion(&switchboard, &message, &order);
        let LegOrder { mailbox, endpoint, tls, plan, budget, .. } = order;
        let host = endpoint.host.clone();
        let protocol = endpoint.protocol;
        let spec = LegSpec { mailbox, endpoint, login, tls, plan };
        let task = LegTask {
            spec,
            egress: pool.exits.clone(),
            budget: budget.min(message.cap),
            companion,
            observer,
            cancel,
        };
        let elsewhere = OnceLock::new();
        let admit = |found: &Resolved| {
            if !fence.is_open() {
                return Admission::TurnBack;
            }
            let group = &message.group.key;
            let now = clock::now();
            match self.regrouping.check(message.leg, group, protocol, &host, found, now) {
                Some(key) => {
                    elsewhere.get_or_init(|| key);
                    Admission::TurnBack
                }
                None => Admission::Dial,
            }
        };
        if !fence.is_open() {
            return std::future::pending().await;
        }
        let leaving = metrics::egress(source);
        let ran = fenced(&fence, run_leg_if(&self.probe, task, &admit)).await;
        drop(leaving);
        match ran {
            Some(report) => {
                if let Some(span) = &mut span {
                    spans::ran(span, &report);
                }
                note_egress(&report, pool, source);
                Ran::Ended(ended(report))
            }
            None => match elsewhere.into_inner() {
                Some(key) => Ran::Returned(regroup(key)),
                // Behind the fence: the engine hears of it with its next event, and ends
                // every leg.
                None => std::future::pending().await,
            },
        }
    }
}

/// Tells operators about a way out that did not work; the report tells the others.
fn note_egress(report: &LegReport, pool: &Pool, source: Option<IpAddr>) {
    let failed = report.faults.iter().find(|fault| fault.code == FaultCode::EgressPoolEmpty);
    let Some(fault) = failed else { return };
    let why =
        fault.evidence.attempts.last().map_or("no member of the family", |a| a.outcome.as_str());
    let name = &pool.name;
    tracing::warn!(pool = %name, egress = ?source, why, "a leg could not leave through its pool");
}

fn ended(mut report: LegReport) -> LegEnd {
    metrics::leg_ended(&report);
    let mut payload = leg_result_payload(&report);
    if MAX_REPORT < payload.0.len() {
        // Marks are all that can be that long. The arrival leg does without them.
        report.marks = Marks::default();
        payload = leg_result_payload(&report);
    }
    LegEnd { summary: summary(&report), report: payload }
}

fn regroup(key: GroupKey) -> Returned {
    Returned { reason: ReturnReason::Regroup(key), after: Duration::ZERO }
}

/// How a leg ended whose task is gone.
pub(crate) fn lost(message: &LegMessage) -> LegEnd {
    let note = "The leg's task ended by a mistake of ours.";
    match LegOrder::from_payload(&message.payload) {
        Ok(order) => report::ours(&order, FaultCode::Unknown, note),
        Err(error) => report::unreadable(&message.kind, error),
    }
}

/// The leg's end of its pair. A leg that has nothing to tell or to hear has none.
fn companion(switchboard: &Switchboard, message: &LegMessage, order: &LegOrder) -> Companion {
    let (side, same_login) = match order.pair {
        Pair::Alone => return Companion::alone(),
        Pair::IncomingSameLogin => (PeerSide::Incoming, true),
        Pair::OutgoingSameLogin => (PeerSide::Outgoing, true),
        Pair::Incoming => (PeerSide::Incoming, false),
        Pair::Outgoing => (PeerSide::Outgoing, false),
    };
    let marks = match &order.plan {
        LegPlan::Incoming(plan) => *plan == IncomingPlan::OpenAndMark,
        LegPlan::Outgoing(plan) => matches!(plan, OutgoingPlan::TestMail { .. }),
        LegPlan::Arrival(_) => false,
    };
    if same_login || marks {
        let terms = Terms { same_login, marks };
        switchboard.join(message.leg.job, side, terms, clock::now())
    } else {
        Companion::alone()
    }
}

/// Takes the live events of a leg.
pub(crate) fn observer<Q: WorkerQueue>(
    queue: &Arc<Q>,
    onlookers: &Arc<Onlookers>,
    message: &LegMessage,
) -> Arc<dyn LegObserver> {
    let (queue, onlookers) = (Arc::clone(queue), Arc::clone(onlookers));
    Arc::new(LiveSteps::new(queue, message.live_to.clone(), onlookers, message.leg))
}
