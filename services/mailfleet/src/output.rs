//! Writes to standard output: colours only where they are seen, and no panic when nobody reads.
//!
//! A closed pipe (`mailfleet faults | head`) is not an error: what was asked for was written as
//! far as somebody wanted it. NO_COLOR and CLICOLOR_FORCE are honoured (no-color.org).

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

/// Prints a text that may hold colours.
///
/// # Errors
/// If standard output cannot be written to, unless it was closed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = anstream::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Prints an error or notice to standard error. There is nowhere to report a failure to.
pub(crate) fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
