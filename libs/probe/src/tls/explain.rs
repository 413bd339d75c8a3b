//! What a handshake that gave no session means for the mailbox.

use std::time::Duration;

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::fault::Retry;
use mailfleet_model::tls::TlsFacts;
use mailfleet_model::{Endpoint, Fault, FaultCode, Leg, Suggestion};

use super::alert;
use super::failure::{Cause, Failure, with_alert};
use crate::dial::Route;

/// What a failed handshake means.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What was learnt on the way, if the server spoke TLS at all.
    pub facts: Option<TlsFacts>,
    /// What is wrong, the weightiest first; never empty.
    pub faults: Vec<Fault>,
    /// Settings that should work better.
    pub suggestions: Vec<Suggestion>,
}

/// Shortest and longest pause before another try, where the connection just broke.
const BROKEN: Retry =
    Retry::Backoff { min: Duration::from_secs(60), max: Duration::from_secs(1800) };

/// Explains a failed handshake.
pub async fn explain(
    failure: Failure,
    _asked: &Endpoint,
    leg: Leg,
    _route: Route,
    _budget: Duration,
) -> Explanation {
    let fault = plain(&failure, leg);
    Explanation { facts: Some(failure.facts), faults: vec![fault], suggestions: Vec::new() }
}

/// The fault that the failure itself tells, without asking the server anything more.
fn plain(failure: &Failure, leg: Leg) -> Fault {
    let failed = Fault::new(FaultCode::TlsHandshakeFailed, leg);
    let note = |text: &str| Evidence::default().with(FactKind::Note, text);
    match &failure.cause {
        Cause::Alert(number) => {
            let code = alert::code(*number, failure.client_certificate_asked);
            Fault::new(code, leg).with_evidence(with_alert(Evidence::default(), *number))
        }
        Cause::Closed | Cause::Reset if failure.client_certificate_asked => {
            Fault::new(FaultCode::TlsClientCertRequired, leg)
                .but_maybe(mailfleet_model::Confidence::Likely, [FaultCode::TlsHandshakeFailed])
        }
        Cause::Closed => Fault { retry: BROKEN, ..failed }
            .with_evidence(note("The server closed the connection during the handshake.")),
        Cause::Reset => Fault { retry: BROKEN, ..failed }
            .with_evidence(note("The connection was reset during the handshake.")),
        Cause::NotTls(_) => failed.with_evidence(note("The server did not answer in TLS.")),
        Cause::Incompatible(words) | Cause::Other(words) => failed.with_evidence(note(words)),
    }
}
