//! An SMTP session up to the login: greeting, EHLO, STARTTLS, and QUIT at its end.
//!
//! Whatever the server said before TLS is forgotten with it (RFC 3207 section 4.2).

use std::net::IpAddr;

use mailfleet_model::{Evidence, FactKind, Fault, FaultCode, Phase, StepKind};
use tokio::io::AsyncWriteExt;

use super::capability::Capabilities;
use super::wire::{Connection, Error, Reply};
use crate::classify::{ReplyPhase, Status};
use crate::dial::Route;
use crate::judge::{About, Asked, Judge};
use crate::leg::Scope;
use crate::lines;
use crate::opening::{Ungreeted, starttls_injected, starttls_refused};
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::stream::MailStream;

/// A dialogue with one SMTP server.
#[derive(Debug)]
pub(super) struct Session {
    /// `None` while and after TLS is negotiated without success, and inside content.
    pub(super) connection: Option<Connection>,
    pub(super) capabilities: Capabilities,
    pub(super) judge: Judge,
    greeting: Vec<u8>,
    route: Route,
    ehlo_name: String,
}

const EHLO: Asked =
    Asked { command: "EHLO", reply_phase: ReplyPhase::Capability, phase: Phase::Capability };
const HELO: Asked = Asked { command: "HELO", ..EHLO };
const STARTTLS: Asked =
    Asked { command: "STARTTLS", reply_phase: ReplyPhase::Starttls, phase: Phase::Starttls };

impl Session {
    /// Waits for the greeting.
    ///
    /// # Errors
    /// [`Stop`], with the connection closed.
    pub(super) async fn open(
        scope: &mut Scope<'_>,
        stream: MailStream,
        route: Route,
    ) -> Result<Self, Stop> {
        let mut judge = Judge::new(scope);
        let mut connection = Connection::new(stream);
        let listener = judge.clone();
        let read = async move {
            match connection.read().await {
                Ok(reply) if reply.code == 220 => {
                    let greeting = reply.lines.join(&b' ');
                    let words = listener.text(std::slice::from_ref(&greeting));
                    Ok(Done::new((connection, greeting)).detail(words))
                }
                Ok(reply) => {
                    // The server waits for it (RFC 5321 section 3.1); we do not wait.
                    let _ = connection.write(&[b"QUIT"]).await;
                    Err(Ungreeted::Trouble(refused(&listener, Asked::GREETING, &reply).into()))
                }
                Err(error) => Err(ungreeted(&listener, &error)),
            }
        };
        let (connection, greeting) = scope.greeting(route.clone(), read).await?;
        judge.hear(&greeting, &[]);
        let ehlo_name = ehlo_name(scope);
        let capabilities = Capabilities::default();
        let connection = Some(connection);
        Ok(Self { connection, capabilities, judge, greeting, route, ehlo_name })
    }

    /// Says EHLO, or HELO to a server that does not know it, and notes what is offered.
    ///
    /// # Errors
    /// [`Stop`] with the fault recorded.
    pub(super) async fn hello(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let limit =
            StepLimit { time: scope.probe.limits.capability, on_timeout: FaultCode::CheckTimeout };
        let found = scope.recorder.step(StepKind::Capability, limit, self.ask_hello()).await?;
        self.capabilities = found;
        self.judge.hear(&self.greeting, self.capabilities.lines());
        scope.recorder.report_mut().server_software = self.judge.software().cloned();
        Ok(())
    }

    async fn ask_hello(&mut self) -> Result<Done<Capabilities>, Trouble> {
        let ehlo = format!("EHLO {}", self.ehlo_name);
        let reply = self.ask(EHLO, ehlo.as_bytes()).await?;
        if reply.is_success() {
            let found = Capabilities::parse(&reply.lines);
            let words = found.lines().join(", ");
            return Ok(Done::new(found).detail(words));
        }
        // RFC 5321 section 3.2: a server that does not know EHLO may know HELO.
        if !matches!(reply.code, 500..=502 | 504) {
            return Err(refused(&self.judge, EHLO, &reply).into());
        }
        let helo = format!("HELO {}", self.ehlo_name);
        let reply = self.ask(HELO, helo.as_bytes()).await?;
        if reply.is_success() {
            Ok(Done::new(Capabilities::default()).detail("HELO only"))
        } else {
            Err(refused(&self.judge, HELO, &reply).into())
        }
    }

    /// Turns TLS on, and asks again what is offered.
    ///
    /// # Errors
    /// [`Stop`] with the fault recorded. Nothing is ever continued in plaintext.
    pub(super) async fn upgrade(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let limit =
            StepLimit { time: scope.probe.limits.capability, on_timeout: FaultCode::CheckTimeout };
        scope.recorder.step(StepKind::Starttls, limit, self.ask_starttls()).await?;
        self.capabilities = Capabilities::default();
        let socket = self.connection.take().and_then(|c| c.into_stream().into_plain());
        let socket = socket.expect("a session that asks for STARTTLS is in plaintext");
        let stream = scope.secure(socket, self.route.clone()).await?;
        self.connection = Some(Connection::new(stream));
        self.hello(scope).await
    }

    async fn ask_starttls(&mut self) -> Result<Done<()>, Trouble> {
        if !self.capabilities.has("STARTTLS") {
            return Err(self.judge.starttls_missing(self.capabilities.keywords()).into());
        }
        let reply = self.ask(STARTTLS, b"STARTTLS").await?;
        if reply.code != 220 {
            let judged = refused(&self.judge, STARTTLS, &reply);
            return Err(starttls_refused(judged, FaultCode::StarttlsRejected).into());
        }
        let leg = self.judge.leg();
        match self.connection()?.unread() {
            [] => Ok(Done::new(())),
            bytes => Err(starttls_injected(leg, bytes).into()),
        }
    }

    /// Sends a command and reads the reply, whatever it is.
    ///
    /// # Errors
    /// [`Trouble`] if there is none.
    pub(super) async fn ask(&mut self, asked: Asked, command: &[u8]) -> Result<Reply, Trouble> {
        let result = self.connection()?.command(command).await;
        result.map_err(|error| self.give_up(asked, &error))
    }

    /// Drops a connection that cannot be spoken on any more.
    pub(super) fn give_up(&mut self, asked: Asked, error: &Error) -> Trouble {
        self.connection = None;
        broken(&self.judge, asked.phase, error).into()
    }

    /// The connection while there is one.
    ///
    /// # Errors
    /// [`Trouble`] if it was given up.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Trouble> {
        let leg = self.judge.leg();
        let gone = || Trouble::from(Fault::new(FaultCode::ConnectionClosedEarly, leg));
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Says QUIT and closes, where a command can still be understood.
    pub(super) async fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(mut connection) = self.connection.take() else { return };
        let work = async {
            // Whether the server answers no longer matters; replies that are still due
            // come first.
            if connection.write(&[b"QUIT"]).await.is_ok() {
                while connection.read().await.is_ok_and(|reply| reply.code != 221) {}
            }
            let _ = connection.stream_mut().shutdown().await;
        };
        scope.goodbye(work).await;
    }
}

/// The fault for a negative reply.
pub(super) fn refused(judge: &Judge, asked: Asked, reply: &Reply) -> Fault {
    judge.refusal(asked.reply_phase, Status::Smtp(reply.code), &reply.lines, asked.about())
}

/// The fault for a command that has no reply.
pub(super) fn broken(judge: &Judge, phase: Phase, error: &Error) -> Fault {
    match error {
        Error::Wire { error: lines::Error::Closed { partial }, said } => {
            let words = [said.as_slice(), std::slice::from_ref(partial)].concat();
            judge.closed(phase, &words)
        }
        Error::Wire { error, .. } => judge.broken(phase, error),
        Error::Foreign(line) => {
            judge.unreadable(phase, "The server's answer is no SMTP reply.", line)
        }
        Error::Endless(start) => judge.unreadable(phase, "The server's reply has no end.", start),
    }
}

/// The first words were none, or not those of an SMTP server.
fn ungreeted(judge: &Judge, error: &Error) -> Ungreeted {
    match error {
        Error::Wire { error: lines::Error::Closed { partial }, said }
            if partial.is_empty() && said.is_empty() =>
        {
            Ungreeted::ClosedSilently(broken(judge, Phase::Greeting, error))
        }
        Error::Foreign(line)
        | Error::Wire { error: lines::Error::LineTooLong { start: line }, .. } => {
            let words = std::slice::from_ref(line);
            let (phase, status) = (ReplyPhase::Greeting, Status::Unrecognised);
            Ungreeted::Trouble(judge.refusal(phase, status, words, About::default()).into())
        }
        Error::Wire { .. } | Error::Endless(_) => {
            Ungreeted::Trouble(broken(judge, Phase::Greeting, error).into())
        }
    }
}

/// Our name in EHLO: configured, or the address literal of the connection
/// (RFC 5321 section 4.1.3).
fn ehlo_name(scope: &Scope<'_>) -> String {
    match (&scope.probe.identity.ehlo_name, scope.recorder.report().egress_ip) {
        (Some(name), _) => name.clone(),
        (None, Some(IpAddr::V6(ip))) => format!("[IPv6:{ip}]"),
        (None, Some(IpAddr::V4(ip))) => format!("[{ip}]"),
        (None, None) => "[127.0.0.1]".to_owned(),
    }
}

/// Evidence that holds one remark.
pub(super) fn remark(text: &str) -> Evidence {
    Evidence::default().with(FactKind::Note, text)
}
