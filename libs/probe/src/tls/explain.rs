//! What a handshake that gave no session means for the mailbox, and what silence means on
//! a port that should have greeted.
//!
//! The failure itself says little: "handshake failure" covers old versions, old suites
//! and a missing certificate alike. So the server is asked again, on sockets of its own,
//! opened one at a time after the first one is closed, without any credential.

use std::time::{Duration, SystemTime};

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::fault::Retry;
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::tls::{CertificatePolicy, TlsFacts, TlsPolicy};
use mailfleet_model::{
    Confidence, Endpoint, Fault, FaultCode, Leg, Protocol, Security, Suggestion,
};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::alert::{self, Meaning};
use super::banner::{self, Speaks};
use super::dialogue::{self, Offer};
use super::failure::{Cause, Failure, with_alert};
use super::handshake::{Handshake, Wanted, handshake};
use super::hello::{self, Choice, Kind, Version};
use super::prober::{self, Survey};
use super::trust::Trust;
use crate::dial::Route;

/// Longest time for all further questions to a server.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Time for the greeting inside TLS, which only confirms what the handshake has shown.
const GREETING_TIME: Duration = Duration::from_secs(3);
/// Smallest Diffie-Hellman group that is not weak, in bits. RFC 9325 section 4.1.
const MIN_GROUP_BITS: usize = 2048;
/// Pause before another try, where the connection just broke.
const BROKEN: Retry =
    Retry::Backoff { min: Duration::from_secs(60), max: Duration::from_secs(1800) };

/// What a failed handshake, or silence, means.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What was learnt of TLS on the way; `None` if the server does not speak it there.
    pub facts: Option<TlsFacts>,
    /// What is wrong, the weightiest first; never empty.
    pub faults: Vec<Fault>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
}

impl Explanation {
    fn of(facts: Option<TlsFacts>, fault: Fault) -> Self {
        Self { facts, faults: vec![fault], suggestions: Vec::new() }
    }
}

/// Explains a failed handshake. The connection that failed must be closed.
///
/// Opens up to four further connections, in `budget` and in 10 s at most. Dropping the
/// future closes what is open.
pub async fn explain(
    failure: Failure,
    asked: &Endpoint,
    leg: Leg,
    route: Route,
    budget: Duration,
) -> Explanation {
    let deadline = Instant::now() + budget.min(MAX_TIME);
    if let Cause::NotTls(first) = &failure.cause {
        return plaintext(first, asked, leg, &route, deadline).await;
    }
    let fault = plain(&failure, leg);
    let fault = if is_worth_asking(&failure) {
        match prober::survey(asked, &route, deadline).await {
            Survey::Chosen(choice) => surveyed(choice, &failure, fault),
            Survey::Nothing => fault,
        }
    } else {
        fault
    };
    Explanation::of(Some(failure.facts), fault)
}

/// Explains why nothing came on a port that should greet in plaintext: does it wait for
/// TLS? `None` if it does not, or that cannot be told.
///
/// Opens one further connection, in `budget` and in 10 s at most. Dropping the future
/// closes it.
pub async fn explain_silence(
    asked: &Endpoint,
    leg: Leg,
    route: Route,
    budget: Duration,
) -> Option<Explanation> {
    let limit = budget.min(MAX_TIME);
    let deadline = Instant::now() + limit;
    let stream = route.redial(limit).await.ok()?;
    // Whether the certificate is good is the next check's business.
    let trust = Trust::only([]).ok()?;
    let policy =
        TlsPolicy { certificates: CertificatePolicy::AllowInsecure, ..TlsPolicy::default() };
    let wanted = Wanted { host: &asked.host, policy: &policy, leg, now: SystemTime::now() };
    match timeout_at(deadline, handshake(&trust, &wanted, stream)).await.ok()? {
        Handshake::Established { mut stream, facts, .. } => {
            let mut first = [0; 512];
            let time = GREETING_TIME.min(deadline.saturating_duration_since(Instant::now()));
            let read = timeout(time, stream.read(&mut first)).await;
            let read = read.ok().and_then(Result::ok).unwrap_or(0);
            Some(expects_tls(first.get(..read).unwrap_or_default(), facts, asked, leg))
        }
        Handshake::Failed(Failure { cause: Cause::Alert(number), facts, .. }) => {
            let evidence = with_alert(Evidence::default(), number);
            let fault = Fault::new(FaultCode::TlsModeMismatchImplicit, leg).with_evidence(evidence);
            Some(Explanation::of(Some(facts), fault))
        }
        Handshake::Failed(Failure { cause: Cause::Incompatible(_), facts, .. }) => {
            let fault = Fault::new(FaultCode::TlsModeMismatchImplicit, leg);
            Some(Explanation::of(Some(facts), fault))
        }
        Handshake::Failed(_) | Handshake::Rejected { .. } => None,
    }
}

/// A port spoke TLS at once where plaintext was expected.
fn expects_tls(first: &[u8], facts: TlsFacts, asked: &Endpoint, leg: Leg) -> Explanation {
    let speaks = banner::recognise(first);
    if let Some(name) = other_than(asked.protocol, speaks) {
        return Explanation::of(Some(facts), wrong_protocol(name, first, leg));
    }
    let evidence = Evidence { server_text: banner::text(first), ..Evidence::default() }
        .with(FactKind::SuggestedSecurity, Security::Tls.to_string())
        .with(FactKind::SuggestedPort, asked.port.to_string());
    let fault = Fault::new(FaultCode::TlsModeMismatchImplicit, leg).with_evidence(evidence);
    let reason = SuggestionReason::PortExpectsTls;
    let suggestions = vec![suggestion(asked, Security::Tls, reason, leg)];
    Explanation { facts: Some(facts), faults: vec![fault], suggestions }
}

/// A port answered our hello in plaintext.
async fn plaintext(
    first: &[u8],
    asked: &Endpoint,
    leg: Leg,
    route: &Route,
    deadline: Instant,
) -> Explanation {
    let speaks = banner::recognise(first);
    let mut evidence = Evidence { server_text: banner::text(first), ..Evidence::default() };
    if asked.security != Security::Tls {
        let note = "After agreeing to STARTTLS the server went on in plaintext.";
        let fault = Fault::new(FaultCode::TlsHandshakeFailed, leg)
            .with_evidence(evidence.with(FactKind::Note, note));
        return Explanation::of(None, fault);
    }
    if let Some(name) = other_than(asked.protocol, speaks) {
        return Explanation::of(None, wrong_protocol(name, first, leg));
    }
    if speaks == Speaks::Unknown {
        let fault = Fault::new(FaultCode::TlsHandshakeFailed, leg)
            .but_maybe(
                Confidence::Likely,
                [FaultCode::TlsModeMismatchStarttls, FaultCode::WrongProtocol],
            )
            .with_evidence(evidence.with(FactKind::Note, "The server did not answer in TLS."));
        return Explanation::of(None, fault);
    }
    let mut suggestions = Vec::new();
    let note = match timeout_at(deadline, offers_starttls(asked, route, deadline)).await {
        Ok(Some(Offer::Offered)) => {
            evidence = evidence
                .with(FactKind::SuggestedSecurity, Security::Starttls.to_string())
                .with(FactKind::SuggestedPort, asked.port.to_string());
            let reason = SuggestionReason::PortExpectsStarttls;
            suggestions.push(suggestion(asked, Security::Starttls, reason, leg));
            "The server offers STARTTLS on this port."
        }
        Ok(Some(Offer::NotOffered)) => "The server does not offer STARTTLS on this port.",
        Ok(None) | Err(_) => "Whether the server offers STARTTLS could not be found out.",
    };
    let fault = Fault::new(FaultCode::TlsModeMismatchStarttls, leg)
        .with_evidence(evidence.with(FactKind::Note, note));
    Explanation { facts: None, faults: vec![fault], suggestions }
}

async fn offers_starttls(asked: &Endpoint, route: &Route, deadline: Instant) -> Option<Offer> {
    let limit = deadline.saturating_duration_since(Instant::now());
    let mut stream = route.redial(limit).await.ok()?;
    dialogue::ask(&mut stream, asked.protocol).await.ok()
}

fn suggestion(
    asked: &Endpoint,
    security: Security,
    reason: SuggestionReason,
    leg: Leg,
) -> Suggestion {
    let endpoint = Some(Endpoint { security, ..asked.clone() });
    Suggestion { leg, endpoint, reason, proof: SuggestionProof::Probed, help_url: None }
}

/// The name of a recognised protocol that is not the one asked for.
fn other_than(asked: Protocol, speaks: Speaks) -> Option<&'static str> {
    if speaks == Speaks::Mail(asked) { None } else { speaks.name() }
}

fn wrong_protocol(name: &str, first: &[u8], leg: Leg) -> Fault {
    let evidence = Evidence { server_text: banner::text(first), ..Evidence::default() };
    Fault::new(FaultCode::WrongProtocol, leg).with_evidence(evidence.with(FactKind::Protocol, name))
}

/// Whether older hellos may tell why it failed.
fn is_worth_asking(failure: &Failure) -> bool {
    let may_be_old = match failure.cause {
        Cause::Alert(number) => alert::meaning(number) == Meaning::NothingInCommon,
        Cause::Incompatible(_) | Cause::Closed | Cause::Reset => true,
        Cause::NotTls(_) | Cause::Other(_) => false,
    };
    // A server that came as far as asking for our certificate has everything in common.
    may_be_old && !failure.client_certificate_asked && failure.facts.chain.is_empty()
}

/// The fault that the server's choice among old and new shows.
fn surveyed(choice: Choice, failure: &Failure, fault: Fault) -> Fault {
    let cipher = hello::name(choice.suite);
    let mut evidence = match failure.cause {
        Cause::Alert(number) => with_alert(Evidence::default(), number),
        _ => Evidence::default(),
    };
    evidence = evidence
        .with(FactKind::TlsVersion, choice.version.to_string())
        .with(FactKind::Cipher, cipher.clone());
    let small = choice.group_bits.filter(|bits| *bits < MIN_GROUP_BITS);
    if let Some(bits) = small {
        evidence = first_note(evidence, format!("The Diffie-Hellman group has {bits} bits."));
    }
    let leg = fault.leg;
    if choice.version < Version::Tls12 {
        return Fault::new(FaultCode::TlsVersionUnsupported, leg).with_evidence(evidence);
    }
    match hello::kind(choice.suite) {
        Some(Kind::OldCipher | Kind::FiniteField | Kind::RsaKeyExchange) => {
            let note = format!("Of all cipher suites it chose {cipher}.");
            let evidence = evidence.with(FactKind::Note, note);
            Fault::new(FaultCode::TlsCipherOrKeyWeak, leg).with_evidence(evidence)
        }
        Some(Kind::Anonymous) => {
            let evidence = first_note(evidence, "The server has no certificate.");
            Fault::new(FaultCode::TlsHandshakeFailed, leg).with_evidence(evidence)
        }
        Some(Kind::Modern) | None => modern(failure, fault, evidence),
    }
}

/// The suites are fine, and yet the handshake failed.
fn modern(failure: &Failure, fault: Fault, evidence: Evidence) -> Fault {
    match failure.cause {
        Cause::Alert(_) | Cause::Incompatible(_) => {
            let note =
                "Version and cipher suite are fine; only signatures or curves are left to differ.";
            Fault::new(FaultCode::TlsCipherOrKeyWeak, fault.leg)
                .but_maybe(Confidence::Likely, [FaultCode::TlsHandshakeFailed])
                .with_evidence(first_note(evidence, note))
        }
        _ => {
            let note = "A plain TLS 1.2 hello was answered, where ours was not.";
            Fault { evidence: first_note(evidence, note), ..fault }
        }
    }
}

/// Puts a note before the others: a page shows the first.
fn first_note(mut evidence: Evidence, note: impl Into<String>) -> Evidence {
    evidence.facts.insert(0, mailfleet_model::Fact { kind: FactKind::Note, value: note.into() });
    evidence
}

/// The fault that the failure itself tells, without asking the server anything more.
fn plain(failure: &Failure, leg: Leg) -> Fault {
    let failed = Fault::new(FaultCode::TlsHandshakeFailed, leg);
    let note = |text: &str| Evidence::default().with(FactKind::Note, text);
    match &failure.cause {
        Cause::Alert(number) => {
            let code = alert::code(*number, failure.client_certificate_asked);
            let fault =
                Fault::new(code, leg).with_evidence(with_alert(Evidence::default(), *number));
            match alert::meaning(*number) {
                // No certificate came, so what names it would have had is not known.
                Meaning::UnknownName => {
                    fault.but_maybe(Confidence::Likely, [FaultCode::TlsCertNameMismatch])
                }
                Meaning::NothingInCommon
                | Meaning::ClientCertificate
                | Meaning::Denied
                | Meaning::Failed => fault,
            }
        }
        Cause::Closed | Cause::Reset if failure.client_certificate_asked => {
            Fault::new(FaultCode::TlsClientCertRequired, leg)
                .but_maybe(Confidence::Likely, [FaultCode::TlsHandshakeFailed])
        }
        Cause::Closed => Fault { retry: BROKEN, ..failed }
            .with_evidence(note("The server closed the connection during the handshake.")),
        Cause::Reset => Fault { retry: BROKEN, ..failed }
            .with_evidence(note("The connection was reset during the handshake.")),
        Cause::NotTls(_) => failed.with_evidence(note("The server did not answer in TLS.")),
        Cause::Incompatible(words) | Cause::Other(words) => failed.with_evidence(note(words)),
    }
}
