//! Facts: what a report knows about the placeholders of a page.
//!
//! What the fault's own evidence says comes first, then what its leg saw, then the report.

use std::collections::BTreeMap;
use std::time::SystemTime;

use mailfleet_model::fault::Retry;
use mailfleet_model::suggestion::{Suggestion, SuggestionReason};
use mailfleet_model::tls::CertificateFacts;
use mailfleet_model::{Endpoint, Fact, FactKind, Fault, FaultCode, LegReport, Report};

use crate::format;
use crate::language::Language;
use crate::placeholder::Placeholder as P;
use crate::value::Value;
use crate::wording;

/// Values for the placeholders of a page. Empty for a page without a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts(BTreeMap<P, Value>);

impl Facts {
    /// Takes the values from the fault's evidence, its leg and the report.
    ///
    /// Nothing here is secret: evidence is redacted where it is gathered.
    #[must_use]
    pub fn from_report(report: &Report, fault: &Fault) -> Self {
        let mut facts = Self::default();
        let leg = report.legs.iter().find(|leg| leg.leg == fault.leg);
        facts.add_evidence(fault);
        facts.add_suggestion(report, fault);
        if let Some(leg) = leg {
            facts.add_leg(leg, fault);
        }
        facts.add_report(report, fault);
        facts
    }

    /// Adds or replaces one value, such as the user name, which no report holds.
    #[must_use]
    pub fn with(mut self, placeholder: P, value: impl Into<String>) -> Self {
        self.0.insert(placeholder, Value::Text(value.into()));
        self
    }

    /// The value in words, or nothing if it is not known.
    #[must_use]
    pub fn text(&self, placeholder: P, language: Language) -> Option<String> {
        self.0.get(&placeholder).map(|value| value.render(language))
    }

    /// Sets a value that nothing closer to the fault has set yet.
    fn offer(&mut self, placeholder: P, value: Option<Value>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.entry(placeholder).or_insert(value);
        }
    }

    fn add_evidence(&mut self, fault: &Fault) {
        let evidence = &fault.evidence;
        for fact in &evidence.facts {
            if let Some(place) = place_of(fact.kind) {
                self.offer(place, Some(value_of(fact)));
            }
        }
        self.offer(P::ServerText, evidence.server_text.clone().map(Value::Text));
        let smtp = evidence.smtp_code.map(|code| code.to_string());
        let codes = [evidence.response_code.clone(), smtp, evidence.enhanced_code.clone()];
        let codes: Vec<String> = codes.into_iter().flatten().collect();
        self.offer(P::ResponseCode, Some(Value::Text(codes.join(" "))));
        self.offer(P::Alert, evidence.tls_alert.map(|a| Value::Text(wording::tls_alert(a))));
        let tried = evidence.attempts.iter().map(|a| a.address.ip().to_string());
        self.offer(P::RemoteAddresses, Some(Value::List(tried.collect())));
        if let Retry::ServerHint(wait) = fault.retry {
            self.offer(P::Wait, Some(Value::Span(wait)));
        }
    }

    /// The first suggestion for the leg that answers this fault.
    fn add_suggestion(&mut self, report: &Report, fault: &Fault) {
        let fits = |s: &&Suggestion| s.leg == fault.leg && answers(s.reason, fault.code);
        let mut fitting = report.suggestions.iter().filter(fits);
        if let Some(endpoint) = fitting.clone().find_map(|s| s.endpoint.as_ref()) {
            self.offer(P::SuggestedHost, Some(Value::Text(endpoint.host.to_string())));
            self.offer(P::SuggestedPort, Some(Value::Text(endpoint.port.to_string())));
            self.offer(P::SuggestedSecurity, Some(Value::Security(endpoint.security)));
        }
        self.offer(P::HelpUrl, fitting.find_map(|s| s.help_url.clone()).map(Value::Text));
    }

    fn add_leg(&mut self, leg: &LegReport, fault: &Fault) {
        self.add_endpoint(&leg.endpoint);
        let step = leg.steps.iter().find(|step| step.fault == Some(fault.code));
        self.offer(P::Step, step.map(|step| Value::Step(step.kind)));
        self.offer(P::Elapsed, step.map(|step| Value::Span(step.elapsed)));
        self.offer(P::RemoteAddresses, leg.remote_ip.map(|ip| Value::Text(ip.to_string())));
        let software = leg.server_software.as_ref().map(wording::server_software);
        self.offer(P::ServerSoftware, software.map(Value::Text));
        if let Some(tls) = &leg.tls {
            self.offer(P::TlsVersion, tls.version.clone().map(Value::Text));
            self.offer(P::Cipher, tls.cipher.clone().map(Value::Text));
            if let Some(leaf) = tls.chain.first() {
                self.add_certificate(leaf);
            }
        }
    }

    fn add_endpoint(&mut self, endpoint: &Endpoint) {
        self.offer(P::Host, Some(Value::Text(endpoint.host.to_string())));
        self.offer(P::Port, Some(Value::Text(endpoint.port.to_string())));
        self.offer(P::Protocol, Some(Value::Text(endpoint.protocol.to_string())));
        self.offer(P::Security, Some(Value::Security(endpoint.security)));
    }

    fn add_certificate(&mut self, leaf: &CertificateFacts) {
        self.offer(P::CertificateNames, Some(Value::List(leaf.names.clone())));
        self.offer(P::CertificateIssuer, Some(Value::Text(leaf.issuer.clone())));
        self.offer(P::NotBefore, Some(Value::Moment(leaf.not_before)));
        self.offer(P::NotAfter, Some(Value::Moment(leaf.not_after)));
    }

    fn add_report(&mut self, report: &Report, fault: &Fault) {
        self.offer(P::Address, Some(Value::Text(report.mailbox.to_string())));
        let egress = report.egress_addresses.iter().map(ToString::to_string).collect();
        self.offer(P::EgressAddresses, Some(Value::List(egress)));
        let leg_egress = report.legs.iter().find(|l| l.leg == fault.leg).and_then(|l| l.egress_ip);
        self.offer(P::EgressAddresses, leg_egress.map(|ip| Value::Text(ip.to_string())));
        let folder = report.arrival.as_ref().and_then(|a| a.found.as_ref());
        self.offer(P::Folder, folder.map(|(name, _)| Value::Text(name.clone())));
        if fault.code == FaultCode::CheckTimeout {
            self.offer(P::Elapsed, Some(Value::Span(report.elapsed)));
        }
    }
}

/// Which placeholder a fact fills. `None` for what no page speaks of.
fn place_of(kind: FactKind) -> Option<P> {
    Some(match kind {
        FactKind::CertificateNames => P::CertificateNames,
        FactKind::CertificateIssuer => P::CertificateIssuer,
        FactKind::NotAfter => P::NotAfter,
        FactKind::NotBefore => P::NotBefore,
        FactKind::TlsVersion => P::TlsVersion,
        FactKind::Cipher => P::Cipher,
        FactKind::SuggestedHost => P::SuggestedHost,
        FactKind::SuggestedPort => P::SuggestedPort,
        FactKind::SuggestedSecurity => P::SuggestedSecurity,
        FactKind::Provider => P::Provider,
        FactKind::HelpUrl => P::HelpUrl,
        FactKind::Wait => P::Wait,
        FactKind::Folder => P::Folder,
        FactKind::Elapsed => P::Elapsed,
        FactKind::Mechanisms => P::Mechanisms,
        FactKind::Step => P::Step,
        FactKind::Field => P::Field,
        FactKind::Protocol => P::ActualProtocol,
        FactKind::Limit => P::Limit,
        FactKind::Note => return None,
    })
}

/// A fact's text as the thing it means, where it can be worded in every language.
fn value_of(fact: &Fact) -> Value {
    let text = || Value::Text(fact.value.clone());
    match fact.kind {
        FactKind::NotAfter | FactKind::NotBefore => {
            format::parse_moment(&fact.value).map_or_else(text, |m: SystemTime| Value::Moment(m))
        }
        FactKind::Step => fact.value.parse().map_or_else(|_| text(), Value::Step),
        FactKind::SuggestedSecurity => fact.value.parse().map_or_else(|_| text(), Value::Security),
        _ => text(),
    }
}

/// Whether a suggestion is an answer to the fault, rather than to another one of its leg.
fn answers(reason: SuggestionReason, code: FaultCode) -> bool {
    use SuggestionReason as R;
    match reason {
        R::CertificateName => code == FaultCode::TlsCertNameMismatch,
        R::PortExpectsTls
        | R::PortExpectsStarttls
        | R::UsualPort
        | R::SubmissionPort
        | R::ProviderServer => code != FaultCode::TlsCertNameMismatch,
        R::AppPassword | R::SwitchOnProtocol | R::PasswordSpaces | R::UsernameForm => true,
    }
}
