//! A report with one bad IMAP leg, for the tests of this crate.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::fault::Retry;
use mailfleet_model::leg::ServerSoftware;
use mailfleet_model::step::{Step, StepKind, StepOutcome};
use mailfleet_model::suggestion::{Suggestion, SuggestionProof, SuggestionReason};
use mailfleet_model::tls::{CertificateFacts, TlsFacts};
use mailfleet_model::{
    Confidence, Endpoint, Evidence, FactKind, Fault, FaultCode, JobId, Leg, LegReport, Protocol,
    Report, SentCopy, TraceId, Verdict,
};

/// 2023-11-14 22:13:20 UTC.
pub(crate) fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(Protocol::Imap, text).expect("a test endpoint")
}

/// A fault of the IMAP leg with the evidence that a refusing server leaves.
pub(crate) fn fault(code: FaultCode) -> Fault {
    let attempt = AddressAttempt {
        address: (Ipv4Addr::new(198, 51, 100, 7), 993).into(),
        outcome: "connected".to_owned(),
        elapsed: Duration::from_millis(40),
    };
    let mut fault = Fault::new(code, Leg::Imap)
        .with_evidence(Evidence {
            server_text: Some("NO [CONTACTADMIN] call {host}\nnow".to_owned()),
            response_code: Some("CONTACTADMIN".to_owned()),
            tls_alert: Some(40),
            attempts: vec![attempt],
            ..Evidence::default()
        })
        .but_maybe(Confidence::Likely, [FaultCode::AuthAccountLocked]);
    fault.retry = Retry::ServerHint(Duration::from_secs(900));
    fault
}

fn leaf() -> CertificateFacts {
    CertificateFacts {
        subject: "CN=mail.example.net".to_owned(),
        issuer: "CN=Example CA".to_owned(),
        names: vec!["mail.example.net".to_owned(), "example.net".to_owned()],
        not_before: moment() - Duration::from_secs(86_400),
        not_after: moment(),
        key: "EC P-256".to_owned(),
        signature: "ecdsa-with-SHA256".to_owned(),
        sha256: "ab".repeat(32),
        spki_sha256: "cd".repeat(32),
    }
}

fn leg(fault: &Fault) -> LegReport {
    let mut leg = LegReport::begin(Leg::Imap, endpoint("imap.example.com:143"), moment());
    leg.egress_ip = Some(IpAddr::from([203, 0, 113, 5]));
    leg.remote_ip = Some(IpAddr::from([198, 51, 100, 7]));
    leg.elapsed = Duration::from_millis(3_200);
    leg.server_software =
        Some(ServerSoftware { name: "Dovecot".to_owned(), version: Some("2.3".to_owned()) });
    leg.tls = Some(TlsFacts {
        version: Some("TLSv1.3".to_owned()),
        cipher: Some("TLS_AES_128_GCM_SHA256".to_owned()),
        chain: vec![leaf()],
        ..TlsFacts::default()
    });
    leg.steps.push(Step {
        kind: StepKind::Login,
        outcome: StepOutcome::Failed,
        started: Duration::ZERO,
        elapsed: Duration::from_secs(35),
        fault: Some(fault.code),
        detail: None,
    });
    leg
}

fn suggestion(reason: SuggestionReason, at: &str) -> Suggestion {
    Suggestion {
        leg: Leg::Imap,
        endpoint: Some(endpoint(at)),
        reason,
        proof: SuggestionProof::Probed,
        help_url: None,
    }
}

/// A report of the fault, with all that a leg can see.
pub(crate) fn report(fault: &Fault) -> Report {
    Report {
        job_id: JobId(uuid::Uuid::from_u128(1)),
        mailbox: "user@example.com".parse().expect("a test address"),
        verdict: Verdict::Faulty,
        faults: vec![fault.clone()],
        legs: vec![leg(fault)],
        suggestions: vec![
            suggestion(SuggestionReason::CertificateName, "mail.example.net:143"),
            suggestion(SuggestionReason::PortExpectsTls, "imap.example.com:993"),
        ],
        sent_copy: SentCopy::Unknown,
        arrival: None,
        egress_addresses: vec![IpAddr::from([203, 0, 113, 5]), IpAddr::from([203, 0, 113, 6])],
        started: moment(),
        elapsed: Duration::from_millis(3_300),
        trace_id: Some(TraceId([0xab; 16])),
    }
}

/// Evidence of the TLS probe, as it writes facts.
pub(crate) fn with_facts(mut fault: Fault) -> Fault {
    fault.evidence = fault
        .evidence
        .with(FactKind::NotAfter, "2024-02-03T04:05:06Z")
        .with(FactKind::Step, "TLS")
        .with(FactKind::Protocol, "SMTP")
        .with(FactKind::SuggestedSecurity, "TLS");
    fault
}
