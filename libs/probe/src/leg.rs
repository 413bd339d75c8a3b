//! Legs: one connection to one endpoint, and all that is done on it.
//!
//! This file holds what all protocols share: the set-up of a leg, the way to a
//! connected (and encrypted) stream, and the promise that a leg always ends in a
//! report: a panic in a session becomes a fault of ours.

mod identity;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use mailfleet_model::leg::{LegPlan, LegSpec};
use mailfleet_model::{
    Fault, FaultCode, LegObserver, LegReport, Protocol, Security, StepKind, Suggestion,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::companion::Companion;
use crate::dial::{self, Dialled, Exit, Route};
use crate::limits::Limits;
use crate::recorder::{Done, Recorder, StepLimit, Stop, Trouble};
use crate::redact::Redactor;
use crate::resolve::{Resolved, Resolver, Unresolved};
use crate::stream::MailStream;
use crate::target::TargetPolicy;
use crate::tls::{self, Handshake, Trust, Wanted};
use crate::{arrival, imap, pop3, smtp};

pub use identity::{CourierRule, Identity, Rules};

/// What all legs of a process share. Build it once.
#[derive(Debug)]
pub struct Probe {
    /// Finds addresses.
    pub resolver: Resolver,
    /// Says which addresses may be connected to.
    pub targets: TargetPolicy,
    /// Says which certificates are good.
    pub trust: Trust,
    /// Bounds every step.
    pub limits: Limits,
    /// How we introduce ourselves.
    pub identity: Identity,
    /// Rules of the product that an operator may switch off.
    pub rules: Rules,
}

/// One leg to run.
pub struct LegTask {
    /// What to do.
    pub spec: LegSpec,
    /// Members of the egress pool; none lets the system choose.
    pub egress: Vec<Exit>,
    /// Time for the whole leg.
    pub budget: Duration,
    /// The other leg of the job.
    pub companion: Companion,
    /// Takes the live events.
    pub observer: Arc<dyn LegObserver>,
    /// Ends the leg early; LOGOUT or QUIT is still sent.
    pub cancel: CancellationToken,
}

/// What becomes of a leg once its host is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It dials.
    Dial,
    /// It ends before it has dialled, as if it had not begun.
    TurnBack,
}

/// Decides about a leg by what its host resolves to: the aliases, and the addresses that the
/// target guard lets through. Asked once, just before the first connection. Must return at once.
pub type Admit<'a> = dyn Fn(&Resolved) -> Admission + Send + Sync + 'a;

/// A leg at work: what its sessions need.
pub(crate) struct Scope<'a> {
    pub(crate) probe: &'a Probe,
    pub(crate) spec: &'a LegSpec,
    pub(crate) egress: &'a [Exit],
    pub(crate) companion: Companion,
    pub(crate) recorder: Recorder,
    /// The way that the connection took, once there is one.
    pub(crate) route: Option<Route>,
    /// Who is still to be asked before the first connection.
    admit: Option<&'a Admit<'a>>,
    turned_back: bool,
}

/// Time beyond the budget after which a leg is ended from outside, whatever it does.
const HARD_STOP_GRACE: Duration = Duration::from_secs(5);

/// Runs a leg to its end. Always returns a report; never panics.
///
/// Not cancel-safe in the sense that dropping the future leaves the server without a
/// LOGOUT: cancel through the task's token.
pub async fn run_leg(probe: &Probe, task: LegTask) -> LegReport {
    Box::pin(run(probe, task, None)).await.0
}

/// Runs a leg to its end, unless `admit` turns it back: then nothing was sent, the other
/// leg hears nothing of it, and there is no report.
///
/// Like [`run_leg`] in all else.
pub async fn run_leg_if(probe: &Probe, task: LegTask, admit: &Admit<'_>) -> Option<LegReport> {
    let (report, turned_back) = Box::pin(run(probe, task, Some(admit))).await;
    (!turned_back).then_some(report)
}

async fn run<'a>(
    probe: &'a Probe,
    task: LegTask,
    admit: Option<&'a Admit<'a>>,
) -> (LegReport, bool) {
    let LegTask { spec, egress, budget, companion, observer, cancel } = task;
    let deadline = Instant::now() + budget;
    let redactor = Redactor::new(&spec.login);
    let recorder = Recorder::new(
        spec.leg(),
        spec.endpoint.clone(),
        SystemTime::now(),
        deadline,
        cancel,
        observer,
        redactor,
    );
    let (spec, egress) = (&spec, egress.as_slice());
    let (route, turned_back) = (None, false);
    let mut scope = Scope { probe, spec, egress, companion, recorder, route, admit, turned_back };
    let run = AssertUnwindSafe(timeout(budget + HARD_STOP_GRACE, run_protocol(&mut scope)));
    match Box::pin(run.catch_unwind()).await {
        Ok(Ok(Ok(()) | Err(Stop))) => {}
        Ok(Err(_elapsed)) => {
            let leg = scope.recorder.leg();
            scope.recorder.note([Fault::new(FaultCode::CheckTimeout, leg)]);
        }
        Err(_panic) => scope.recorder.note_panic(),
    }
    scope.companion.end();
    (scope.recorder.finish_leg(), scope.turned_back)
}

async fn run_protocol(scope: &mut Scope<'_>) -> Result<(), Stop> {
    let result = run_session(scope).await;
    // On the heap, like all that only few legs need.
    Box::pin(scope.suggest_usual_port()).await;
    result
}

async fn run_session(scope: &mut Scope<'_>) -> Result<(), Stop> {
    // On the heap, so that a leg holds the memory of its own protocol only.
    match (&scope.spec.plan, scope.spec.endpoint.protocol) {
        (LegPlan::Arrival(plan), _) => Box::pin(arrival::run(scope, plan)).await,
        (LegPlan::Outgoing(plan), _) => Box::pin(smtp::run(scope, plan)).await,
        (LegPlan::Incoming(plan), Protocol::Pop3) => Box::pin(pop3::run(scope, *plan)).await,
        (LegPlan::Incoming(plan), Protocol::Imap | Protocol::Smtp) => {
            Box::pin(imap::run(scope, *plan)).await
        }
    }
}

impl Scope<'_> {
    /// Resolves, connects and, for implicit TLS, shakes hands.
    ///
    /// On the heap: what connecting needs is given back before the dialogue begins.
    pub(crate) fn open(&mut self) -> BoxFuture<'_, Result<(MailStream, Route), Stop>> {
        Box::pin(self.resolve_and_connect())
    }

    async fn resolve_and_connect(&mut self) -> Result<(MailStream, Route), Stop> {
        let addresses = self.resolve().await?;
        let (stream, route) = self.connect(&addresses).await?;
        match self.spec.endpoint.security {
            Security::Tls => Ok((self.secure(stream, route.clone()).await?, route)),
            Security::Starttls | Security::Plain => Ok((MailStream::plain(stream), route)),
        }
    }

    async fn resolve(&mut self) -> Result<Vec<IpAddr>, Stop> {
        let Self { probe, spec, recorder, .. } = self;
        let leg = recorder.leg();
        let endpoint = &spec.endpoint;
        let limit = StepLimit { time: probe.limits.resolve, on_timeout: FaultCode::DnsFailure };
        let mut aliases = Vec::new();
        let work = async {
            let found = probe.resolver.look_up(&endpoint.host).await;
            let found = found.map_err(|error| unresolved_fault(leg, error))?;
            let addresses = found.addresses;
            aliases = found.aliases;
            match probe.targets.select(&addresses, endpoint.port) {
                Some(addresses) => {
                    let words = counted(addresses.len(), "address", "addresses");
                    Ok(Done::new(addresses).detail(words))
                }
                None => Err(Trouble::from(Fault::new(FaultCode::TargetNotAllowed, leg))),
            }
        };
        let addresses = recorder.step(StepKind::Resolve, limit, work).await?;
        let resolved = Resolved { addresses, aliases };
        let admission = self.admit.take().map_or(Admission::Dial, |admit| admit(&resolved));
        if admission == Admission::TurnBack {
            self.turned_back = true;
            self.companion.leave();
            return Err(Stop);
        }
        Ok(resolved.addresses)
    }

    async fn connect(&mut self, addresses: &[IpAddr]) -> Result<(TcpStream, Route), Stop> {
        let Self { probe, spec, egress, recorder, .. } = self;
        let leg = recorder.leg();
        // `dial` keeps its own time per address; this bound is for all of them together.
        let limit = StepLimit { time: recorder.remaining(), on_timeout: FaultCode::ConnectTimeout };
        let mailbox = spec.mailbox.to_string();
        let last = probe.limits.connect.min(recorder.remaining().mul_f32(0.5));
        let port = spec.endpoint.port;
        let work = async {
            let dialled = dial::dial(leg, addresses, port, egress, &mailbox, last).await?;
            let Dialled { stream, route, warnings } = dialled;
            let detail = route.address.ip().to_string();
            Ok(Done::new((stream, route)).detail(detail).warn(warnings))
        };
        let (stream, route) = recorder.step(StepKind::Connect, limit, work).await?;
        self.route = Some(route.clone());
        let report = recorder.report_mut();
        report.egress_ip = route.seen_as(&stream);
        report.remote_ip = Some(route.address.ip());
        Ok((stream, route))
    }

    /// Shakes hands on a connected socket, for implicit TLS and after STARTTLS alike.
    pub(crate) fn secure(
        &mut self,
        stream: TcpStream,
        route: Route,
    ) -> BoxFuture<'_, Result<MailStream, Stop>> {
        Box::pin(self.shake_hands(stream, route))
    }

    async fn shake_hands(&mut self, stream: TcpStream, route: Route) -> Result<MailStream, Stop> {
        let Self { probe, spec, recorder, .. } = self;
        let leg = recorder.leg();
        let limit =
            StepLimit { time: probe.limits.tls, on_timeout: FaultCode::TlsHandshakeTimeout };
        let mut facts = None;
        let now = SystemTime::now();
        let wanted = Wanted { host: &spec.endpoint.host, policy: &spec.tls, leg, now };
        let budget = recorder.remaining();
        let work = async {
            match tls::handshake(&probe.trust, &wanted, stream).await {
                Handshake::Established { stream, facts: seen, warnings } => {
                    let detail = seen.version.clone().unwrap_or_default();
                    facts = Some(seen);
                    Ok(Done::new(MailStream::tls(stream)).detail(detail).warn(warnings))
                }
                Handshake::Rejected { facts: seen, faults } => {
                    let names =
                        tls::name_suggestions(&probe.resolver, &seen, &spec.endpoint, leg, route);
                    let suggestions: Vec<Suggestion> = names.await;
                    facts = Some(seen);
                    Err(Trouble { faults, suggestions })
                }
                Handshake::Failed(failure) => {
                    let explain = tls::explain(failure, &spec.endpoint, leg, route, budget);
                    let explained = Box::pin(explain).await;
                    facts = explained.facts;
                    Err(Trouble { faults: explained.faults, suggestions: explained.suggestions })
                }
            }
        };
        let result = recorder.step(StepKind::Tls, limit, work).await;
        recorder.report_mut().tls = facts;
        result
    }
}

fn unresolved_fault(leg: mailfleet_model::Leg, error: Unresolved) -> Trouble {
    use mailfleet_model::{Evidence, FactKind};
    match error {
        Unresolved::NotFound => Fault::new(FaultCode::HostNotFound, leg).into(),
        Unresolved::Failure(how) => {
            let evidence = Evidence::default().with(FactKind::Note, how);
            Fault::new(FaultCode::DnsFailure, leg).with_evidence(evidence).into()
        }
    }
}

/// `1 address`, `3 addresses`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
