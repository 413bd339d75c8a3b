//! The outgoing leg: shows that mail can be handed over to an SMTP server.
//!
//! Greeting, EHLO, STARTTLS where asked for, login, and then the plan: nothing more, an
//! envelope that is taken back, or one test mail. The order of things stands here; what
//! each of them is, in the files beside. A leg without a login proves nothing, so it
//! never passes (port 25). RFC 6409 (submission), RFC 5321, RFC 3207, RFC 4954.

mod capability;
mod envelope;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod login;
pub(crate) mod message;
mod session;
mod submission_port;
mod submit;
mod wire;

use mailfleet_model::leg::OutgoingPlan;
use mailfleet_model::{FaultCode, Security};

use crate::leg::Scope;
use crate::recorder::Stop;
use session::Session;

/// Runs the leg to its end, and takes leave of the server whatever happened.
///
/// # Errors
/// [`Stop`] if the plan was not carried out; why stands in the report.
pub(crate) async fn run(scope: &mut Scope<'_>, plan: &OutgoingPlan) -> Result<(), Stop> {
    let (stream, route) = scope.open().await?;
    let mut session = Session::open(scope, stream, route.clone()).await?;
    let result = converse(scope, &mut session, plan).await;
    session.close(scope).await;
    if ended_in(scope, FaultCode::AuthNotOfferedOnPort) {
        submission_port::suggest(scope, &route).await;
    }
    result
}

async fn converse(
    scope: &mut Scope<'_>,
    session: &mut Session,
    plan: &OutgoingPlan,
) -> Result<(), Stop> {
    session.hello(scope).await?;
    match scope.spec.endpoint.security {
        Security::Starttls => session.upgrade(scope).await?,
        Security::Tls | Security::Plain => {}
    }
    login::log_in(scope, session).await?;
    match plan {
        OutgoingPlan::LoginOnly => Ok(()),
        OutgoingPlan::Envelope => envelope::try_out(scope, session).await,
        OutgoingPlan::TestMail { to, token } => submit::send(scope, session, to, token).await,
    }
}

/// Whether the leg met a fault of this code.
fn ended_in(scope: &Scope<'_>, code: FaultCode) -> bool {
    scope.recorder.report().faults.iter().any(|fault| fault.code == code)
}
