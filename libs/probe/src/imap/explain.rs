//! Turns what went wrong in an IMAP session into faults.
//!
//! Apart from the session, which reports what it saw and judges nothing. The words are
//! judged by `classify`; here they only get their context: the moment, the command, the
//! mechanism.

use mailfleet_model::Fault;

use super::shape::Condition;
use super::wire::{Error, Refused};
use crate::classify::{ReplyPhase, Status};
use crate::judge::{About, Judge};
use crate::recorder::Trouble;
use crate::reply;

/// What was being done when a reply came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    phase: ReplyPhase,
    about: About<'a>,
}

impl<'a> Moment<'a> {
    /// The server's first words.
    pub(crate) const GREETING: Moment<'static> = Moment {
        phase: ReplyPhase::Greeting,
        about: About { command: None, mechanism: None, challenge: None },
    };

    /// The answer to a command outside the login.
    pub(crate) fn of(phase: ReplyPhase, command: &'a str) -> Self {
        Self { phase, about: About { command: Some(command), ..About::default() } }
    }

    /// The answer to a login.
    pub(crate) fn login(about: About<'a>) -> Self {
        Self { phase: ReplyPhase::Auth, about }
    }
}

/// Judges the end of a command that did not go well.
pub(crate) fn fault(judge: &Judge, moment: Moment<'_>, error: &Error) -> Fault {
    let phase = moment.phase.in_report();
    let mut fault = match error {
        Error::Refused(answer) => return refused(judge, moment, answer),
        Error::Closed(lines) if lines.is_empty() => judge.closed(phase, &[]),
        // What a server said last before it hung up is its reason.
        Error::Closed(lines) => {
            let condition = Some(Condition::Bye);
            return refused(judge, moment, &Refused { condition, lines: lines.clone() });
        }
        Error::Foreign(line) if moment.phase == ReplyPhase::Greeting || is_known(line) => {
            let (status, lines) = (Status::Unrecognised, std::slice::from_ref(line));
            return judge.refusal(moment.phase, status, lines, moment.about);
        }
        Error::Foreign(line) => judge.unreadable(phase, "The server's answer is no IMAP.", line),
        Error::Violation(violation) => judge.unreadable(phase, &sentence(violation), &[]),
        Error::TooManyBytes => {
            judge.unreadable(phase, "The server sent more than a session may hold.", &[])
        }
        Error::Io(error) => judge.io(phase, error),
    };
    fault.evidence.command = moment.about.command.map(str::to_owned);
    fault.evidence.mechanism = moment.about.mechanism.map(str::to_owned);
    fault
}

/// Judges a refusal.
pub(crate) fn refused(judge: &Judge, moment: Moment<'_>, refused: &Refused) -> Fault {
    let status = match refused.condition {
        Some(Condition::No) => Status::No,
        Some(Condition::Bad) => Status::Bad,
        Some(Condition::Bye) => Status::Bye,
        Some(Condition::Preauth) => Status::Preauth,
        Some(Condition::Ok) | None => Status::Unrecognised,
    };
    judge.refusal(moment.phase, status, &refused.lines, moment.about)
}

/// Takes a refusal as "no answer": for commands whose answer is not needed.
///
/// # Errors
/// If the session is over.
pub(crate) fn tolerate<T: Default>(
    judge: &Judge,
    moment: Moment<'_>,
    result: Result<T, Error>,
) -> Result<T, Trouble> {
    match result {
        Err(Error::Refused(refused)) if refused.condition != Some(Condition::Bye) => {
            Ok(T::default())
        }
        other => other.map_err(|error| fault(judge, moment, &error).into()),
    }
}

/// Whether a line is that of a protocol by its shape.
fn is_known(line: &[u8]) -> bool {
    reply::banner(line).is_some()
}

/// An error's text as a sentence of its own.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
