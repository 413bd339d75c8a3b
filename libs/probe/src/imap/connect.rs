//! From a connected socket to a logged-in session: greeting, STARTTLS, capabilities, login.
//!
//! Shared by the check and the arrival leg. On the way to the login there is no round
//! trip that the server does not force: capabilities are asked for only where neither
//! greeting nor STARTTLS brought them, and nothing is sent behind a login. Whatever the
//! server said before TLS is forgotten (RFC 9051 section 6.2.1). A session that fails
//! says LOGOUT before it hangs up, so that none lingers at the server.

use mailfleet_model::{Evidence, FactKind, Fault, FaultCode, Leg, Phase, Security, StepKind};

use super::capability::Capabilities;
use super::command::Command;
use super::explain::{self, Moment};
use super::login::{self, Failed, Method};
use super::session::{self, Session};
use super::shape::Condition;
use super::wire::{Error, Refused, Reply, StatusLine, Wire};
use crate::classify::ReplyPhase;
use crate::dial::Route;
use crate::judge::{About, Judge};
use crate::leg::{CourierRule, Scope};
use crate::opening::{Sent, Ungreeted, starttls_injected, with_starttls};
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::reply;
use crate::sasl::Protection;
use crate::software::{is_courier, software};
use crate::stream::MailStream;

/// Providers that want to know the client before it logs in. Coremail, which NetEase
/// runs, answers `Unsafe Login` to unknown clients (imap-backup issue 217).
const EARLY_ID: &[&str] = &["NetEase Mail"];
const NO_GREETING: &str = "The server's first line is no greeting.";

/// A logged-in session, with what is known around it.
pub(crate) struct LoggedIn {
    /// The session.
    pub(crate) session: Session,
    /// Judges what goes wrong in it.
    pub(crate) judge: Judge,
    /// The greeting's words, undecoded.
    pub(crate) greeting: Vec<u8>,
}

/// Connects and logs in. On failure the connection is already closed in good order.
///
/// # Errors
/// [`Stop`] with the fault recorded.
pub(crate) async fn log_in(scope: &mut Scope<'_>) -> Result<LoggedIn, Stop> {
    // Boxed: each part of the way is large, and only one of them is alive at a time.
    let (stream, route) = scope.open().await?;
    let mut judge = Judge::new(scope);
    let (mut wire, greeting) = Box::pin(greet(scope, stream, &judge, route.clone())).await?;
    judge.hear(&greeting, &[]);
    if scope.spec.endpoint.security == Security::Starttls {
        wire = Box::pin(upgrade(scope, wire, &judge, route)).await?;
    }
    match Box::pin(finish(scope, &mut wire, &mut judge, &greeting)).await {
        Ok(()) => Ok(LoggedIn { session: Session::new(wire), judge, greeting }),
        Err(stop) => {
            say_goodbye(scope, &mut wire).await;
            Err(stop)
        }
    }
}

/// The server's first words.
async fn greet(
    scope: &mut Scope<'_>,
    stream: MailStream,
    judge: &Judge,
    route: Route,
) -> Result<(Wire, Vec<u8>), Stop> {
    let listener = judge.clone();
    let read = async move {
        let mut wire = Wire::new(stream);
        let line = welcome(wire.read(&mut ()).await, &listener).map_err(|fault| *fault)?;
        let words = listener.text(std::slice::from_ref(&line.text));
        let (_, words) = reply::bracketed(&words);
        Ok(Done::new((wire, line.text)).detail(words.to_owned()))
    };
    scope.greeting(route, read).await
}

/// Takes nothing but `* OK` for a welcome.
fn welcome(reply: Result<Reply, Error>, judge: &Judge) -> Result<StatusLine, Box<Ungreeted>> {
    let moment = Moment::GREETING;
    let fault = match reply {
        Ok(Reply::Untagged(line)) if line.condition == Some(Condition::Ok) => return Ok(line),
        Ok(Reply::Untagged(StatusLine { condition, text })) => {
            explain::refused(judge, moment, &Refused { condition, lines: vec![text] })
        }
        Ok(Reply::Foreign(line)) => explain::fault(judge, moment, &Error::Foreign(line)),
        Ok(Reply::Other(line) | Reply::Continue(line)) => {
            judge.unreadable(Phase::Greeting, NO_GREETING, &line)
        }
        Ok(Reply::Tagged(..) | Reply::Data | Reply::Capability(_)) => {
            judge.unreadable(Phase::Greeting, NO_GREETING, &[])
        }
        Err(error @ Error::Closed(_)) => {
            let fault = explain::fault(judge, moment, &error);
            return Err(Box::new(Ungreeted::ClosedSilently(fault)));
        }
        Err(error) => explain::fault(judge, moment, &error),
    };
    Err(Box::new(Ungreeted::Trouble(fault.into())))
}

/// Brings TLS to a connection that began without.
async fn upgrade(
    scope: &mut Scope<'_>,
    mut wire: Wire,
    judge: &Judge,
    route: Route,
) -> Result<Wire, Stop> {
    if let Err(stop) = ask_for_tls(scope, &mut wire, judge).await {
        say_goodbye(scope, &mut wire).await;
        return Err(stop);
    }
    let plain = wire.into_plain().expect("a connection for STARTTLS begins without TLS");
    Ok(Wire::new(scope.secure(plain, route).await?))
}

async fn ask_for_tls(scope: &mut Scope<'_>, wire: &mut Wire, judge: &Judge) -> Result<(), Stop> {
    // A greeting may leave some capabilities out; the list itself decides.
    if !offers(wire, "STARTTLS") {
        ask_capabilities(scope, wire, judge).await?;
    }
    let limit = capability_limit(scope);
    let work = async {
        if !offers(wire, "STARTTLS") {
            let words = wire.capabilities().map(Capabilities::words).unwrap_or_default();
            return Err(judge.starttls_missing(words.iter().map(String::as_str)).into());
        }
        let moment = Moment::of(ReplyPhase::Starttls, "STARTTLS");
        let asked = wire.run(Command::new("STARTTLS"), &mut ()).await;
        asked.map_err(|error| explain::fault(judge, moment, &error))?;
        // No server speaks before our ClientHello: bytes here were put in by somebody.
        match wire.stray_bytes().await {
            Ok([]) => Ok(Done::new(())),
            Ok(bytes) => Err(starttls_injected(judge.leg(), bytes).into()),
            Err(error) => Err(explain::fault(judge, moment, &error).into()),
        }
    };
    scope.recorder.step(StepKind::Starttls, limit, work).await
}

fn offers(wire: &Wire, word: &str) -> bool {
    wire.capabilities().is_some_and(|c| c.has(word))
}

fn capability_limit(scope: &Scope<'_>) -> StepLimit {
    StepLimit { time: scope.probe.limits.capability, on_timeout: FaultCode::CheckTimeout }
}

/// Asks what the server offers.
async fn ask_capabilities(
    scope: &mut Scope<'_>,
    wire: &mut Wire,
    judge: &Judge,
) -> Result<(), Stop> {
    let limit = capability_limit(scope);
    let work = async {
        let moment = Moment::of(ReplyPhase::Capability, "CAPABILITY");
        let asked = wire.run(Command::new("CAPABILITY"), &mut ()).await;
        asked.map_err(|error| explain::fault(judge, moment, &error))?;
        let words = wire.capabilities().map(Capabilities::words).unwrap_or_default();
        Ok(Done::new(()).detail(words.join(" ")))
    };
    scope.recorder.step(StepKind::Capability, limit, work).await
}

/// All that comes on the connection as it will stay.
async fn finish(
    scope: &mut Scope<'_>,
    wire: &mut Wire,
    judge: &mut Judge,
    greeting: &[u8],
) -> Result<(), Stop> {
    if !wire.knows_capabilities() {
        ask_capabilities(scope, wire, judge).await?;
    }
    recognise(scope, wire, judge, greeting, &[]);
    if judge.provider().is_some_and(|provider| EARLY_ID.contains(&provider.name)) {
        let limit = capability_limit(scope);
        let Scope { probe, recorder, .. } = scope;
        let work = async {
            let moment = Moment::of(ReplyPhase::Other, "ID");
            let pairs = session::identify(wire, &probe.identity).await;
            explain::tolerate(judge, moment, pairs).map(|_| Done::new(()).detail("ID"))
        };
        recorder.step(StepKind::Capability, limit, work).await?;
    }
    submit(scope, wire, judge).await
}

/// Recognises the software and applies the product's rule about it, once.
pub(crate) fn recognise(
    scope: &mut Scope<'_>,
    wire: &Wire,
    judge: &mut Judge,
    greeting: &[u8],
    id: &[(String, String)],
) {
    let words = wire.capabilities().map(Capabilities::words).unwrap_or_default();
    let Some(found) = software(&reply::decode(greeting), words, id) else { return };
    let was_known = scope.recorder.report().server_software.as_ref().is_some_and(is_courier);
    judge.learn(found.clone());
    // The incoming leg has said it already when the arrival leg comes.
    let is_first = !was_known && scope.recorder.leg() != Leg::Roundtrip;
    if is_courier(&found) && is_first {
        let fault = Fault::new(FaultCode::ServerSoftwareUnsupported, judge.leg());
        let fault = match scope.probe.rules.courier {
            CourierRule::Refuse => fault,
            CourierRule::Warn => fault.as_warning(),
        };
        scope.recorder.note([fault]);
    }
    scope.recorder.report_mut().server_software = Some(found);
}

/// Chooses the way to log in, waits for the turn, and submits the credential.
async fn submit(scope: &mut Scope<'_>, wire: &mut Wire, judge: &Judge) -> Result<(), Stop> {
    let mut method = choose(scope, wire);
    if method.is_err() && !wire.was_asked() {
        // A greeting may leave some capabilities out, or repeat what holds before TLS only.
        ask_capabilities(scope, wire, judge).await?;
        method = choose(scope, wire);
    }
    let method = match method {
        Ok(method) => method,
        Err(trouble) => {
            scope.recorder.failed_step(StepKind::Login, trouble);
            return Err(Stop);
        }
    };
    scope.turn_to_log_in().await?;
    let limit = StepLimit { time: scope.probe.limits.login, on_timeout: FaultCode::CheckTimeout };
    wire.outdate();
    let Scope { spec, recorder, .. } = scope;
    let work = async {
        match login::submit(wire, method, &spec.login, &spec.endpoint).await {
            Ok(_) => Ok(Done::new(()).detail(method.name())),
            Err(failed) => Err(refused_login(judge, method, &failed).into()),
        }
    };
    let result = recorder.step(StepKind::Login, limit, work).await;
    scope.login_ended(result, Sent::Yes);
    result
}

fn choose(scope: &Scope<'_>, wire: &Wire) -> Result<Method, Trouble> {
    let leg = scope.recorder.leg();
    let capabilities = wire.capabilities().cloned().unwrap_or_default();
    if !capabilities.speaks_imap4() {
        let note = "The server's capabilities have neither IMAP4rev1 nor IMAP4rev2.";
        let evidence = Evidence::default().with(FactKind::Note, note);
        let fault = Fault::new(FaultCode::CapabilityMissingRequired, leg);
        return Err(fault.at(Phase::Capability).with_evidence(evidence).into());
    }
    let protection = Protection::of(scope.recorder.report().tls.as_ref());
    let credential = &scope.spec.login.credential;
    login::choose(leg, credential, &capabilities, protection).map_err(|fault| {
        let can_upgrade = fault.code == FaultCode::AuthNeedsTls && capabilities.has("STARTTLS");
        let suggestion = can_upgrade.then(|| with_starttls(&scope.spec.endpoint, leg));
        Trouble { faults: vec![*fault], suggestions: suggestion.into_iter().collect() }
    })
}

fn refused_login(judge: &Judge, method: Method, failed: &Failed) -> Fault {
    let command = Some(method.command());
    let mechanism = Some(method.mechanism());
    match failed {
        Failed::Wire(error, challenge) => {
            let about = About { command, mechanism, challenge: challenge.as_deref() };
            explain::fault(judge, Moment::login(about), error)
        }
        Failed::Exchange(reason) => {
            let mut fault = judge.unreadable(Phase::Auth, reason.words(), &[]);
            fault.evidence.command = command.map(str::to_owned);
            fault.evidence.mechanism = mechanism.map(str::to_owned);
            fault
        }
    }
}

/// LOGOUT, if there is anybody left to say it to; bounded, also after a cancel.
pub(crate) async fn say_goodbye(scope: &mut Scope<'_>, wire: &mut Wire) {
    if !wire.is_over() {
        scope.goodbye(session::log_out(wire)).await;
    }
}
