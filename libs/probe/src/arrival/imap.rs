//! Looks for the test mail over IMAP and moves it to Trash.
//!
//! Folders are opened with EXAMINE to look and with SELECT only to move. Few new messages
//! are all fetched, headers only, since searching is unreliable on some servers; many are
//! searched. Messages leave by MOVE (RFC 6851), or by COPY, `\Deleted` and UID EXPUNGE
//! (RFC 4315) of exactly those; a plain EXPUNGE, which would remove what somebody else
//! marked, is never sent.

use std::time::Duration;

use mailfleet_model::leg::{ArrivalPlan, FolderMark, FolderRole, LookFor};
use mailfleet_model::{Fault, FaultCode, StepKind};
use tokio::time::{Instant, sleep};

use super::findings::{Findings, Hit, left_behind, seconds};
use super::header::{FIELDS, Fields, Kind, diagnosis, holds};
use super::{Looks, RESERVE};
use crate::classify::ReplyPhase;
use crate::imap::{
    Error, Header, LoggedIn, Mailbox, Moment, SearchKey, Session, decode_name, fault, find_role,
    log_in, say_goodbye, tolerate,
};
use crate::judge::Judge;
use crate::leg::Scope;
use crate::recorder::{Done, StepLimit, StepResult, Stop, Trouble};

/// Pauses between looks, in seconds.
const PAUSES: &[u64] = &[1, 2, 3, 5, 8, 8, 13];
/// Longest wait for a sent copy alone: a server that files one does so at once.
const SENT_PATIENCE: Duration = Duration::from_secs(10);
/// Most new messages whose headers are all fetched.
const MAX_NEW: u32 = 200;
/// Most messages of a search that are looked at.
const MAX_FOUND: usize = 10;
/// How much of a bounce is read, in bytes: the report stands before the original mail.
const BOUNCE: u32 = 16 * 1024;
/// Time for putting the mail away after a cancel or at the end of the budget.
const HURRY: Duration = Duration::from_secs(4);

/// Runs the leg.
pub(super) async fn run(scope: &mut Scope<'_>, plan: &ArrivalPlan) -> Result<(), Stop> {
    let began = Instant::now();
    let mut logged_in = Box::pin(log_in(scope)).await?;
    let mut findings = Findings::new(plan.look_for);
    let looked = Box::pin(look(scope, &mut logged_in, plan, began, &mut findings)).await;
    scope.recorder.report_mut().arrival = Some(findings.arrival());
    if !findings.hits.is_empty() {
        Box::pin(put_away(scope, &mut logged_in, &findings)).await;
    }
    say_goodbye(scope, logged_in.session.wire_mut()).await;
    looked
}

async fn look(
    scope: &mut Scope<'_>,
    logged_in: &mut LoggedIn,
    plan: &ArrivalPlan,
    began: Instant,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let patience = match plan.look_for {
        LookFor::MailAndSentCopy => plan.timeout,
        LookFor::SentCopy => plan.timeout.min(SENT_PATIENCE),
    };
    let patience = patience.min(scope.recorder.remaining().saturating_sub(RESERVE));
    let limit = StepLimit {
        time: patience.saturating_add(scope.probe.limits.open),
        on_timeout: FaultCode::TestMailNotReceived,
    };
    let LoggedIn { session, judge, .. } = logged_in;
    let mut search = Search::new(plan, began);
    let Scope { spec, recorder, .. } = scope;
    let work = async {
        tolerate(judge, asking("CAPABILITY"), session.learn_capabilities().await)?;
        let mut looks = Looks::new(PAUSES, patience);
        loop {
            search.look(session, judge, findings).await?;
            if findings.is_complete() {
                break;
            }
            let Some(pause) = looks.next_pause(Duration::ZERO) else { break };
            sleep(pause).await;
        }
        verdict(judge, plan, began, findings, &spec.mailbox)
    };
    recorder.step(StepKind::Arrival, limit, work).await
}

fn verdict(
    judge: &Judge,
    plan: &ArrivalPlan,
    began: Instant,
    findings: &Findings,
    mailbox: &mailfleet_model::EmailAddress,
) -> StepResult<()> {
    let arrival = findings.arrival();
    let copy = match arrival.sent_copy {
        Some(true) => "a sent copy was found",
        Some(false) => "no sent copy was found",
        None => "no Sent folder was seen",
    };
    match (plan.look_for, &arrival.found, arrival.after) {
        (LookFor::SentCopy, _, _) => Ok(Done::new(()).detail(copy)),
        (LookFor::MailAndSentCopy, Some((folder, _)), Some(after)) => {
            let detail = format!("in {folder} after {}, {copy}", seconds(after));
            Ok(Done::new(()).detail(detail).warn(findings.warnings(judge.leg(), mailbox)))
        }
        (LookFor::MailAndSentCopy, _, _) => {
            let words = findings
                .bounce
                .as_ref()
                .map(|bounce| judge.text(std::slice::from_ref(&bounce.words)));
            let words = words.filter(|words| !words.is_empty());
            Err(findings.failure(judge.leg(), began.elapsed(), words).into())
        }
    }
}

/// A command whose refusal only means that nothing was found there.
fn asking(command: &str) -> Moment<'_> {
    Moment::of(ReplyPhase::Open, command)
}

/// The folders to look into, each with the UID to look from.
struct Search<'a> {
    token: &'a str,
    began: Instant,
    places: Vec<Place<'a>>,
}

struct Place<'a> {
    mark: &'a FolderMark,
    /// The next UID to look at; `None` until UIDVALIDITY was compared.
    from: Option<u32>,
}

impl<'a> Search<'a> {
    fn new(plan: &'a ArrivalPlan, began: Instant) -> Self {
        let order = match plan.look_for {
            LookFor::MailAndSentCopy => {
                &[FolderRole::Inbox, FolderRole::Junk, FolderRole::All, FolderRole::Sent][..]
            }
            LookFor::SentCopy => &[FolderRole::Sent][..],
        };
        let marks = &plan.marks.folders;
        let of_role = |role: &'a FolderRole| marks.iter().filter(move |mark| mark.role == *role);
        let places = order.iter().flat_map(of_role).map(|mark| Place { mark, from: None });
        Self { token: &plan.token, began, places: places.collect() }
    }

    /// Looks once into every folder that can still tell something.
    async fn look(
        &mut self,
        session: &mut Session,
        judge: &Judge,
        findings: &mut Findings,
    ) -> Result<(), Trouble> {
        for place in &mut self.places {
            let is_sent = place.mark.role == FolderRole::Sent;
            if findings.has_arrived() && !is_sent {
                continue;
            }
            let opened = session.examine(&place.mark.name).await;
            let Some(mailbox) = tolerate(judge, asking("EXAMINE"), opened.map(Some))? else {
                continue;
            };
            findings.sent_was_seen |= is_sent;
            let new = place.new_headers(session, judge, mailbox, self.token).await?;
            for header in new {
                let seen = Seen { place: place.mark, mailbox, header };
                take(session, judge, self.token, self.began, seen, findings).await?;
            }
        }
        Ok(())
    }
}

impl Place<'_> {
    /// The headers of the messages that are new here since the last look.
    async fn new_headers(
        &mut self,
        session: &mut Session,
        judge: &Judge,
        mailbox: Mailbox,
        token: &str,
    ) -> Result<Vec<Header>, Trouble> {
        let from = self.from.unwrap_or_else(|| first_uid(self.mark, mailbox));
        let from = *self.from.insert(from);
        let next = mailbox.uid_next;
        if next.is_some_and(|next| next <= from) {
            return Ok(Vec::new());
        }
        if next.is_some_and(|next| next.saturating_sub(from) <= MAX_NEW) {
            let fetched = session.uid_fetch_fields(from, None, FIELDS).await;
            let headers = tolerate(judge, asking("UID FETCH"), fetched)?;
            // A message that came while the others were fetched has a UID behind theirs.
            let last = headers.iter().map(|header| header.uid).max();
            self.from = last.map_or(Some(from), |uid| Some(uid.saturating_add(1)));
            return Ok(headers);
        }
        search(session, judge, from, next, token).await
    }
}

/// Where to look from: the mark, or the beginning of a folder that was made anew.
fn first_uid(mark: &FolderMark, mailbox: Mailbox) -> u32 {
    match (mark.uid_validity, mailbox.uid_validity) {
        (Some(before), Some(now)) if before != now => 1,
        _ => mark.uid_next.max(1),
    }
}

/// Lets the server search, by our own header, the Message-ID and the subject in turn, and
/// for bounces; where it will not, the last messages are fetched.
async fn search(
    session: &mut Session,
    judge: &Judge,
    from: u32,
    next: Option<u32>,
    token: &str,
) -> Result<Vec<Header>, Trouble> {
    let keys = [
        (SearchKey::Header("X-Mailfleet-Test"), token),
        (SearchKey::Header("Message-ID"), token),
        (SearchKey::Subject, token),
        (SearchKey::Header("Content-Type"), "multipart/report"),
    ];
    let mut headers = Vec::new();
    for (key, text) in keys {
        let found = session.uid_search(from, key, text).await;
        let Some(uids) = tolerate(judge, asking("UID SEARCH"), found.map(Some))? else { break };
        for uid in uids.into_iter().rev().take(MAX_FOUND) {
            let fetched = session.uid_fetch_fields(uid, Some(uid), FIELDS).await;
            headers.extend(tolerate(judge, asking("UID FETCH"), fetched)?);
        }
        if !headers.is_empty() {
            return Ok(headers);
        }
    }
    // An index may lag behind the mail; without UIDNEXT there is no telling the last ones.
    let Some(next) = next else { return Ok(headers) };
    let last = next.saturating_sub(MAX_NEW).max(from);
    tolerate(judge, asking("UID FETCH"), session.uid_fetch_fields(last, None, FIELDS).await)
}

/// A new message, and where it was seen.
struct Seen<'a> {
    place: &'a FolderMark,
    mailbox: Mailbox,
    header: Header,
}

/// Takes a message into the findings if it is ours.
async fn take(
    session: &mut Session,
    judge: &Judge,
    token: &str,
    began: Instant,
    seen: Seen<'_>,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let hit = Hit {
        folder: seen.place.name.clone(),
        role: seen.place.role,
        uid_validity: seen.mailbox.uid_validity,
        uid: seen.header.uid,
    };
    match Fields::parse(&seen.header.bytes).kind(token) {
        Kind::TestMail { from } => {
            let folder = decode_name(&seen.place.name);
            findings.add(hit, &folder, began.elapsed(), from);
        }
        Kind::Notice if seen.place.role != FolderRole::Sent => {
            let fetched = session.uid_fetch_start(hit.uid, BOUNCE).await;
            let start = tolerate(judge, asking("UID FETCH"), fetched)?;
            if let Some(start) = start.filter(|start| holds(start, token)) {
                findings.add_bounce(hit, diagnosis(&start));
            }
        }
        Kind::Notice | Kind::Other => {}
    }
    Ok(())
}

/// Moves what was found to Trash; also after a cancel, in a hurry.
async fn put_away(scope: &mut Scope<'_>, logged_in: &mut LoggedIn, findings: &Findings) {
    let LoggedIn { session, judge, .. } = logged_in;
    let is_hurried = scope.recorder.is_cancelled() || scope.recorder.remaining() < RESERVE;
    if is_hurried {
        let mut left = Vec::new();
        let work = async { left = clean(session, judge, findings).await };
        scope.recorder.closing_step(StepKind::Cleanup, HURRY, work).await;
        scope.recorder.note(left);
        return;
    }
    let limit =
        StepLimit { time: scope.probe.limits.open, on_timeout: FaultCode::TestMailCleanupFailed };
    let work = async {
        let left = clean(session, judge, findings).await;
        let detail = if left.is_empty() { "moved to Trash" } else { "left where it is" };
        Ok(Done::new(()).detail(detail).warn(left))
    };
    // A failure is a warning of its own, and stands in the report.
    let _ = scope.recorder.step(StepKind::Cleanup, limit, work).await;
}

/// Moves the messages of each folder; what stays where it is comes back as one warning.
async fn clean(session: &mut Session, judge: &Judge, findings: &Findings) -> Vec<Fault> {
    let hits = findings.to_put_away();
    let mut folders: Vec<&str> = hits.iter().map(|hit| hit.folder.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    let trash = session.list().await.ok().and_then(|folders| {
        find_role(&folders, FolderRole::Trash).map(|folder| folder.name.clone())
    });
    let mut left = Vec::new();
    let mut words = None;
    for folder in folders {
        let of_folder: Vec<&Hit> = hits.iter().copied().filter(|h| h.folder == folder).collect();
        let moved = match &trash {
            Some(trash) => move_all(session, folder, &of_folder, trash).await,
            None => Err(Left::NoWay),
        };
        if let Err(why) = moved {
            left.push(decode_name(folder));
            if let Left::Failed(error) = why {
                words = fault(judge, asking("MOVE"), &error).evidence.server_text.or(words);
            }
        }
    }
    if left.is_empty() { Vec::new() } else { vec![left_behind(judge.leg(), &left, words)] }
}

/// Why messages stay where they are.
enum Left {
    /// There is no Trash, or no way to move just these messages.
    NoWay,
    /// The server refused, or was lost.
    Failed(Error),
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

async fn move_all(
    session: &mut Session,
    folder: &str,
    hits: &[&Hit],
    trash: &str,
) -> Result<(), Left> {
    let can_move = session.can("MOVE") || session.can("IMAP4REV2");
    if folder == trash || !(can_move || session.can("UIDPLUS")) {
        return Err(Left::NoWay);
    }
    let opened = session.select(folder).await?;
    // In a folder that was made anew in between, the UIDs are those of other messages.
    let is_same = |hit: &&&Hit| hit.uid_validity == opened.uid_validity;
    let uids: Vec<u32> = hits.iter().filter(is_same).map(|hit| hit.uid).collect();
    if uids.len() != hits.len() {
        return Err(Left::NoWay);
    }
    if can_move {
        return Ok(session.uid_move(&uids, trash).await?);
    }
    session.uid_copy(&uids, trash).await?;
    session.uid_mark_deleted(&uids).await?;
    if let Err(error) = session.uid_expunge(&uids).await {
        // Better in two places than hidden in one.
        session.uid_unmark_deleted(&uids).await?;
        return Err(error.into());
    }
    Ok(())
}
