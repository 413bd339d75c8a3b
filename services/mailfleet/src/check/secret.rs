//! Reads secrets: from the environment, standard input or a person at the terminal.
//!
//! Bytes are taken as they are: nothing is trimmed, decoded or normalised, but for one line
//! break at the end of standard input, which tools put there. Every buffer is wiped.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use mailfleet_model::{Credential, Secret, Violations};
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use zeroize::Zeroizing;

use super::plan::SecretSource;
use crate::exit::Error;

/// Longest password, in bytes. Servers end far earlier; the API has the same limit.
const MAX_PASSWORD: usize = 1024;
/// Longest access token, in bytes. Those of large providers have up to 4 KiB.
const MAX_TOKEN: usize = 16 * 1024;

/// Reads the secret from its source.
///
/// # Errors
/// Wrong usage if there is none, or one that no server can be told; our own if reading fails.
/// Cancel-safe: at a terminal, echo is on again whatever happens.
pub(crate) async fn read(source: &SecretSource, prompt: &str) -> Result<Arc<Credential>, Error> {
    let credential = match source {
        SecretSource::PasswordEnv(name) => password(name, from_environment(name))?,
        SecretSource::TokenEnv(name) => token(name, from_environment(name))?,
        SecretSource::Stdin => {
            let bytes = read_input(Reading::ToTheEnd).context("cannot read standard input")?;
            password("--password-stdin", stripped(bytes))?
        }
        SecretSource::Prompt => password("password", from_terminal(prompt).await?)?,
    };
    Ok(Arc::new(credential))
}

fn from_environment(name: &str) -> Secret {
    Secret::new(std::env::var_os(name).unwrap_or_default().into_vec())
}

/// Asks at the terminal, without echo.
async fn from_terminal(prompt: &str) -> Result<Secret, Error> {
    let quiet = Quiet::begin().context("cannot switch off the terminal's echo")?;
    write!(std::io::stderr(), "{prompt}").context("cannot write to the terminal")?;
    let line = tokio::task::spawn_blocking(|| read_input(Reading::OneLine));
    let line = tokio::select! {
        line = line => Some(line),
        _ = tokio::signal::ctrl_c() => None,
    };
    drop(quiet);
    let _ = writeln!(std::io::stderr());
    let line = line.ok_or(Error::Interrupted)?;
    let line = line.context("the task that reads the password ended early")?;
    Ok(stripped(line.context("cannot read the password")?))
}

/// A password that every protocol can carry: a control character in it would be a command.
fn password(field: &str, secret: Secret) -> Result<Credential, Error> {
    let has_control = secret.expose().iter().any(u8::is_ascii_control);
    check(field, &secret, MAX_PASSWORD, has_control.then_some("contains a control character"))?;
    Ok(Credential::Password(secret))
}

/// An access token: printable ASCII, by RFC 6750 section 2.1.
fn token(field: &str, secret: Secret) -> Result<Credential, Error> {
    let fits = secret.expose().iter().all(u8::is_ascii_graphic);
    check(field, &secret, MAX_TOKEN, (!fits).then_some("is not printable ASCII without spaces"))?;
    Ok(Credential::AccessToken(secret))
}

fn check(
    field: &str,
    secret: &Secret,
    longest: usize,
    unfit: Option<&'static str>,
) -> Result<(), Error> {
    let mut wrong = Violations::default();
    if secret.is_empty() {
        wrong.add(field, "is empty");
    } else if secret.expose().len() > longest {
        wrong.add(field, format!("is longer than {longest} bytes"));
    } else if let Some(description) = unfit {
        wrong.add(field, description);
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Usage(wrong)) }
}

/// How far standard input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    OneLine,
    ToTheEnd,
}

/// Reads standard input without the buffer of `std::io::stdin`, which nobody wipes. One byte
/// more than is allowed is taken at most, so that too long a secret can be told.
fn read_input(reading: Reading) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let input: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut input = File::from(input);
    // The full size at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0_u8; MAX_PASSWORD + 3]);
    let mut length = 0;
    while let Some(free @ [_, ..]) = bytes.get_mut(length..) {
        let read = match input.read(free) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        length += read;
        let line_ended = bytes.get(..length).is_some_and(|read| read.ends_with(b"\n"));
        if read == 0 || (reading == Reading::OneLine && line_ended) {
            break;
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn stripped(mut bytes: Zeroizing<Vec<u8>>) -> Secret {
    strip_line_break(&mut bytes);
    Secret::new(std::mem::take(&mut *bytes))
}

/// Takes off one LF or CRLF, and nothing else.
fn strip_line_break(bytes: &mut Vec<u8>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
}

/// The terminal without echo, until dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> nix::Result<Self> {
        let before = termios::tcgetattr(std::io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        termios::tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing better can be done when this fails.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_strip(given: &[u8], expect: &[u8]) {
        let mut bytes = given.to_vec();
        strip_line_break(&mut bytes);
        assert_eq!(bytes, expect);
    }

    #[test]
    fn a_secret_that_would_be_a_command_is_refused_without_being_shown() {
        for bad in ["", "hunter2\r\nDELE 1", "hunter2\0", &"hunter2".repeat(200)] {
            let error = password("PW", Secret::new(bad.into())).expect_err("not a password");
            assert!(error.text().contains("PW: ") && !error.text().contains("hunter2"));
        }
        assert!(token("T", Secret::new(b"ya29.a b".to_vec())).is_err());
        assert!(password("PW", Secret::new(b"p\xe4ss w\xc3\xb6rd ".to_vec())).is_ok());
    }

    #[test]
    fn one_line_break_is_taken_off_and_nothing_else() {
        check_strip(b"secret\n", b"secret");
        check_strip(b"secret\r\n", b"secret");
        check_strip(b"secret\n\n", b"secret\n");
        check_strip(b" secret \t", b" secret \t");
        check_strip(b"\xff\xfe\r", b"\xff\xfe\r");
        check_strip(b"\n", b"");
    }
}
