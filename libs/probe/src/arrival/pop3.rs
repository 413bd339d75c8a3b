//! Looks for the test mail over POP3.
//!
//! A POP3 session shows the mailbox as it was at the login, so every look is a session
//! of its own, with the pause between logins that the server asks for. New messages are
//! told by their unique ids and read by TOP without body. RETR and DELE are never sent:
//! the mail stays where it is, and the report says so.

use std::time::Duration;

use mailfleet_model::leg::{ArrivalPlan, FolderRole, LookFor};
use mailfleet_model::{FaultCode, StepKind};
use tokio::time::{Instant, sleep};

use super::findings::{Findings, Hit, left_behind};
use super::header::{Diagnosis, Fields, Kind, holds};
use super::{Looks, RESERVE};
use crate::leg::Scope;
use crate::pop3::Session;
use crate::recorder::{Done, StepLimit, Stop, Trouble};

/// Pauses between looks, in seconds: each is a login.
const PAUSES: &[u64] = &[3, 5, 10, 15, 20, 30];
/// Most new messages that are looked at in one session, the newest first.
const MAX_NEW: usize = 50;
/// The one folder that POP3 shows.
const INBOX: &str = "INBOX";

/// Runs the leg.
pub(super) async fn run(scope: &mut Scope<'_>, plan: &ArrivalPlan) -> Result<(), Stop> {
    match plan.look_for {
        LookFor::MailAndSentCopy => {}
        LookFor::SentCopy => {
            scope.recorder.skip(StepKind::Arrival, "POP3 shows no Sent folder");
            return Ok(());
        }
    }
    let began = Instant::now();
    let patience = plan.timeout.min(scope.recorder.remaining().saturating_sub(RESERVE));
    let mut looks = Looks::new(PAUSES, patience);
    let mut findings = Findings::new(plan.look_for);
    let mut known: Vec<String> = plan.marks.uidls.clone();
    known.sort_unstable();
    let result = loop {
        let mut session = Box::pin(Session::logged_in(scope)).await?;
        let looked = look(scope, &mut session, plan, began, &mut known, &mut findings).await;
        let delay = session.login_delay();
        session.close(scope).await;
        if looked.is_err() || findings.is_complete() {
            break looked;
        }
        let Some(pause) = looks.next_pause(delay) else { break Ok(()) };
        wait(scope, pause).await?;
    };
    scope.recorder.report_mut().arrival = Some(findings.arrival());
    leave(scope, &findings);
    result?;
    conclude(scope, began, &findings)
}

/// Waits for the next look, unless the caller gives up.
async fn wait(scope: &Scope<'_>, pause: Duration) -> Result<(), Stop> {
    tokio::select! {
        () = sleep(pause) => Ok(()),
        () = scope.recorder.cancel_token().cancelled() => Err(Stop),
    }
}

async fn look(
    scope: &mut Scope<'_>,
    session: &mut Session,
    plan: &ArrivalPlan,
    began: Instant,
    known: &mut Vec<String>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let limit = StepLimit { time: scope.probe.limits.open, on_timeout: FaultCode::CheckTimeout };
    let work = async {
        let new = new_messages(session, known).await?;
        let count = new.len();
        for number in new {
            let header = session.top(number).await?.join(&b'\n');
            let hit = Hit {
                folder: INBOX.to_owned(),
                role: FolderRole::Inbox,
                uid_validity: None,
                uid: number,
            };
            match Fields::parse(&header).kind(&plan.token) {
                Kind::TestMail { from } => findings.add(hit, INBOX, began.elapsed(), from),
                Kind::Notice if holds(&header, &plan.token) => {
                    findings.add_bounce(hit, Diagnosis::default());
                }
                Kind::Notice | Kind::Other => {}
            }
        }
        Ok(Done::new(()).detail(format!("{count} new")))
    };
    scope.recorder.step(StepKind::Arrival, limit, work).await
}

/// The numbers of messages that were not there before, the newest first.
async fn new_messages(session: &mut Session, known: &mut Vec<String>) -> Result<Vec<u32>, Trouble> {
    let messages = session.uidl().await?;
    let mut new = Vec::new();
    for (number, id) in messages.kept.iter().rev() {
        if new.len() < MAX_NEW
            && let Err(place) = known.binary_search(id)
        {
            known.insert(place, id.clone());
            new.push(*number);
        }
    }
    Ok(new)
}

/// Says that what was found stays where it is.
fn leave(scope: &mut Scope<'_>, findings: &Findings) {
    if !findings.hits.is_empty() {
        let stays = left_behind(scope.recorder.leg(), &[INBOX.to_owned()], None);
        scope.recorder.skip(StepKind::Cleanup, "over POP3 the test mail stays where it is");
        scope.recorder.note([stays]);
    }
}

/// Says what came of it.
fn conclude(scope: &mut Scope<'_>, began: Instant, findings: &Findings) -> Result<(), Stop> {
    let leg = scope.recorder.leg();
    if findings.has_arrived() {
        scope.recorder.note(findings.warnings(leg, &scope.spec.mailbox));
        return Ok(());
    }
    let failure = findings.failure(leg, began.elapsed(), None);
    scope.recorder.failed_step(StepKind::Arrival, failure.into());
    Err(Stop)
}
