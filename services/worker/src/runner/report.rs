//! Reports of legs that never dialled, because of us.

use std::time::SystemTime;

use mailfleet_api::order::{Error, LegOrder};
use mailfleet_model::fleet::{LegEnd, LegKind};
use mailfleet_model::leg::LegReport;
use mailfleet_model::{
    Endpoint, Evidence, FactKind, Fault, FaultCode, Host, Leg, Protocol, Security,
};

use super::ended;

/// A leg with one fault of ours.
pub(super) fn ours(order: &LegOrder, code: FaultCode, note: &str) -> LegEnd {
    with_fault(order.leg(), order.endpoint.clone(), code, note)
}

/// A leg whose order this build cannot read: not even where it was to go.
pub(super) fn unreadable(kind: &LegKind, error: Error) -> LegEnd {
    let (leg, protocol) = match kind.as_str() {
        "outgoing" => (Leg::Smtp, Protocol::Smtp),
        "arrival" => (Leg::Roundtrip, Protocol::Imap),
        _ => (Leg::Imap, Protocol::Imap),
    };
    // RFC 2606 section 2: a name that is nobody's.
    let host = Host::Name("unknown.invalid".to_owned());
    let (port, security) = (protocol.default_port(Security::Tls), Security::Tls);
    let endpoint = Endpoint { protocol, host, port, security };
    with_fault(leg, endpoint, FaultCode::Unknown, &format!("The order is unreadable: {error}."))
}

fn with_fault(leg: Leg, endpoint: Endpoint, code: FaultCode, note: &str) -> LegEnd {
    let mut report = LegReport::begin(leg, endpoint, SystemTime::now());
    let evidence = Evidence::default().with(FactKind::Note, note);
    report.faults.push(Fault::new(code, leg).with_evidence(evidence));
    ended(report)
}
