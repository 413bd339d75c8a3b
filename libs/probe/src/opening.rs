//! What all three protocols do alike before and after their own dialogue: wait for the
//! server's first words, ask for TLS, take turns with the other leg at the login, and
//! take their leave.
//!
//! Apart from the sessions, so that silence, injection and stripping are judged in one
//! way. It reads no replies. STARTTLS rules: RFC 3207, RFC 2595, RFC 9051 section
//! 6.2.1, and <https://nostarttls.secvuln.info>.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::{
    Endpoint, Evidence, FactKind, Fault, FaultCode, Leg, Phase, Security, StepKind, Suggestion,
};
use tokio::time::timeout;

use crate::classify::login_outcome;
use crate::companion::Permission;
use crate::dial::Route;
use crate::hints;
use crate::leg::Scope;
use crate::recorder::{Done, StepLimit, Stop, Trouble};
use crate::tls;

/// Time to find out whether a silent port expects TLS.
const EXPLAIN: Duration = Duration::from_secs(10);

/// Longest silence that is waited out in plaintext on the port that is meant for TLS from
/// the first byte, before another connection asks: behind TLS nothing comes in plaintext,
/// however long one waits. Not shorter, since the rare server that does speak plaintext
/// there may look up our name first.
const SILENT_TLS_PORT: Duration = Duration::from_secs(15);

/// Why there was no greeting.
#[derive(Debug)]
pub(crate) enum Ungreeted {
    /// The server closed the connection without a byte; the fault says so.
    ClosedSilently(Fault),
    /// It said something that is no welcome.
    Trouble(Trouble),
}

/// Whether a credential, or a proof of it, went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing that the server could check.
    No,
    /// It went out once.
    Yes,
}

impl Scope<'_> {
    /// Waits for the server's first words.
    ///
    /// `read` owns the connection: where the server keeps silent on a plaintext port,
    /// it is dropped before another socket asks whether TLS was expected.
    ///
    /// # Errors
    /// [`Stop`] with the fault recorded.
    pub(crate) async fn greeting<T>(
        &mut self,
        route: Route,
        read: impl Future<Output = Result<Done<T>, Ungreeted>>,
    ) -> Result<T, Stop> {
        let Self { probe, spec, recorder, .. } = self;
        let leg = recorder.leg();
        let patience = on_port(&spec.endpoint, probe.limits.greeting_within(recorder.remaining()));
        // Some of the budget stays, so that silence is reported as what it is.
        let room = recorder.remaining().saturating_sub(patience).mul_f32(0.8);
        let limit = StepLimit {
            time: patience.saturating_add(EXPLAIN),
            on_timeout: FaultCode::GreetingTimeout,
        };
        let work = async {
            let silence = match timeout(patience, read).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Ungreeted::Trouble(trouble))) => return Err(trouble),
                Ok(Err(Ungreeted::ClosedSilently(fault))) => fault,
                Err(_elapsed) => greeting_timeout(leg, patience),
            };
            if spec.endpoint.security == Security::Tls {
                return Err(silence.into());
            }
            match tls::explain_silence(&spec.endpoint, leg, route, room.min(EXPLAIN)).await {
                Some(explained) => {
                    let tls::Explanation { faults, suggestions, .. } = explained;
                    Err(Trouble { faults, suggestions })
                }
                None => Err(silence.into()),
            }
        };
        recorder.step(StepKind::Greeting, limit, work).await
    }

    /// Where the port speaks another protocol or cannot be encrypted, sees whether the right
    /// one answers in TLS at its usual port. For the end of a leg: its connection is closed.
    /// Sends no credential; running out of time only means no suggestion.
    pub(crate) async fn suggest_usual_port(&mut self) {
        const OPEN_TO_ANOTHER_PORT: [FaultCode; 4] = [
            FaultCode::WrongProtocol,
            FaultCode::TlsNotOffered,
            FaultCode::StarttlsStripped,
            FaultCode::StarttlsRejected,
        ];
        let Self { probe, spec, recorder, .. } = self;
        let Some(route) = self.route.clone() else { return };
        let usual = spec.endpoint.protocol.default_port(Security::Tls);
        let report = recorder.report();
        let may_ask = report.faults.iter().any(|fault| OPEN_TO_ANOTHER_PORT.contains(&fault.code))
            && report.suggestions.iter().all(|found| found.endpoint.is_none())
            && !recorder.is_cancelled()
            && probe.targets.permits(SocketAddr::new(route.address.ip(), usual));
        if !may_ask {
            return;
        }
        // The other leg has nothing to wait for any more.
        self.companion.end();
        let budget = EXPLAIN.min(recorder.remaining());
        let cancel = recorder.cancel_token().clone();
        let leg = recorder.leg();
        let found = tokio::select! {
            found = tls::suggest_port(&spec.endpoint, usual, leg, route, budget) => found,
            () = cancel.cancelled() => None,
        };
        recorder.suggest(found);
    }

    /// Waits for the turn to log in, where the other leg uses the same login.
    ///
    /// # Errors
    /// [`Stop`] if the other leg just saw this login refused (recorded as
    /// `LEG_NOT_TRIED`), or if the caller gave up.
    pub(crate) async fn turn_to_log_in(&mut self) -> Result<(), Stop> {
        let cancel = self.recorder.cancel_token().clone();
        let remaining = self.recorder.remaining();
        let permission = tokio::select! {
            biased;
            permission = timeout(remaining, self.companion.may_log_in()) => permission,
            () = cancel.cancelled() => return Err(Stop),
        };
        match permission {
            // When the budget is over, the next step says so.
            Ok(Permission::Go) | Err(_) => Ok(()),
            Ok(Permission::KeepBack(code)) => {
                let note = format!("The other leg just saw this login refused ({code}).");
                self.recorder.skip(StepKind::Login, &note);
                let evidence = Evidence::default().with(FactKind::Note, note);
                let fault = Fault::new(FaultCode::LegNotTried, self.recorder.leg());
                self.recorder.note([fault.with_evidence(evidence)]);
                Err(Stop)
            }
        }
    }

    /// Notes what came of the login, for the report and for the other leg, and how it went
    /// wrong. `sent` says whether the credential, or a proof of it, went out.
    pub(crate) fn login_ended(&mut self, result: Result<(), Stop>, sent: Sent) {
        let faults = self.recorder.report().faults.iter();
        let fault = faults.rev().find(|fault| fault.phase == Phase::Auth);
        let (outcome, code) = match (result, sent, fault) {
            (Ok(()), _, _) => (LoginOutcome::Accepted, None),
            (Err(Stop), Sent::No, _) => (LoginOutcome::NotTried, None),
            (Err(Stop), Sent::Yes, Some(fault)) => (login_outcome(fault), Some(fault.code)),
            // Cancelled, or the connection was lost meanwhile.
            (Err(Stop), Sent::Yes, None) => (LoginOutcome::Undecided, None),
        };
        let hints = match (result, fault) {
            (Err(Stop), Some(fault)) => hints::after_refusal(&self.spec.login, fault),
            (Ok(()), _) | (Err(Stop), None) => Vec::new(),
        };
        self.recorder.suggest(hints);
        self.recorder.report_mut().login = outcome;
        self.companion.login_answered(outcome, code);
    }

    /// Takes leave: also after a cancel and at the end of the budget, so that no session
    /// lingers on the server. Whatever comes of it is no fault.
    pub(crate) async fn goodbye(&mut self, work: impl Future<Output = ()>) {
        let limit = self.probe.limits.goodbye;
        self.recorder.closing_step(StepKind::Cleanup, limit, work).await;
    }
}

/// The fault for a plaintext port that offers no TLS: stripped on the way if the keyword
/// stands there overwritten, as firewalls leave it.
pub(crate) fn starttls_missing<'a>(leg: Leg, keywords: impl IntoIterator<Item = &'a str>) -> Fault {
    let masked = keywords.into_iter().find(|keyword| is_masked(keyword));
    match masked {
        Some(keyword) => {
            let note = format!("Where STARTTLS belongs, the server's answer holds {keyword}.");
            let evidence = Evidence::default().with(FactKind::Note, note);
            Fault::new(FaultCode::StarttlsStripped, leg).with_evidence(evidence)
        }
        None => Fault::new(FaultCode::TlsNotOffered, leg),
    }
}

/// `XXXXXXXA` and the like: Cisco's `fixup protocol smtp` writes over each letter.
fn is_masked(keyword: &str) -> bool {
    let letters = keyword.bytes().filter(|byte| *byte == b'X').count();
    (7..=10).contains(&keyword.len()) && letters >= keyword.len().saturating_sub(1)
}

/// Whatever the reason for refusing STARTTLS, there is no TLS, which `code` says; unless the
/// whole server is out of service, in which case that is what is wrong.
pub(crate) fn starttls_refused(judged: Fault, code: FaultCode) -> Fault {
    match judged.code {
        FaultCode::ServerUnavailable => judged,
        _ => Fault::new(code, judged.leg).with_evidence(judged.evidence),
    }
}

/// The fault for bytes that came behind the server's consent to TLS and before it: what
/// an attacker puts there would be taken as said inside TLS.
pub(crate) fn starttls_injected(leg: Leg, bytes: &[u8]) -> Fault {
    let mut evidence = Evidence::default();
    let start: Vec<u8> = bytes.iter().take(512).copied().collect();
    evidence.server_text = Some(String::from_utf8_lossy(&start).into_owned());
    Fault::new(FaultCode::StarttlsInjection, leg).with_evidence(evidence)
}

/// The same port with STARTTLS, which the server has just offered there.
pub(crate) fn with_starttls(endpoint: &Endpoint, leg: Leg) -> Suggestion {
    Suggestion {
        leg,
        endpoint: Some(Endpoint { security: Security::Starttls, ..endpoint.clone() }),
        reason: SuggestionReason::PortExpectsStarttls,
        proof: SuggestionProof::Probed,
        help_url: None,
    }
}

/// How long to wait for the greeting on this endpoint's port.
fn on_port(endpoint: &Endpoint, patience: Duration) -> Duration {
    let is_for_tls = endpoint.port == endpoint.protocol.default_port(Security::Tls);
    if is_for_tls && endpoint.security != Security::Tls {
        patience.min(SILENT_TLS_PORT)
    } else {
        patience
    }
}

fn greeting_timeout(leg: Leg, waited: Duration) -> Fault {
    let words = format!("{} s", waited.as_secs().max(1));
    let evidence = Evidence::default().with(FactKind::Elapsed, words);
    Fault::new(FaultCode::GreetingTimeout, leg).with_evidence(evidence)
}

#[cfg(test)]
mod tests {
    use mailfleet_model::Protocol;

    use super::*;

    #[test]
    fn silence_is_asked_about_sooner_on_a_port_that_is_meant_for_tls() {
        let seconds = |text: &str| {
            let endpoint = Endpoint::parse(Protocol::Imap, text).expect("an endpoint");
            on_port(&endpoint, Duration::from_secs(35)).as_secs()
        };
        assert_eq!(seconds("mail.example.com:993/plain"), 15);
        assert_eq!(seconds("mail.example.com:993/starttls"), 15);
        assert_eq!(seconds("mail.example.com:993/tls"), 35);
        assert_eq!(seconds("mail.example.com:143/starttls"), 35);
        assert_eq!(seconds("mail.example.com:465/plain"), 35);
    }

    #[test]
    fn an_overwritten_keyword_is_told_from_a_missing_one() {
        let code = |words: &str| starttls_missing(Leg::Smtp, words.split(' ')).code;
        assert_eq!(code("SIZE XXXXXXXA 8BITMIME"), FaultCode::StarttlsStripped);
        assert_eq!(code("XXXXXXXX"), FaultCode::StarttlsStripped);
        assert_eq!(code("SIZE XCLIENT XFORWARD X-EXPS"), FaultCode::TlsNotOffered);
        assert_eq!(code(""), FaultCode::TlsNotOffered);
    }
}
