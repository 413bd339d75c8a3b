//! Turns what a server did into faults: refusals, broken connections, foreign protocols.
//!
//! Shared by the sessions, so that all of them redact before they judge and say the
//! same about the same trouble. It knows what the leg has learnt of the server so far
//! (provider, software) and nothing of the dialogue. The rules are `classify`'s.

use std::io;
use std::sync::Arc;

use mailfleet_model::leg::ServerSoftware;
use mailfleet_model::{Confidence, Evidence, FactKind, Fault, FaultCode, Leg, Phase, Protocol};

use crate::classify::{CredentialKind, Refusal, ReplyPhase, Status, classify};
use crate::leg::Scope;
use crate::lines;
use crate::opening::starttls_missing;
use crate::provider::{self, Provider, StarttlsOffer};
use crate::redact::Redactor;
use crate::reply;
use crate::sasl::Refused;
use crate::software;
use crate::tls;

/// What is known about a refused command beside the server's words.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    /// The command without arguments.
    pub(crate) command: Option<&'a str>,
    /// The login mechanism.
    pub(crate) mechanism: Option<&'a str>,
    /// The error challenge of a refused token, decoded.
    pub(crate) challenge: Option<&'a str>,
}

/// A command of SMTP or POP3, to judge a refusal of it by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// The command without arguments.
    pub(crate) command: &'static str,
    /// Its moment for the classification.
    pub(crate) reply_phase: ReplyPhase,
    /// Its moment for the report.
    pub(crate) phase: Phase,
}

impl Asked {
    /// Nothing yet: the server speaks first.
    pub(crate) const GREETING: Self =
        Self { command: "connect", reply_phase: ReplyPhase::Greeting, phase: Phase::Greeting };
    /// Any part of a SASL exchange.
    pub(crate) const AUTH: Self =
        Self { command: "AUTH", reply_phase: ReplyPhase::Auth, phase: Phase::Auth };

    /// What the evidence says about it.
    pub(crate) fn about(self) -> About<'static> {
        About { command: Some(self.command), ..About::default() }
    }
}

/// Judges one server in one leg.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    leg: Leg,
    protocol: Protocol,
    host: String,
    credential: CredentialKind,
    redactor: Arc<Redactor>,
    provider: Option<&'static Provider>,
    software: Option<ServerSoftware>,
}

impl Judge {
    /// A judge who has heard nothing yet.
    pub(crate) fn new(scope: &Scope<'_>) -> Self {
        let host = scope.spec.endpoint.host.to_string();
        Self {
            leg: scope.recorder.leg(),
            protocol: scope.spec.endpoint.protocol,
            provider: provider::provider_for(&host, None),
            host,
            credential: CredentialKind::from(&*scope.spec.login.credential),
            redactor: scope.recorder.redactor(),
            software: None,
        }
    }

    /// The leg that faults are made for.
    pub(crate) fn leg(&self) -> Leg {
        self.leg
    }

    /// Learns from the greeting and the capabilities who the server is.
    pub(crate) fn hear(&mut self, greeting: &[u8], capabilities: &[String]) {
        let greeting = reply::decode(greeting);
        self.provider = provider::provider_for(&self.host, Some(&greeting));
        self.software = software::software(&greeting, capabilities, &[]);
    }

    /// Learns what the server says about itself later, such as in its IMAP ID.
    pub(crate) fn learn(&mut self, software: ServerSoftware) {
        self.software = Some(software);
    }

    /// The mailbox provider, if it is known.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        self.provider
    }

    /// What the server runs, if it can be told.
    pub(crate) fn software(&self) -> Option<&ServerSoftware> {
        self.software.as_ref()
    }

    /// Judges a negative reply. `words` are its lines as bytes, without reply codes.
    pub(crate) fn refusal(
        &self,
        phase: ReplyPhase,
        status: Status,
        words: &[Vec<u8>],
        about: About<'_>,
    ) -> Fault {
        let text = self.text(words);
        let challenge = about.challenge.map(|text| self.clean(text));
        classify(&Refusal {
            leg: self.leg,
            protocol: self.protocol,
            phase,
            status,
            text: &text,
            credential: self.credential,
            mechanism: about.mechanism,
            challenge: challenge.as_deref(),
            command: about.command,
            provider: self.provider,
            software: self.software.as_ref(),
        })
    }

    /// We ended a SASL exchange ourselves; the server's last words are kept all the same.
    pub(crate) fn given_up(&self, reason: Refused, mechanism: &str, words: &[Vec<u8>]) -> Fault {
        let mut evidence = Evidence::default().with(FactKind::Note, reason.words());
        evidence.server_text = Some(self.text(words));
        evidence.command = Some(Asked::AUTH.command.to_owned());
        evidence.mechanism = Some(mechanism.to_owned());
        let fault = Fault::new(FaultCode::ProtocolError, self.leg);
        fault.at(Asked::AUTH.phase).with_evidence(evidence)
    }

    /// Judges an end of the connection that is no reply.
    pub(crate) fn broken(&self, phase: Phase, error: &lines::Error) -> Fault {
        match error {
            lines::Error::Closed { partial } => self.closed(phase, std::slice::from_ref(partial)),
            lines::Error::LineTooLong { start } => {
                self.unreadable(phase, "The server sent a line without an end.", start)
            }
            lines::Error::TooManyBytes => {
                self.unreadable(phase, "The server sent more than a session may hold.", &[])
            }
            lines::Error::Control => Fault::new(FaultCode::InputInvalid, self.leg).at(phase),
            lines::Error::Io(error) => self.io(phase, error),
        }
    }

    /// The server closed the connection in the middle of things; `words` came before.
    pub(crate) fn closed(&self, phase: Phase, words: &[Vec<u8>]) -> Fault {
        let mut evidence = Evidence::default();
        let text = self.text(words);
        let silent = text.trim().is_empty();
        evidence.server_text = (!silent).then_some(text);
        let fault = Fault::new(FaultCode::ConnectionClosedEarly, self.leg).at(phase);
        // Courier at its limit of connections, and hosts that know our address as bad,
        // close without a greeting: that it happened is certain, and why is not.
        let fault = if silent && phase == Phase::Greeting {
            let causes = [FaultCode::TooManyConnections, FaultCode::EgressIpBlocked];
            fault.but_maybe(Confidence::Likely, causes)
        } else {
            fault
        };
        fault.with_evidence(evidence)
    }

    /// Judges an error of the operating system or of TLS.
    pub(crate) fn io(&self, phase: Phase, error: &io::Error) -> Fault {
        if let Some(fault) = tls::fault_of_read_error(error, self.leg) {
            return fault;
        }
        let evidence = Evidence::default().with(FactKind::Note, format!("{}.", error.kind()));
        Fault::new(FaultCode::ConnectionClosedEarly, self.leg).at(phase).with_evidence(evidence)
    }

    /// The server broke a bound or the grammar of its protocol.
    pub(crate) fn unreadable(&self, phase: Phase, note: &str, start: &[u8]) -> Fault {
        let mut evidence = Evidence::default().with(FactKind::Note, note);
        let text = self.text(&[start.to_vec()]);
        evidence.server_text = (!text.is_empty()).then_some(text);
        Fault::new(FaultCode::ProtocolError, self.leg).at(phase).with_evidence(evidence)
    }

    /// The fault for a plaintext port without STARTTLS: where the provider always has it,
    /// somebody on the way took it out.
    pub(crate) fn starttls_missing<'a>(
        &self,
        keywords: impl IntoIterator<Item = &'a str>,
    ) -> Fault {
        if self.provider.is_some_and(|provider| provider.starttls == StarttlsOffer::Always) {
            return Fault::new(FaultCode::StarttlsStripped, self.leg);
        }
        starttls_missing(self.leg, keywords)
    }

    /// The lines as text: decoded, redacted, separated by `\n`.
    pub(crate) fn text(&self, words: &[Vec<u8>]) -> String {
        let text = reply::decode(&words.join(&b'\n'));
        text.lines().map(|line| self.clean(line)).collect::<Vec<_>>().join("\n")
    }

    fn clean(&self, text: &str) -> String {
        self.redactor.clean(text, reply::MAX_LOOKED_AT)
    }
}
