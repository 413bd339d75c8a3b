//! The POP3 login: a SASL mechanism (RFC 5034), else USER and PASS (RFC 1939).
//!
//! APOP is not used: its MD5 proof is worth nothing over TLS and little without.
//! There is no second try with another mechanism after a refusal.

use mailfleet_model::{Credential, Evidence, FactKind, Fault, FaultCode, StepKind};
use zeroize::Zeroizing;

use super::session::Session;
use super::wire::Status;
use crate::classify::Status as Kind;
use crate::judge::{About, Asked};
use crate::leg::Scope;
use crate::opening::{Sent, with_starttls};
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::sasl::{Exchange, Mechanism, Protection, Refused, Unusable, choose};

/// Longest command line with CRLF. RFC 2449 section 4.
const MAX_COMMAND: usize = 255;
/// How USER and PASS are named in reports.
const USER_PASS: &str = "USER/PASS";

const AUTH: Asked = Asked::AUTH;
const USER: Asked = Asked { command: "USER", ..AUTH };
const PASS: Asked = Asked { command: "PASS", ..AUTH };

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sasl(Mechanism),
    UserPass,
}

/// Logs in.
///
/// # Errors
/// [`Stop`] with the fault recorded, also where no login can be used.
pub(super) async fn log_in(scope: &mut Scope<'_>, session: &mut Session) -> Result<(), Stop> {
    let protection = Protection::of(scope.recorder.report().tls.as_ref());
    let way = match way(&scope.spec.login.credential, session, protection) {
        Ok(way) => way,
        Err(reason) => {
            let leg = session.judge.leg();
            let mut trouble = Trouble::from(reason.fault(leg, &session.capabilities.offer));
            if reason == Unusable::NeedsTls && session.capabilities.has("STLS") {
                trouble.suggestions.push(with_starttls(&scope.spec.endpoint, leg));
            }
            scope.recorder.failed_step(StepKind::Login, trouble);
            return Err(Stop);
        }
    };
    scope.turn_to_log_in().await?;
    let limit = StepLimit { time: scope.probe.limits.login, on_timeout: FaultCode::CheckTimeout };
    let mut sent = Sent::No;
    let result = match way {
        Way::Sasl(mechanism) => {
            let mut exchange = Exchange::new(mechanism, &scope.spec.login, &scope.spec.endpoint);
            let work = authenticate(session, &mut exchange);
            let result = scope.recorder.step(StepKind::Login, limit, work).await;
            sent = if exchange.submitted() { Sent::Yes } else { Sent::No };
            result
        }
        Way::UserPass => {
            let work = user_pass(session, &scope.spec.login, &mut sent);
            scope.recorder.step(StepKind::Login, limit, work).await
        }
    };
    scope.login_ended(result, sent);
    result
}

/// A mechanism where one fits; else USER and PASS, which need no offer but do need TLS.
fn way(
    credential: &Credential,
    session: &Session,
    protection: Protection,
) -> Result<Way, Unusable> {
    let reason = match choose(credential, &session.capabilities.offer, protection) {
        Ok(mechanism) => return Ok(Way::Sasl(mechanism)),
        Err(reason) => reason,
    };
    match (credential, protection) {
        (Credential::Password(_), Protection::Verified | Protection::Accepted) => Ok(Way::UserPass),
        (Credential::Password(_), Protection::None) => Err(Unusable::NeedsTls),
        // USER and PASS take no token.
        (Credential::AccessToken(_), _) => Err(match reason {
            Unusable::NothingOffered => Unusable::NoCommon,
            other => other,
        }),
    }
}

async fn user_pass(
    session: &mut Session,
    login: &mailfleet_model::Login,
    sent: &mut Sent,
) -> Result<Done<()>, Trouble> {
    let secret = login.credential.secret().expose();
    // PASS takes the rest of the line: a line break in the password has no place in it.
    if secret.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        let evidence = Evidence::default().with(FactKind::Field, "password");
        let fault = Fault::new(FaultCode::InputInvalid, session.judge.leg());
        return Err(fault.at(AUTH.phase).with_evidence(evidence).into());
    }
    let user = format!("USER {}", login.username);
    match session.ask(USER, user.as_bytes()).await? {
        Status::Ok(_) => {}
        Status::Err(words) | Status::Challenge(words) => {
            return Err(refused(session, USER, words, USER_PASS, None).into());
        }
    }
    let pass = Zeroizing::new([b"PASS ", secret].concat());
    *sent = Sent::Yes;
    match session.ask(PASS, &pass).await? {
        Status::Ok(_) => Ok(Done::new(()).detail(USER_PASS)),
        Status::Err(words) | Status::Challenge(words) => {
            Err(refused(session, PASS, words, USER_PASS, None).into())
        }
    }
}

/// Runs a SASL exchange to the server's verdict.
async fn authenticate(session: &mut Session, exchange: &mut Exchange) -> Result<Done<()>, Trouble> {
    let name = exchange.mechanism().name();
    let mut command = Zeroizing::new(format!("AUTH {name}"));
    let length = command.len().saturating_add(exchange.initial_length()).saturating_add(3);
    if length <= MAX_COMMAND
        && let Some(line) = exchange.initial_response()
    {
        *command = format!("{} {}", *command, *line);
    }
    let mut status = session.ask(AUTH, command.as_bytes()).await?;
    // The exchange answers each challenge at most once, so this ends.
    loop {
        match status {
            Status::Challenge(challenge) => match exchange.respond(&challenge).await {
                Ok(line) => status = session.ask(AUTH, line.as_bytes()).await?,
                Err(reason) => {
                    let last = session.ask(AUTH, b"*").await?;
                    return Err(given_up(session, reason, name, last).into());
                }
            },
            Status::Err(words) => {
                let challenge = exchange.error_challenge();
                return Err(refused(session, AUTH, words, name, challenge).into());
            }
            Status::Ok(_) => {
                return match exchange.finish(None) {
                    Ok(()) => Ok(Done::new(()).detail(name)),
                    Err(reason) => Err(given_up(session, reason, name, status).into()),
                };
            }
        }
    }
}

fn refused(
    session: &Session,
    asked: Asked,
    words: Vec<u8>,
    mechanism: &str,
    challenge: Option<&str>,
) -> Fault {
    let about = About { mechanism: Some(mechanism), challenge, ..asked.about() };
    session.judge.refusal(asked.reply_phase, Kind::Err, &[words], about)
}

fn given_up(session: &Session, reason: Refused, mechanism: &str, last: Status) -> Fault {
    let words = match last {
        Status::Ok(words) | Status::Err(words) | Status::Challenge(words) => words,
    };
    session.judge.given_up(reason, mechanism, &[words])
}
