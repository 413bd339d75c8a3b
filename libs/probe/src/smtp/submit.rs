//! The test mail's submission: sent once, never twice.
//!
//! The dialogue is driven here and not by mail-send's `send`, which cannot say which
//! command was refused and reports a lost connection like a garbled reply: but whether
//! the server took the mail is the one thing that must never be guessed. The content
//! itself (dot-stuffing, final dot) is written by mail-send. RFC 5321 section 4.1.1.4.

use std::time::{Duration, SystemTime};

use mail_send::SmtpClient;
use mailfleet_model::leg::Submission;
use mailfleet_model::{EmailAddress, FactKind, Fault, FaultCode, Phase, StepKind};
use tokio::time::timeout;

use super::envelope;
use super::message::test_mail;
use super::session::{Session, broken, refused, remark};
use super::wire::{Connection, Error, Reply};
use crate::classify::ReplyPhase;
use crate::judge::Asked;
use crate::leg::Scope;
use crate::lines;
use crate::recorder::{Done, StepLimit, Stop, Trouble};

/// Longest wait for the incoming leg to note where new mail will appear.
const MARKS_PATIENCE: Duration = Duration::from_secs(20);
/// Time for a refusal to be read from a server that closes while it is still sent to.
const LAST_WORDS: Duration = Duration::from_secs(2);

const DATA: Asked = Asked { command: "DATA", reply_phase: ReplyPhase::Data, phase: Phase::Submit };
const BODY: Asked =
    Asked { command: "message", reply_phase: ReplyPhase::Body, phase: Phase::Submit };

/// Sends the test mail to `to`.
///
/// # Errors
/// [`Stop`] with the fault recorded. `submission` in the report says whether the mail
/// may be under way.
pub(super) async fn send(
    scope: &mut Scope<'_>,
    session: &mut Session,
    to: &EmailAddress,
    token: &str,
) -> Result<(), Stop> {
    let mail = test_mail(&scope.spec.mailbox, to, token, SystemTime::now());
    if let Some(fault) = too_large(session, mail.len()) {
        scope.recorder.failed_step(StepKind::Submit, fault.into());
        return Err(Stop);
    }
    wait_for_marks(scope).await?;
    envelope::begin(scope, session, to).await?;
    let envelope_limit = scope.probe.limits.envelope;
    let limit = StepLimit {
        time: envelope_limit.saturating_add(scope.probe.limits.submit),
        on_timeout: FaultCode::SubmissionOutcomeUnknown,
    };
    let mut submission = Submission::NotSent;
    let work = submit(session, &mail, envelope_limit, &mut submission);
    let result = scope.recorder.step(StepKind::Submit, limit, work).await;
    scope.recorder.report_mut().submission = submission;
    if submission == Submission::Unknown {
        note_unknown(scope);
    }
    result
}

/// Hands the content over. `submission` is kept true at every moment, since this future
/// may be dropped at any of them.
async fn submit(
    session: &mut Session,
    mail: &[u8],
    data_limit: Duration,
    submission: &mut Submission,
) -> Result<Done<()>, Trouble> {
    let reply = match timeout(data_limit, session.ask(DATA, b"DATA")).await {
        Ok(reply) => reply?,
        Err(_elapsed) => {
            return Err(Fault::new(FaultCode::CheckTimeout, session.judge.leg())
                .at(DATA.phase)
                .into());
        }
    };
    if reply.code != 354 {
        *submission = Submission::Refused;
        return Err(refused(&session.judge, DATA, &reply).into());
    }
    // Inside content a QUIT would be read as text: the connection comes back only with
    // the server's verdict.
    let mut connection = session.connection.take().ok_or_else(|| lost(session))?;
    *submission = Submission::Unknown;
    let reply = match hand_over(&mut connection, mail).await {
        Ok(reply) => reply,
        Err(error) => {
            let mut fault = lost(session);
            fault.evidence.server_text =
                broken(&session.judge, BODY.phase, &error).evidence.server_text;
            return Err(fault.into());
        }
    };
    session.connection = Some(connection);
    if reply.is_success() {
        *submission = Submission::Accepted;
        let words = session.judge.text(&reply.lines);
        return Ok(Done::new(()).detail(words));
    }
    *submission = Submission::Refused;
    Err(refused(&session.judge, BODY, &reply).into())
}

/// Writes content and final dot, and reads the verdict. A server that closes while it is
/// being written to may have said why.
async fn hand_over(connection: &mut Connection, mail: &[u8]) -> Result<Reply, Error> {
    let mut client = SmtpClient { stream: connection.stream_mut(), timeout: Duration::MAX };
    match client.write_message(mail).await {
        Ok(()) => connection.read().await,
        Err(error) => match timeout(LAST_WORDS, connection.read()).await {
            Ok(Ok(reply)) if !reply.is_success() => Ok(reply),
            Ok(_) | Err(_) => {
                Err(Error::Wire { error: lines::Error::from(error), said: Vec::new() })
            }
        },
    }
}

fn lost(session: &Session) -> Fault {
    let text = "The connection ended after the message and before the server's verdict.";
    Fault::new(FaultCode::SubmissionOutcomeUnknown, session.judge.leg()).with_evidence(remark(text))
}

/// However the step ended (timeout, budget, cancel), an open outcome is said to be open.
fn note_unknown(scope: &mut Scope<'_>) {
    let code = FaultCode::SubmissionOutcomeUnknown;
    if !super::ended_in(scope, code) {
        scope.recorder.note([Fault::new(code, scope.recorder.leg())]);
    }
}

/// The fault for a message beyond the announced limit (RFC 1870).
fn too_large(session: &Session, length: usize) -> Option<Fault> {
    let limit = session.capabilities.size?;
    (limit < length as u64).then(|| {
        let text = format!("The test message has {length} bytes.");
        let evidence = remark(&text).with(FactKind::Limit, format!("{limit} bytes"));
        Fault::new(FaultCode::MessageTooLarge, session.judge.leg()).with_evidence(evidence)
    })
}

/// Lets the incoming leg note where new mail will appear, within reason.
async fn wait_for_marks(scope: &mut Scope<'_>) -> Result<(), Stop> {
    let patience = MARKS_PATIENCE.min(scope.recorder.remaining() / 3);
    let cancel = scope.recorder.cancel_token().clone();
    tokio::select! {
        biased;
        () = scope.companion.wait_for_marks(patience) => Ok(()),
        () = cancel.cancelled() => Err(Stop),
    }
}
