//! How a command ends: the exit status, and errors as people read them.

use std::process::ExitCode;

use mailfleet_model::{Verdict, Violations};

/// The exit status of a command, the same for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The mailbox is healthy, or the command did what it was asked to.
    Good,
    /// The mailbox has a blocking fault.
    Faulty,
    /// The command or its configuration is wrong.
    Usage,
    /// A failure of our own.
    Failure,
    /// It cannot be told at present.
    Inconclusive,
}

/// The exit status after a second interrupt: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: i32 = 130;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Faulty => 1,
            Exit::Usage => 2,
            Exit::Failure => 3,
            Exit::Inconclusive => 4,
        })
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::Good,
            Verdict::Faulty => Self::Faulty,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(crate) enum Error {
    /// Options that are wrong; all of them.
    Usage(Violations),
    /// The configuration is wrong; already in full sentences.
    Configuration(String),
    /// Something else that the caller got wrong, with what to do about it.
    Request(String),
    /// The caller ended it before anything was found.
    Interrupted,
    /// A failure of our own.
    Own(anyhow::Error),
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Own(error)
    }
}

impl Error {
    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Configuration(_) | Self::Request(_) => Exit::Usage,
            Self::Interrupted => Exit::Inconclusive,
            Self::Own(_) => Exit::Failure,
        }
    }

    /// The text for standard error, ending in a line break.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Usage(violations) => usage(violations),
            Self::Configuration(text) => format!("error: {}\n", text.trim_end()),
            Self::Request(text) => format!("error: {text}\n"),
            Self::Interrupted => "interrupted\n".to_owned(),
            Self::Own(error) => {
                let mut causes: Vec<String> =
                    error.chain().skip(1).map(ToString::to_string).collect();
                // Libraries that wrap their own errors say the same twice.
                causes.dedup();
                let because = if causes.is_empty() { "" } else { ": " };
                format!("error: {error}{because}{}\n", causes.join(": "))
            }
        }
    }
}

fn usage(violations: &Violations) -> String {
    let all = violations.as_slice();
    let lines: Vec<String> = all
        .iter()
        .map(|violation| {
            let indented = violation.description.replace('\n', "\n      ");
            format!("  {}: {indented}\n", violation.field)
        })
        .collect();
    let intro = if all.len() == 1 { "this is wrong" } else { "these things are wrong" };
    format!("error: {intro}:\n{}\nFor the options, try 'mailfleet check --help'.\n", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_failures_tell_the_whole_chain() {
        let error = anyhow::anyhow!("address in use").context("cannot listen on 127.0.0.1:1");
        let error = Error::Own(error);
        assert_eq!(error.text(), "error: cannot listen on 127.0.0.1:1: address in use\n");
        assert_eq!(error.exit(), Exit::Failure);
    }

    #[test]
    fn usage_errors_stand_one_a_line() {
        let mut violations = Violations::default();
        violations.add("--imap", "the port is not a number");
        violations.add("--timeout", "has no unit");
        let text = Error::Usage(violations).text();
        assert!(text.contains("  --imap: the port is not a number\n  --timeout: has no unit\n"));
    }
}
