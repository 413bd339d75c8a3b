//! The login (RFC 4954): one mechanism, one submission of the credential.
//!
//! There is no second try with another mechanism after a refusal: it would cost a second
//! failed login and can lock the account.

use mailfleet_model::{Confidence, Fault, FaultCode, Security, StepKind};
use zeroize::Zeroizing;

use super::session::Session;
use super::wire::Reply;
use crate::classify::Status;
use crate::judge::{About, Asked};
use crate::leg::Scope;
use crate::opening::{Sent, with_starttls};
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::sasl::{Exchange, Protection, Refused, Unusable, choose};

/// Longest command line with CRLF. RFC 5321 section 4.5.3.1.4.
const MAX_COMMAND: usize = 512;

const AUTH: Asked = Asked::AUTH;

/// Logs in.
///
/// # Errors
/// [`Stop`] with the fault recorded, also where the server offers no login at all.
pub(super) async fn log_in(scope: &mut Scope<'_>, session: &mut Session) -> Result<(), Stop> {
    let credential = &scope.spec.login.credential;
    let protection = Protection::of(scope.recorder.report().tls.as_ref());
    let offer = &session.capabilities.offer;
    let mechanism = match choose(credential, offer, protection) {
        Ok(mechanism) => mechanism,
        Err(reason) => {
            let trouble = unusable(scope, session, reason);
            scope.recorder.failed_step(StepKind::Login, trouble);
            return Err(Stop);
        }
    };
    scope.turn_to_log_in().await?;
    let limit = StepLimit { time: scope.probe.limits.login, on_timeout: FaultCode::CheckTimeout };
    let mut exchange = Exchange::new(mechanism, &scope.spec.login, &scope.spec.endpoint);
    let work = authenticate(session, &mut exchange);
    let result = scope.recorder.step(StepKind::Login, limit, work).await;
    let sent = if exchange.submitted() { Sent::Yes } else { Sent::No };
    scope.login_ended(result, sent);
    result
}

/// Runs the exchange to the server's verdict.
async fn authenticate(session: &mut Session, exchange: &mut Exchange) -> Result<Done<()>, Trouble> {
    let name = exchange.mechanism().name();
    let mut command = Zeroizing::new(format!("AUTH {name}"));
    let length = command.len().saturating_add(exchange.initial_length()).saturating_add(3);
    if length <= MAX_COMMAND
        && let Some(line) = exchange.initial_response()
    {
        // RFC 4954 section 4: an empty initial response is written as `=`.
        let line = if line.is_empty() { "=" } else { line.as_str() };
        *command = format!("{} {line}", *command);
    }
    let mut reply = say(session, &command).await?;
    // The exchange answers each challenge at most once, so this ends.
    while reply.code == 334 {
        reply = match exchange.respond(reply.last_line()).await {
            Ok(line) => say(session, &line).await?,
            Err(reason) => {
                let reply = say(session, "*").await?;
                return Err(given_up(session, reason, name, &reply).into());
            }
        };
    }
    if reply.code != 235 {
        return Err(refused(session, exchange, &reply).into());
    }
    match exchange.finish(None) {
        Ok(()) => Ok(Done::new(()).detail(name)),
        Err(reason) => Err(given_up(session, reason, name, &reply).into()),
    }
}

async fn say(session: &mut Session, line: &str) -> Result<Reply, Trouble> {
    session.ask(AUTH, line.as_bytes()).await
}

fn refused(session: &Session, exchange: &Exchange, reply: &Reply) -> Fault {
    let about = About {
        mechanism: Some(exchange.mechanism().name()),
        challenge: exchange.error_challenge(),
        ..AUTH.about()
    };
    session.judge.refusal(AUTH.reply_phase, Status::Smtp(reply.code), &reply.lines, about)
}

fn given_up(session: &Session, reason: Refused, mechanism: &str, reply: &Reply) -> Fault {
    let mut fault = session.judge.given_up(reason, mechanism, &reply.lines);
    fault.evidence.smtp_code = Some(reply.code);
    fault
}

/// The fault where no mechanism can be used. A server that offers nothing in plaintext
/// but has STARTTLS offers its logins inside TLS.
fn unusable(scope: &Scope<'_>, session: &Session, reason: Unusable) -> Trouble {
    let (leg, offer) = (session.judge.leg(), &session.capabilities.offer);
    let offers_tls =
        scope.spec.endpoint.security == Security::Plain && session.capabilities.has("STARTTLS");
    let fault = match reason {
        // A port for other servers looks the same as long as there is no TLS.
        Unusable::NothingOffered if offers_tls => Unusable::NeedsTls
            .fault(leg, offer)
            .but_maybe(Confidence::Likely, [FaultCode::AuthNotOfferedOnPort]),
        other => other.fault(leg, offer),
    };
    let mut trouble = Trouble::from(fault);
    if trouble.faults.iter().any(|fault| fault.code == FaultCode::AuthNeedsTls) && offers_tls {
        trouble.suggestions.push(with_starttls(&scope.spec.endpoint, leg));
    }
    trouble
}
