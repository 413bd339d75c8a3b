//! What a handshake that gave no session means for the mailbox.
//!
//! The failure itself says little: "handshake failure" covers old versions, old suites
//! and a missing certificate alike. So the server is asked again, on sockets of its own,
//! opened one at a time after the first one is closed, without any credential.

use std::time::Duration;

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::fault::Retry;
use mailfleet_model::tls::TlsFacts;
use mailfleet_model::{Confidence, Endpoint, Fault, FaultCode, Leg, Suggestion};
use tokio::time::Instant;

use super::alert::{self, Meaning};
use super::failure::{Cause, Failure, with_alert};
use super::hello::{self, Choice, Kind, Version};
use super::modes;
use super::prober::{self, Survey};
use crate::dial::Route;

/// Longest time for all further questions to a server.
pub(super) const MAX_TIME: Duration = Duration::from_secs(10);
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
    /// One fault, and nothing to suggest.
    pub(super) fn of(facts: Option<TlsFacts>, fault: Fault) -> Self {
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
        return modes::plaintext(first, asked, leg, &route, deadline).await;
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
