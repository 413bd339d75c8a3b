//! The envelope: MAIL FROM and RCPT TO, and RSET where nothing is sent.
//!
//! A login alone proves little: servers refuse foreign senders, or a login that is not
//! allowed to relay, only here. RFC 5321 section 3.3; PIPELINING (RFC 2920) saves round
//! trips; SMTPUTF8 (RFC 6531) for addresses that need it.

use mailfleet_model::{EmailAddress, Fault, FaultCode, Phase, StepKind};

use super::session::{Session, refused};
use crate::classify::ReplyPhase;
use crate::judge::Asked;
use crate::leg::Scope;
use crate::recorder::{Done, StepLimit, Stop, Trouble};

const MAIL: Asked =
    Asked { command: "MAIL FROM", reply_phase: ReplyPhase::MailFrom, phase: Phase::Submit };
const RCPT: Asked =
    Asked { command: "RCPT TO", reply_phase: ReplyPhase::RcptTo, phase: Phase::Submit };
const RSET: Asked = Asked { command: "RSET", reply_phase: ReplyPhase::Other, phase: Phase::Submit };

/// What happens after the recipient was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The transaction is taken back.
    TakeBack,
    /// Content follows.
    Send,
}

/// Opens a transaction from the mailbox to itself and takes it back.
///
/// # Errors
/// [`Stop`] with the fault recorded.
pub(super) async fn try_out(scope: &mut Scope<'_>, session: &mut Session) -> Result<(), Stop> {
    let mailbox = &scope.spec.mailbox;
    step(scope, session, mailbox, Then::TakeBack).await
}

/// Opens a transaction from the mailbox to `to`, for content to follow.
///
/// # Errors
/// [`Stop`] with the fault recorded.
pub(super) async fn begin(
    scope: &mut Scope<'_>,
    session: &mut Session,
    to: &EmailAddress,
) -> Result<(), Stop> {
    step(scope, session, to, Then::Send).await
}

async fn step(
    scope: &mut Scope<'_>,
    session: &mut Session,
    to: &EmailAddress,
    then: Then,
) -> Result<(), Stop> {
    // Three commands at most, each with the limit's time.
    let time = scope.probe.limits.envelope.saturating_mul(3);
    let limit = StepLimit { time, on_timeout: FaultCode::CheckTimeout };
    let work = converse(session, &scope.spec.mailbox, to, then);
    scope.recorder.step(StepKind::Envelope, limit, work).await
}

async fn converse(
    session: &mut Session,
    from: &EmailAddress,
    to: &EmailAddress,
    then: Then,
) -> Result<Done<()>, Trouble> {
    let wants_utf8 = from.needs_smtputf8() || to.needs_smtputf8();
    if wants_utf8 && !session.capabilities.has("SMTPUTF8") {
        return Err(Fault::new(FaultCode::Smtputf8Required, session.judge.leg()).into());
    }
    let parameter = if wants_utf8 { " SMTPUTF8" } else { "" };
    let mail = format!("MAIL FROM:<{from}>{parameter}");
    let rcpt = format!("RCPT TO:<{to}>");
    let commands = [(MAIL, mail.as_str()), (RCPT, rcpt.as_str()), (RSET, "RSET")];
    let commands = match then {
        Then::TakeBack => commands.as_slice(),
        Then::Send => commands.get(..2).unwrap_or(&commands),
    };
    if session.capabilities.has("PIPELINING") {
        all_at_once(session, commands).await?;
    } else {
        one_by_one(session, commands).await?;
    }
    Ok(Done::new(()))
}

async fn one_by_one(session: &mut Session, commands: &[(Asked, &str)]) -> Result<(), Trouble> {
    for (asked, command) in commands {
        let reply = session.ask(*asked, command.as_bytes()).await?;
        // A RSET that fails changes nothing: the connection is closed anyway.
        if !reply.is_success() && asked.command != RSET.command {
            return Err(refused(&session.judge, *asked, &reply).into());
        }
    }
    Ok(())
}

/// Sends all commands in one packet; all replies are read, the first refusal counts.
async fn all_at_once(session: &mut Session, commands: &[(Asked, &str)]) -> Result<(), Trouble> {
    let lines: Vec<&[u8]> = commands.iter().map(|(_, command)| command.as_bytes()).collect();
    let written = session.connection()?.write(&lines).await;
    written.map_err(|error| session.give_up(MAIL, &error))?;
    let mut first_trouble: Option<Trouble> = None;
    for (asked, _) in commands {
        let reply = match session.connection()?.read().await {
            Ok(reply) => reply,
            Err(error) => {
                let trouble = session.give_up(*asked, &error);
                return Err(first_trouble.unwrap_or(trouble));
            }
        };
        if !reply.is_success() && asked.command != RSET.command {
            first_trouble.get_or_insert_with(|| refused(&session.judge, *asked, &reply).into());
            // `421` ends the session; further replies will not come.
            if reply.code == 421 {
                break;
            }
        }
    }
    first_trouble.map_or(Ok(()), Err)
}
