//! One thing that is wrong with a certificate, and the fault that it becomes.

use std::time::SystemTime;

use mailfleet_model::evidence::{Evidence, FactKind};
use mailfleet_model::tls::{CertificateFacts, CertificatePolicy, TlsFacts};
use mailfleet_model::{Confidence, Fault, FaultCode, Leg};

use super::certificate::{clean, rfc3339};

/// Longest note, in characters.
const MAX_NOTE: usize = 300;

/// One thing that is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What is wrong.
    pub(super) code: FaultCode,
    /// How sure that is.
    pub(super) confidence: Confidence,
    /// What else it may be.
    pub(super) alternatives: Vec<FaultCode>,
    /// The certificate that it is about, counted from the leaf.
    pub(super) position: usize,
    /// What else is known, in a sentence.
    pub(super) note: Option<String>,
}

impl Problem {
    /// Something that is certainly wrong with the leaf.
    pub(super) fn new(code: FaultCode) -> Self {
        Self {
            code,
            confidence: Confidence::Certain,
            alternatives: Vec::new(),
            position: 0,
            note: None,
        }
    }

    /// It is about another certificate of the chain.
    pub(super) fn of(mut self, position: usize) -> Self {
        self.position = position;
        self
    }

    /// It may be something else.
    pub(super) fn but_maybe(mut self, confidence: Confidence, other: FaultCode) -> Self {
        self.confidence = confidence;
        self.alternatives = vec![other];
        self
    }

    /// Adds what else is known.
    pub(super) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The fault, blocking or a warning as the policy has it.
    pub(super) fn fault(&self, leg: Leg, facts: &TlsFacts, policy: CertificatePolicy) -> Fault {
        let fault = Fault::new(self.code, leg)
            .but_maybe(self.confidence, self.alternatives.iter().copied())
            .with_evidence(self.evidence(facts));
        match policy {
            CertificatePolicy::Strict => fault,
            CertificatePolicy::AllowInsecure => fault.as_warning(),
        }
    }

    fn evidence(&self, facts: &TlsFacts) -> Evidence {
        let mut evidence = Evidence::default();
        if let Some(certificate) = facts.chain.get(self.position) {
            evidence = with_certificate(evidence, certificate);
        }
        if let Some(name) = &facts.server_name {
            evidence =
                evidence.with(FactKind::Note, format!("The server was asked for as {name}."));
        }
        match &self.note {
            // What is particular comes first: a page shows the first note.
            Some(note) => {
                let fact =
                    mailfleet_model::Fact { kind: FactKind::Note, value: clean(note, MAX_NOTE) };
                evidence.facts.insert(0, fact);
                evidence
            }
            None => evidence,
        }
    }
}

fn with_certificate(mut evidence: Evidence, certificate: &CertificateFacts) -> Evidence {
    if !certificate.names.is_empty() {
        evidence = evidence.with(FactKind::CertificateNames, certificate.names.join(", "));
    } else if !certificate.subject.is_empty() {
        evidence = evidence.with(FactKind::CertificateNames, certificate.subject.clone());
    }
    if !certificate.issuer.is_empty() {
        evidence = evidence.with(FactKind::CertificateIssuer, certificate.issuer.clone());
    }
    if certificate.not_after != SystemTime::UNIX_EPOCH {
        evidence = evidence
            .with(FactKind::NotBefore, rfc3339(certificate.not_before))
            .with(FactKind::NotAfter, rfc3339(certificate.not_after));
    }
    evidence
}
