//! The one submission of a credential on an IMAP connection.
//!
//! AUTHENTICATE with a mechanism that both sides know, with the initial response in the
//! command where the server takes one (RFC 4959); LOGIN where that is all there is.
//! Exactly one submission, and nothing is sent behind it before it was answered. The
//! lines are written straight to the stream, so that no library can log them.

use mailfleet_model::{Credential, Endpoint, Fault, FaultCode, Leg, Login};
use zeroize::Zeroizing;

use super::capability::Capabilities;
use super::command::Command;
use super::wire::{Answer, Continuation, Error, StatusLine, Wire};
use crate::sasl::{self, Exchange, Mechanism, Protection, Unusable};

/// Longest command line that carries an initial response. Servers cut lines at 8 KiB
/// and above; RFC 9051 sets no limit.
const MAX_INITIAL: usize = 8_000;

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// AUTHENTICATE.
    Sasl(Mechanism),
    /// LOGIN.
    Command,
}

impl Method {
    /// Its name for people and for the evidence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sasl(mechanism) => mechanism.name(),
            Self::Command => "LOGIN command",
        }
    }

    /// The mechanism, as a reply to it is judged.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sasl(mechanism) => mechanism.name(),
            Self::Command => "LOGIN",
        }
    }

    /// The command that carries it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Sasl(_) => "AUTHENTICATE",
            Self::Command => "LOGIN",
        }
    }
}

/// Why a login did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server refused, or the connection broke; with a token's error challenge.
    Wire(Error, Option<String>),
    /// The server's side of the mechanism is wrong; the exchange was cancelled.
    Exchange(sasl::Refused),
}

/// Chooses how to log in.
///
/// A server that names no mechanism of ours still takes LOGIN, unless it says
/// LOGINDISABLED (RFC 9051 section 6.2.3); NetEase names none at all.
///
/// # Errors
/// The fault, where there is no way.
pub(crate) fn choose(
    leg: Leg,
    credential: &Credential,
    capabilities: &Capabilities,
    protection: Protection,
) -> Result<Method, Box<Fault>> {
    let offer = capabilities.mechanisms();
    let unusable = match sasl::choose(credential, &offer, protection) {
        Ok(mechanism) => return Ok(Method::Sasl(mechanism)),
        Err(unusable) => unusable,
    };
    let is_disabled = capabilities.has("LOGINDISABLED");
    match (credential, protection) {
        (Credential::Password(_), Protection::Verified | Protection::Accepted) if !is_disabled => {
            Ok(Method::Command)
        }
        (Credential::Password(_) | Credential::AccessToken(_), Protection::None) => {
            Err(Box::new(Unusable::NeedsTls.fault(leg, &offer)))
        }
        (
            Credential::Password(_) | Credential::AccessToken(_),
            Protection::Verified | Protection::Accepted,
        ) => {
            let mut fault = unusable.fault(leg, &offer);
            // On IMAP a missing offer says nothing about the port.
            if fault.code == FaultCode::AuthNotOfferedOnPort {
                fault = Unusable::NoCommon.fault(leg, &offer);
            }
            Err(Box::new(fault))
        }
    }
}

/// Submits the credential and returns the server's acceptance.
///
/// Not cancel-safe: a cancelled submission counts as one whose answer is not known.
///
/// # Errors
/// Why it was not accepted.
pub(crate) async fn submit(
    wire: &mut Wire,
    method: Method,
    login: &Login,
    endpoint: &Endpoint,
) -> Result<StatusLine, Failed> {
    match method {
        Method::Command => {
            let secret = login.credential.secret().expose();
            let command = Command::new("LOGIN").string(login.username.as_bytes()).string(secret);
            wire.run(command, &mut ()).await.map_err(|error| Failed::Wire(error, None))
        }
        Method::Sasl(mechanism) => {
            let mut exchange = Exchange::new(mechanism, login, endpoint);
            authenticate(wire, &mut exchange).await
        }
    }
}

async fn authenticate(wire: &mut Wire, exchange: &mut Exchange) -> Result<StatusLine, Failed> {
    let broken = |error| Failed::Wire(error, None);
    let mut command = Command::new("AUTHENTICATE").words(exchange.mechanism().name());
    let takes_initial = wire.capabilities().is_some_and(|c| c.has("SASL-IR"))
        && exchange.initial_length() <= MAX_INITIAL;
    if takes_initial && let Some(initial) = exchange.initial_response() {
        command = command.words(if initial.is_empty() { "=" } else { &initial });
    }
    let tag = wire.send(command, &mut ()).await.map_err(broken)?;
    loop {
        match wire.read_to(&tag, Continuation::Expected, &mut ()).await {
            Ok(Answer::Done(line)) => {
                exchange.finish(None).map_err(Failed::Exchange)?;
                return Ok(line);
            }
            Ok(Answer::Prompt(challenge)) => match exchange.respond(&challenge).await {
                Ok(response) => {
                    let line = Zeroizing::new([response.as_bytes(), b"\r\n"].concat());
                    wire.write(&line).await.map_err(broken)?;
                }
                Err(refused) => {
                    wire.write(b"*\r\n").await.map_err(broken)?;
                    // The answer to a cancelled exchange says nothing about the credential.
                    let _ = wire.read_to(&tag, Continuation::Unexpected, &mut ()).await;
                    return Err(Failed::Exchange(refused));
                }
            },
            Err(error) => {
                return Err(Failed::Wire(error, exchange.error_challenge().map(str::to_owned)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailfleet_model::Secret;

    use super::*;

    #[track_caller]
    fn check(capabilities: &str, protection: Protection, expect: Result<&str, FaultCode>) {
        let credential = Credential::Password(Secret::new(b"x".to_vec()));
        let capabilities = Capabilities::parse(capabilities.as_bytes());
        let got = choose(Leg::Imap, &credential, &capabilities, protection);
        assert_eq!(got.map(Method::name).map_err(|fault| fault.code), expect);
    }

    #[test]
    fn login_is_used_where_no_mechanism_is_named() {
        check("IMAP4rev1", Protection::Verified, Ok("LOGIN command"));
        check("IMAP4rev1 AUTH=GSSAPI", Protection::Verified, Ok("LOGIN command"));
        check("IMAP4rev1 AUTH=PLAIN LOGINDISABLED", Protection::Verified, Ok("PLAIN"));
        let unsupported = Err(FaultCode::AuthMechanismUnsupported);
        check("IMAP4rev1 LOGINDISABLED", Protection::Verified, unsupported);
        check("IMAP4rev1 AUTH=GSSAPI LOGINDISABLED", Protection::Accepted, unsupported);
    }

    #[test]
    fn nothing_that_shows_the_password_goes_out_in_plaintext() {
        let needs_tls = Err(FaultCode::AuthNeedsTls);
        check("IMAP4rev1", Protection::None, needs_tls);
        check("IMAP4rev1 LOGINDISABLED STARTTLS", Protection::None, needs_tls);
        check("IMAP4rev1 AUTH=PLAIN AUTH=LOGIN", Protection::None, needs_tls);
        check("IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5", Protection::None, Ok("CRAM-MD5"));
    }
}
