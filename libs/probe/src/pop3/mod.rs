//! The incoming leg over POP3: logs in and looks into the mailbox without touching it.
//!
//! RFC 1939, RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH). Nothing is pipelined.

mod capability;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod login;
mod mailbox;
mod session;
mod wire;

use mailfleet_model::leg::IncomingPlan;
use mailfleet_model::{FaultCode, StepKind};

use crate::leg::{Scope, counted};
use crate::recorder::{Done, StepLimit, Stop, Trouble};

pub(crate) use mailbox::Messages;
pub(crate) use session::Session;

/// Runs the leg to its end, and takes leave of the server whatever happened.
///
/// # Errors
/// [`Stop`] if the mailbox cannot be used; why stands in the report.
pub(crate) async fn run(scope: &mut Scope<'_>, plan: IncomingPlan) -> Result<(), Stop> {
    let result = converse(scope, plan).await;
    // Whoever waits for the marks waits no longer, whether there are any or not.
    scope.companion.marks_taken();
    result
}

async fn converse(scope: &mut Scope<'_>, plan: IncomingPlan) -> Result<(), Stop> {
    let mut session = Session::logged_in(scope).await?;
    let limit = StepLimit { time: scope.probe.limits.open, on_timeout: FaultCode::CheckTimeout };
    let opened = scope.recorder.step(StepKind::Open, limit, open(&mut session)).await;
    if let Ok(messages) = &opened {
        match plan {
            IncomingPlan::OpenAndMark => {
                let ids = messages.kept.iter().map(|(_, id)| id.clone()).collect();
                scope.recorder.report_mut().marks.uidls = ids;
                scope.companion.marks_taken();
            }
            IncomingPlan::Open => {}
        }
    }
    session.close(scope).await;
    opened.map(|_| ())
}

async fn open(session: &mut Session) -> Result<Done<Messages>, Trouble> {
    session.stat().await?;
    let messages = session.uidl().await?;
    let words = counted(messages.total, "message", "messages");
    Ok(Done::new(messages).detail(words))
}
