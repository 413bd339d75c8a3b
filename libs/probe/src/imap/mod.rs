//! The IMAP leg: can this mailbox be logged in to and opened?
//!
//! `frame`, `shape` and `guard` stand between the server and the parser; `wire` is one
//! connection, `connect` brings it to a login, `session` is what may be asked after it.
//! This file opens the mailbox for reading only and notes where new mail will appear.
//! It marks nothing as seen and changes nothing. RFC 9051, RFC 3501.

mod capability;
mod command;
mod connect;
mod explain;
mod folders;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod guard;
mod login;
mod session;
mod shape;
mod utf7;
mod wire;

use mailfleet_model::leg::{FolderMark, FolderRole, IncomingPlan, Marks};
use mailfleet_model::{Fault, FaultCode, StepKind};

use crate::classify::ReplyPhase;
use crate::judge::Judge;
use crate::leg::{Scope, counted};
use crate::recorder::{Done, StepLimit, StepResult, Stop, Trouble};

pub(crate) use connect::{LoggedIn, log_in, say_goodbye};
pub(crate) use explain::{Moment, fault, tolerate};
use folders::Folder;
pub(crate) use folders::find_role;
pub(crate) use session::{Header, Mailbox, SearchKey, Session};
pub(crate) use utf7::decode as decode_name;
pub(crate) use wire::Error;

/// The folders in which a test mail may turn up, beside INBOX.
const MARKED: [FolderRole; 3] = [FolderRole::Junk, FolderRole::All, FolderRole::Sent];

/// Runs the leg.
pub(crate) async fn run(scope: &mut Scope<'_>, plan: IncomingPlan) -> Result<(), Stop> {
    let result = check(scope, plan).await;
    // The outgoing leg waits for this, however the leg ends.
    scope.companion.marks_taken();
    result
}

async fn check(scope: &mut Scope<'_>, plan: IncomingPlan) -> Result<(), Stop> {
    let mut logged_in = log_in(scope).await?;
    let result = Box::pin(open(scope, &mut logged_in, plan)).await;
    scope.companion.marks_taken();
    say_goodbye(scope, logged_in.session.wire_mut()).await;
    result
}

/// What opening the mailbox showed.
struct Opened {
    id: Vec<(String, String)>,
    marks: Marks,
}

/// Lists the folders and opens INBOX for reading.
async fn open(
    scope: &mut Scope<'_>,
    logged_in: &mut LoggedIn,
    plan: IncomingPlan,
) -> Result<(), Stop> {
    let limit = StepLimit { time: scope.probe.limits.open, on_timeout: FaultCode::CheckTimeout };
    let Scope { probe, recorder, .. } = scope;
    let LoggedIn { session, judge, greeting } = logged_in;
    let work = async {
        tolerate(judge, asking("CAPABILITY"), session.learn_capabilities().await)?;
        let id = if session.can("ID") {
            tolerate(judge, asking("ID"), session.id(&probe.identity).await)?
        } else {
            Vec::new()
        };
        open_mailbox(session, judge, plan, id).await
    };
    let opened = recorder.step(StepKind::Open, limit, work).await?;
    scope.recorder.report_mut().marks = opened.marks;
    connect::recognise(scope, session.wire_mut(), judge, greeting, &opened.id);
    Ok(())
}

async fn open_mailbox(
    session: &mut Session,
    judge: &Judge,
    plan: IncomingPlan,
    id: Vec<(String, String)>,
) -> StepResult<Opened> {
    let listed = session.list().await;
    let folders = listed.map_err(|e| fault(judge, Moment::of(ReplyPhase::List, "LIST"), &e))?;
    let opened = session.examine("INBOX").await;
    let inbox = opened.map_err(|e| fault(judge, Moment::of(ReplyPhase::Open, "EXAMINE"), &e))?;
    let mut detail = counted(folders.len(), "folder", "folders");
    if let Some(count) = inbox.exists {
        let messages = if count == 1 { "message" } else { "messages" };
        detail = format!("{detail}, {count} {messages} in INBOX");
    }
    let (marks, warnings) = match plan {
        IncomingPlan::Open => (Marks::default(), Vec::new()),
        IncomingPlan::OpenAndMark => {
            let marks = take_marks(session, judge, &folders, inbox).await?;
            let has_sent = find_role(&folders, FolderRole::Sent).is_some();
            let missing = Fault::new(FaultCode::SentFolderNotFound, judge.leg()).as_warning();
            (marks, if has_sent { Vec::new() } else { vec![missing] })
        }
    };
    Ok(Done::new(Opened { id, marks }).detail(detail).warn(warnings))
}

/// Notes where new mail will appear. A folder that cannot be asked about is left out.
async fn take_marks(
    session: &mut Session,
    judge: &Judge,
    folders: &[Folder],
    mut inbox: Mailbox,
) -> Result<Marks, Trouble> {
    if inbox.uid_next.is_none() {
        // Courier tells UIDNEXT only when asked (seen in 5.0.13).
        let status = session.status("INBOX").await;
        inbox.uid_next = tolerate(judge, asking("STATUS"), status)?.uid_next;
    }
    let mut marks = vec![mark("INBOX", FolderRole::Inbox, inbox)];
    for role in MARKED {
        let Some(folder) = find_role(folders, role) else { continue };
        let status = session.status(&folder.name).await;
        let status = tolerate(judge, asking("STATUS"), status.map(Some))?;
        marks.extend(status.map(|status| mark(&folder.name, role, status)));
    }
    Ok(Marks { folders: marks, uidls: Vec::new() })
}

/// A command whose answer is not needed.
fn asking(command: &str) -> Moment<'_> {
    Moment::of(ReplyPhase::Open, command)
}

fn mark(name: &str, role: FolderRole, mailbox: Mailbox) -> FolderMark {
    FolderMark {
        name: name.to_owned(),
        role,
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next.unwrap_or(1),
    }
}
