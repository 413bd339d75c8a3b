//! A POP3 session: greeting, CAPA, STLS and QUIT, and how its troubles are judged.
//!
//! Whatever the server said before TLS is forgotten with it (RFC 2595 section 4).

use std::time::Duration;

use mailfleet_model::{Fault, FaultCode, Phase, Security, StepKind};
use tokio::io::AsyncWriteExt;

use super::capability::Capabilities;
use super::login;
use super::wire::{Connection, Error, Status};
use crate::classify::{ReplyPhase, Status as Kind};
use crate::dial::Route;
use crate::judge::{About, Asked, Judge};
use crate::leg::Scope;
use crate::lines;
use crate::opening::{Ungreeted, starttls_injected, starttls_refused};
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::stream::MailStream;

/// Most lines of CAPA that are kept; real servers send up to 20.
const MAX_CAPABILITIES: usize = 100;

/// A dialogue with one POP3 server.
#[derive(Debug)]
pub(crate) struct Session {
    /// `None` once it was given up.
    connection: Option<Connection>,
    pub(super) capabilities: Capabilities,
    pub(super) judge: Judge,
    greeting: Vec<u8>,
    route: Route,
}

const CAPA: Asked =
    Asked { command: "CAPA", reply_phase: ReplyPhase::Capability, phase: Phase::Capability };
const STLS: Asked =
    Asked { command: "STLS", reply_phase: ReplyPhase::Starttls, phase: Phase::Starttls };

impl Session {
    /// Connects and logs in. Takes leave by itself where that fails.
    ///
    /// # Errors
    /// [`Stop`] with the fault recorded.
    pub(crate) async fn logged_in(scope: &mut Scope<'_>) -> Result<Self, Stop> {
        let (stream, route) = scope.open().await?;
        let mut session = Self::open(scope, stream, route).await?;
        match session.prepare(scope).await {
            Ok(()) => Ok(session),
            Err(Stop) => {
                session.close(scope).await;
                Err(Stop)
            }
        }
    }

    async fn prepare(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        self.ask_capabilities(scope).await?;
        match scope.spec.endpoint.security {
            Security::Starttls => self.upgrade(scope).await?,
            Security::Tls | Security::Plain => {}
        }
        login::log_in(scope, self).await
    }

    async fn open(scope: &mut Scope<'_>, stream: MailStream, route: Route) -> Result<Self, Stop> {
        let mut judge = Judge::new(scope);
        let mut connection = Connection::new(stream);
        let listener = judge.clone();
        let read = async move {
            match connection.read().await {
                Ok(Status::Ok(greeting)) => {
                    let words = listener.text(std::slice::from_ref(&greeting));
                    Ok(Done::new((connection, greeting)).detail(words))
                }
                Ok(Status::Err(words)) => {
                    Err(Ungreeted::Trouble(refused(&listener, Asked::GREETING, words).into()))
                }
                Ok(Status::Challenge(words)) => Err(foreign(&listener, &words)),
                Err(error) => Err(ungreeted(&listener, &error)),
            }
        };
        let (connection, greeting) = scope.greeting(route.clone(), read).await?;
        judge.hear(&greeting, &[]);
        let capabilities = Capabilities::default();
        Ok(Self { connection: Some(connection), capabilities, judge, greeting, route })
    }

    async fn ask_capabilities(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let limit =
            StepLimit { time: scope.probe.limits.capability, on_timeout: FaultCode::CheckTimeout };
        let found = scope.recorder.step(StepKind::Capability, limit, self.capa()).await?;
        self.capabilities = found;
        self.judge.hear(&self.greeting, &self.capabilities.lines);
        scope.recorder.report_mut().server_software = self.judge.software().cloned();
        Ok(())
    }

    async fn capa(&mut self) -> Result<Done<Capabilities>, Trouble> {
        match self.ask(CAPA, b"CAPA").await? {
            Status::Ok(_) => {
                let listing = self.listing(CAPA, MAX_CAPABILITIES).await?;
                let found = Capabilities::parse(&listing.lines);
                let words = found.lines.join(", ");
                Ok(Done::new(found).detail(words))
            }
            Status::Err(_) | Status::Challenge(_) => {
                Ok(Done::new(Capabilities::default()).detail("no CAPA"))
            }
        }
    }

    async fn upgrade(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let limit =
            StepLimit { time: scope.probe.limits.capability, on_timeout: FaultCode::CheckTimeout };
        scope.recorder.step(StepKind::Starttls, limit, self.ask_stls()).await?;
        self.capabilities = Capabilities::default();
        let socket = self.connection.take().and_then(|c| c.into_stream().into_plain());
        let socket = socket.expect("a session that asks for STLS is in plaintext");
        let stream = scope.secure(socket, self.route.clone()).await?;
        self.connection = Some(Connection::new(stream));
        self.ask_capabilities(scope).await
    }

    async fn ask_stls(&mut self) -> Result<Done<()>, Trouble> {
        let leg = self.judge.leg();
        // A server without CAPA may know STLS all the same: it is asked.
        if !self.capabilities.has("STLS") && !self.capabilities.lines.is_empty() {
            return Err(self.judge.starttls_missing(self.capabilities.keywords()).into());
        }
        match self.ask(STLS, b"STLS").await? {
            Status::Ok(_) => match self.connection()?.unread() {
                [] => Ok(Done::new(())),
                bytes => Err(starttls_injected(leg, bytes).into()),
            },
            Status::Err(words) | Status::Challenge(words) => {
                let judged = refused(&self.judge, STLS, words);
                let code = if self.capabilities.lines.is_empty() {
                    FaultCode::TlsNotOffered
                } else {
                    FaultCode::StarttlsRejected
                };
                Err(starttls_refused(judged, code).into())
            }
        }
    }

    /// Sends a command and reads the status, whatever it is.
    ///
    /// # Errors
    /// [`Trouble`] if there is none.
    pub(super) async fn ask(&mut self, asked: Asked, command: &[u8]) -> Result<Status, Trouble> {
        let result = self.connection()?.command(command).await;
        result.map_err(|error| self.give_up(asked, &error))
    }

    /// Reads a listing; see [`Connection::listing`].
    ///
    /// # Errors
    /// [`Trouble`] if it has no good end.
    pub(super) async fn listing(
        &mut self,
        asked: Asked,
        keep: usize,
    ) -> Result<super::wire::Listing, Trouble> {
        let result = self.connection()?.listing(keep).await;
        result.map_err(|error| self.give_up(asked, &error))
    }

    fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        let leg = self.judge.leg();
        let gone = || Trouble::from(Fault::new(FaultCode::ConnectionClosedEarly, leg));
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Drops a connection that cannot be spoken on any more.
    fn give_up(&mut self, asked: Asked, error: &Error) -> Trouble {
        self.connection = None;
        broken(&self.judge, asked.phase, error).into()
    }

    /// The shortest time between logins that the server wants.
    pub(crate) fn login_delay(&self) -> Duration {
        self.capabilities.login_delay()
    }

    /// Says QUIT and closes. Marks nothing as deleted, so QUIT changes nothing.
    pub(crate) async fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(mut connection) = self.connection.take() else { return };
        let work = async {
            // Whether and how the server answers no longer matters.
            if connection.write(b"QUIT").await.is_ok() {
                let _ = connection.read().await;
            }
            let _ = connection.stream_mut().shutdown().await;
        };
        scope.goodbye(work).await;
    }
}

/// The fault for a negative reply.
pub(super) fn refused(judge: &Judge, asked: Asked, words: Vec<u8>) -> Fault {
    judge.refusal(asked.reply_phase, Kind::Err, &[words], asked.about())
}

fn broken(judge: &Judge, phase: Phase, error: &Error) -> Fault {
    match error {
        Error::Wire(error) => judge.broken(phase, error),
        Error::Foreign(line) => {
            judge.unreadable(phase, "The server's answer is no POP3 reply.", line)
        }
        Error::Endless => judge.unreadable(phase, "The server's listing has no end.", &[]),
    }
}

/// The first words were none, or not those of a POP3 server.
fn ungreeted(judge: &Judge, error: &Error) -> Ungreeted {
    match error {
        Error::Wire(lines::Error::Closed { partial }) if partial.is_empty() => {
            Ungreeted::ClosedSilently(broken(judge, Phase::Greeting, error))
        }
        Error::Foreign(line) | Error::Wire(lines::Error::LineTooLong { start: line }) => {
            foreign(judge, line)
        }
        Error::Wire(_) | Error::Endless => {
            Ungreeted::Trouble(broken(judge, Phase::Greeting, error).into())
        }
    }
}

fn foreign(judge: &Judge, line: &[u8]) -> Ungreeted {
    let (phase, status) = (ReplyPhase::Greeting, Kind::Unrecognised);
    Ungreeted::Trouble(judge.refusal(phase, status, &[line.to_vec()], About::default()).into())
}
