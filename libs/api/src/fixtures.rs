//! A report with one of everything, for the tests of this crate.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::fault::Retry;
use mailfleet_model::leg::{Arrival, FolderRole, LoginOutcome, ServerSoftware, Submission};
use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::tls::{CertificateFacts, TlsFacts};
use mailfleet_model::{
    Confidence, Endpoint, Evidence, FactKind, Fault, FaultCode, JobId, Leg, LegReport, Protocol,
    Report, SentCopy, Step, StepKind, StepOutcome, Suggestion, TraceId, Verdict,
};
use uuid::Uuid;

/// 2023-11-14T22:13:20Z.
pub(crate) fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

pub(crate) fn step(kind: StepKind, fault: Option<FaultCode>) -> Step {
    let outcome = if fault.is_some() { StepOutcome::Failed } else { StepOutcome::Ok };
    Step {
        kind,
        outcome,
        started: Duration::ZERO,
        elapsed: Duration::from_millis(123),
        fault,
        detail: Some("3 addresses".to_owned()),
    }
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        subject: "CN=mail.example.net".to_owned(),
        issuer: "CN=Example CA".to_owned(),
        names: vec!["mail.example.net".to_owned()],
        not_before: moment() - Duration::from_secs(86_400),
        not_after: moment(),
        key: "EC P-256".to_owned(),
        signature: "ecdsa-with-SHA256".to_owned(),
        sha256: "ab".repeat(32),
        spki_sha256: "cd".repeat(32),
    }
}

fn leg() -> LegReport {
    let endpoint = Endpoint::parse(Protocol::Imap, "imap.example.com").expect("an endpoint");
    let mut leg = LegReport::begin(Leg::Imap, endpoint, moment());
    leg.egress_ip = Some(IpAddr::from([203, 0, 113, 5]));
    leg.remote_ip = Some(IpAddr::from([198, 51, 100, 7]));
    leg.server_software = Some(ServerSoftware { name: "Dovecot".to_owned(), version: None });
    leg.tls = Some(TlsFacts {
        version: Some("TLSv1.3".to_owned()),
        cipher: Some("TLS_AES_128_GCM_SHA256".to_owned()),
        server_name: Some("imap.example.com".to_owned()),
        verified: false,
        chain: vec![certificate()],
    });
    leg.steps = vec![
        step(StepKind::Resolve, None),
        step(StepKind::Tls, Some(FaultCode::TlsCertExpired)),
        Step {
            outcome: StepOutcome::Skipped,
            elapsed: Duration::ZERO,
            ..step(StepKind::Login, None)
        },
    ];
    leg.login = LoginOutcome::NotTried;
    leg.submission = Submission::NotSent;
    leg
}

fn fault() -> Fault {
    let attempt = AddressAttempt {
        address: (Ipv4Addr::new(198, 51, 100, 7), 993).into(),
        outcome: "connected".to_owned(),
        elapsed: Duration::from_millis(40),
    };
    let evidence = Evidence {
        server_text: Some("certificate has expired".to_owned()),
        response_code: Some("CONTACTADMIN".to_owned()),
        smtp_code: Some(535),
        enhanced_code: Some("5.7.8".to_owned()),
        command: Some("RCPT TO".to_owned()),
        mechanism: Some("PLAIN".to_owned()),
        tls_alert: Some(0),
        attempts: vec![attempt],
        facts: Vec::new(),
    }
    .with(FactKind::NotAfter, "2023-11-14T22:13:20Z");
    let mut fault = Fault::new(FaultCode::TlsCertExpired, Leg::Imap)
        .with_evidence(evidence)
        .but_maybe(Confidence::Likely, [FaultCode::TlsCertMalformed]);
    fault.retry = Retry::ServerHint(Duration::from_secs(900));
    fault
}

/// One of everything.
pub(crate) fn report() -> Report {
    Report {
        job_id: JobId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)),
        mailbox: "taro@example.com".parse().expect("an address"),
        verdict: Verdict::Faulty,
        faults: vec![fault(), Fault::new(FaultCode::Greylisted, Leg::Smtp)],
        legs: vec![leg()],
        suggestions: vec![Suggestion {
            leg: Leg::Imap,
            endpoint: Endpoint::parse(Protocol::Imap, "mail.example.net:143").ok(),
            reason: SuggestionReason::CertificateName,
            proof: SuggestionProof::Certificate,
            help_url: Some("https://help.example.com/imap".to_owned()),
        }],
        sent_copy: SentCopy::Unknown,
        arrival: Some(Arrival {
            found: Some(("迷惑メール".to_owned(), FolderRole::Junk)),
            after: Some(Duration::from_secs(4)),
            sent_copy: Some(false),
        }),
        egress_addresses: vec![IpAddr::from([203, 0, 113, 5])],
        started: moment(),
        elapsed: Duration::from_millis(1_500),
        trace_id: Some(TraceId([0xab; 16])),
    }
}
