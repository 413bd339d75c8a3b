//! Reports as checks leave them, for the tests of what people see.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::leg::{Arrival, FolderRole, ServerSoftware};
use mailfleet_model::suggestion::{Suggestion, SuggestionProof, SuggestionReason};
use mailfleet_model::tls::{CertificateFacts, TlsFacts};
use mailfleet_model::{
    Confidence, Endpoint, Evidence, FactKind, Fault, FaultCode, JobId, Leg, LegReport, Protocol,
    Report, SentCopy, Step, StepKind, StepOutcome, Verdict,
};
use uuid::Uuid;

/// 2023-11-14 22:13:20 UTC.
fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn step(kind: StepKind, ms: u64, detail: &str) -> Step {
    Step {
        kind,
        outcome: StepOutcome::Ok,
        started: Duration::ZERO,
        elapsed: Duration::from_millis(ms),
        fault: None,
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
    }
}

fn failed(kind: StepKind, ms: u64, code: FaultCode) -> Step {
    Step { outcome: StepOutcome::Failed, fault: Some(code), ..step(kind, ms, "") }
}

fn endpoint(protocol: Protocol, text: &str) -> Endpoint {
    Endpoint::parse(protocol, text).expect("a test endpoint")
}

fn leg(leg: Leg, endpoint: Endpoint, steps: Vec<Step>) -> LegReport {
    let mut report = LegReport::begin(leg, endpoint, moment());
    report.elapsed = steps.iter().map(|step| step.elapsed).sum();
    report.egress_ip = Some(IpAddr::from([203, 0, 113, 5]));
    report.remote_ip = Some(IpAddr::from([198, 51, 100, 7]));
    report.server_software =
        Some(ServerSoftware { name: "Dovecot".to_owned(), version: Some("2.3.19".to_owned()) });
    report.tls = Some(TlsFacts {
        version: Some("TLSv1.3".to_owned()),
        cipher: Some("TLS_AES_128_GCM_SHA256".to_owned()),
        ..TlsFacts::default()
    });
    report.steps = steps;
    report
}

fn opening(ms: u64) -> Vec<Step> {
    vec![
        step(StepKind::Resolve, ms, "1 address"),
        step(StepKind::Connect, ms * 3, "198.51.100.7"),
        step(StepKind::Tls, ms * 5, "TLSv1.3"),
        step(StepKind::Greeting, ms, ""),
    ]
}

fn imap(login: Vec<Step>) -> LegReport {
    let at = endpoint(Protocol::Imap, "imap.example.com");
    leg(Leg::Imap, at, [opening(12), login].concat())
}

fn report(verdict: Verdict, faults: Vec<Fault>, legs: Vec<LegReport>) -> Report {
    Report {
        job_id: JobId(Uuid::from_u128(1)),
        mailbox: "taro@example.com".parse().expect("a test address"),
        verdict,
        faults,
        legs,
        suggestions: Vec::new(),
        sent_copy: SentCopy::Unknown,
        arrival: None,
        egress_addresses: vec![IpAddr::from([203, 0, 113, 5])],
        started: moment(),
        elapsed: Duration::from_millis(3_240),
        trace_id: None,
    }
}

/// Nothing is wrong, and the test mail came back.
pub(crate) fn healthy() -> Report {
    let smtp = endpoint(Protocol::Smtp, "smtp.example.com:587");
    let sending = vec![step(StepKind::Login, 90, "PLAIN"), step(StepKind::Submit, 220, "accepted")];
    let legs = vec![
        imap(vec![step(StepKind::Login, 80, "PLAIN"), step(StepKind::Open, 60, "5 folders")]),
        leg(Leg::Smtp, smtp, [opening(10), sending].concat()),
    ];
    let mut report = report(Verdict::Healthy, Vec::new(), legs);
    report.sent_copy = SentCopy::NotSaved;
    report.arrival = Some(Arrival {
        found: Some(("INBOX".to_owned(), FolderRole::Inbox)),
        after: Some(Duration::from_millis(1_840)),
        sent_copy: Some(false),
    });
    report
}

/// The password is wrong, in the server's own words, and something else is worth telling.
pub(crate) fn wrong_password() -> Report {
    let evidence = Evidence {
        server_text: Some(
            "NO [AUTHENTICATIONFAILED] ユーザー名またはパスワードが違います".to_owned(),
        ),
        response_code: Some("AUTHENTICATIONFAILED".to_owned()),
        command: Some("AUTHENTICATE".to_owned()),
        mechanism: Some("PLAIN".to_owned()),
        ..Evidence::default()
    };
    let others = [FaultCode::AuthAppPasswordRequired, FaultCode::ProtocolDisabledForMailbox];
    let headline = Fault::new(FaultCode::AuthInvalidCredentials, Leg::Imap)
        .with_evidence(evidence)
        .but_maybe(Confidence::Likely, others);
    let kept_back = Fault::new(FaultCode::LegNotTried, Leg::Smtp);
    let login = failed(StepKind::Login, 1_400, FaultCode::AuthInvalidCredentials);
    let smtp = endpoint(Protocol::Smtp, "smtp.example.com");
    let skipped = Step {
        outcome: StepOutcome::Skipped,
        fault: Some(FaultCode::LegNotTried),
        ..step(StepKind::Login, 0, "")
    };
    let legs = vec![imap(vec![login]), leg(Leg::Smtp, smtp, [opening(9), vec![skipped]].concat())];
    let mut report = report(Verdict::Faulty, vec![headline, kept_back], legs);
    report.suggestions.push(Suggestion {
        leg: Leg::Imap,
        endpoint: None,
        reason: SuggestionReason::AppPassword,
        proof: SuggestionProof::Published,
        help_url: Some("https://provider.example/app-passwords".to_owned()),
    });
    report
}

/// The certificate is for another name, which an administrator may have to mend.
pub(crate) fn wrong_name() -> Report {
    let attempt = AddressAttempt {
        address: (IpAddr::from([198, 51, 100, 7]), 993).into(),
        outcome: "connected".to_owned(),
        elapsed: Duration::from_millis(36),
    };
    let evidence = Evidence { attempts: vec![attempt], ..Evidence::default() }
        .with(FactKind::CertificateNames, "mail.hoster.example")
        .with(FactKind::Note, "Evil \u{1b}[2J\u{202e}words.");
    let fault = Fault::new(FaultCode::TlsCertNameMismatch, Leg::Imap).with_evidence(evidence);
    let mut incoming = imap(Vec::new());
    incoming.steps.truncate(2);
    incoming.steps.push(failed(StepKind::Tls, 60, FaultCode::TlsCertNameMismatch));
    incoming.server_software = None;
    if let Some(tls) = &mut incoming.tls {
        tls.chain.push(CertificateFacts {
            subject: "CN=mail.hoster.example".to_owned(),
            issuer: "CN=Example CA".to_owned(),
            names: vec!["mail.hoster.example".to_owned()],
            not_before: moment(),
            not_after: moment() + Duration::from_secs(7_776_000),
            key: "EC P-256".to_owned(),
            signature: "ecdsa-with-SHA256".to_owned(),
            sha256: "ab".repeat(32),
            spki_sha256: "cd".repeat(32),
        });
    }
    let mut report = report(Verdict::Faulty, vec![fault], vec![incoming]);
    report.suggestions.push(Suggestion {
        leg: Leg::Imap,
        endpoint: Some(endpoint(Protocol::Imap, "mail.hoster.example")),
        reason: SuggestionReason::CertificateName,
        proof: SuggestionProof::Certificate,
        help_url: None,
    });
    report
}
