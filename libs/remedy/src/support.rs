//! The support block: plain text to be copied into a mail to an administrator.
//!
//! Holds what somebody at the other end needs to find our attempt in their logs: hosts, ports,
//! addresses, times in UTC, issuer, the server's words, trace id. Everything in it is redacted
//! already, and every value stays on its line. Codes keep their stable names in both languages.

use std::fmt::Write as _;

use mailfleet_model::tls::{CertificateFacts, TlsFacts};
use mailfleet_model::{Evidence, Fault, LegReport, Report};

use crate::format;
use crate::language::Language;
use crate::page;
use crate::value::one_line;
use crate::wording;

/// The support block of a report, ending in a line break.
#[must_use]
pub fn support_block(report: &Report, language: Language) -> String {
    let mut block = Block { text: String::new(), language };
    block.heading(report);
    for leg in &report.legs {
        block.leg(leg);
    }
    for fault in &report.faults {
        block.fault(fault);
    }
    block.text
}

/// The labels of the block.
#[derive(Debug, Clone, Copy)]
enum Label {
    Mailbox,
    Verdict,
    Started,
    OurAddresses,
    Job,
    Trace,
    From,
    To,
    Encryption,
    Certificate,
    Issuer,
    Validity,
    Fingerprint,
    Software,
    Stopped,
    Tried,
    ServerText,
    Codes,
    Alternatives,
}

fn label(label: Label, language: Language) -> &'static str {
    let (english, japanese) = match label {
        Label::Mailbox => ("Mailbox", "メールボックス"),
        Label::Verdict => ("Verdict", "判定"),
        Label::Started => ("Started", "開始時刻"),
        Label::OurAddresses => ("Addresses to allow", "許可するIPアドレス"),
        Label::Job => ("Job", "ジョブ"),
        Label::Trace => ("Trace id", "トレースID"),
        Label::From => ("From our address", "接続元アドレス"),
        Label::To => ("To server address", "接続先アドレス"),
        Label::Encryption => ("Encryption", "暗号化"),
        Label::Certificate => ("Certificate for", "証明書の名前"),
        Label::Issuer => ("Issued by", "証明書の発行元"),
        Label::Validity => ("Valid", "証明書の有効期間"),
        Label::Fingerprint => ("SHA-256", "SHA-256フィンガープリント"),
        Label::Software => ("Server software", "サーバーソフトウェア"),
        Label::Stopped => ("Stopped at", "中断した段階"),
        Label::Tried => ("Tried", "接続の試行"),
        Label::ServerText => ("Server said", "サーバーの応答"),
        Label::Codes => ("Reply code", "応答コード"),
        Label::Alternatives => ("Or", "ほかの可能性"),
    };
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

struct Block {
    text: String,
    language: Language,
}

impl Block {
    fn heading(&mut self, report: &Report) {
        let language = self.language;
        let title = match language {
            Language::English => "mailfleet: information for support",
            Language::Japanese => "mailfleet：サポート用情報",
        };
        self.text.push_str(title);
        self.text.push('\n');
        self.line(Label::Mailbox, &report.mailbox.to_string());
        let words = wording::verdict(report.verdict, language);
        self.line(Label::Verdict, &format!("{} ({words})", report.verdict));
        self.times(report.started, report.elapsed);
        let ours: Vec<String> = report.egress_addresses.iter().map(ToString::to_string).collect();
        self.line(Label::OurAddresses, &ours.join(", "));
        self.line(Label::Job, &report.job_id.to_string());
        if let Some(trace) = report.trace_id {
            self.line(Label::Trace, &trace.to_string());
        }
    }

    fn leg(&mut self, leg: &LegReport) {
        let endpoint = &leg.endpoint;
        let name = wording::leg(leg.leg, self.language);
        let security = wording::security(endpoint.security, self.language);
        self.section(&format!("{name}: {}:{} ({security})", endpoint.host, endpoint.port));
        self.times(leg.started, leg.elapsed);
        self.optional(Label::From, leg.egress_ip.map(|ip| ip.to_string()));
        self.optional(Label::To, leg.remote_ip.map(|ip| ip.to_string()));
        self.optional(Label::Software, leg.server_software.as_ref().map(wording::server_software));
        if let Some(tls) = &leg.tls {
            self.tls(tls);
        }
        let stopped = leg.steps.iter().rev().find(|step| step.fault.is_some());
        let kind = stopped.map(|step| wording::step_kind(step.kind, self.language).to_owned());
        self.optional(Label::Stopped, kind);
    }

    fn tls(&mut self, tls: &TlsFacts) {
        let parts: Vec<&str> =
            [tls.version.as_deref(), tls.cipher.as_deref()].into_iter().flatten().collect();
        self.line(Label::Encryption, &parts.join(", "));
        if let Some(leaf) = tls.chain.first() {
            self.certificate(leaf);
        }
    }

    fn certificate(&mut self, leaf: &CertificateFacts) {
        self.line(Label::Certificate, &leaf.names.join(", "));
        self.line(Label::Issuer, &leaf.issuer);
        let (from, until) = (format::moment(leaf.not_before), format::moment(leaf.not_after));
        self.line(Label::Validity, &format!("{from} – {until}"));
        self.line(Label::Fingerprint, &leaf.sha256);
    }

    fn fault(&mut self, fault: &Fault) {
        let language = self.language;
        let title = page::page(fault.code, language).title;
        self.section(&format!("{}: {title}", fault.code));
        let place = format!(
            "  {}, {}; {}; {}",
            wording::leg(fault.leg, language),
            wording::phase(fault.phase, language),
            wording::severity(fault.severity, language),
            wording::confidence(fault.confidence, language),
        );
        self.text.push_str(&place);
        self.text.push('\n');
        self.evidence(&fault.evidence);
        let others: Vec<&str> = fault.alternatives.iter().map(|code| code.name()).collect();
        self.line(Label::Alternatives, &others.join(", "));
    }

    fn evidence(&mut self, evidence: &Evidence) {
        self.optional(Label::ServerText, evidence.server_text.clone());
        let smtp = evidence.smtp_code.map(|code| code.to_string());
        let alert = evidence.tls_alert.map(wording::tls_alert);
        let codes = [evidence.response_code.clone(), smtp, evidence.enhanced_code.clone(), alert];
        let codes: Vec<String> = codes.into_iter().flatten().collect();
        self.line(Label::Codes, &codes.join(" "));
        for attempt in &evidence.attempts {
            let took = format::span(attempt.elapsed, self.language);
            self.line(Label::Tried, &format!("{} {} ({took})", attempt.address, attempt.outcome));
        }
    }

    fn times(&mut self, started: std::time::SystemTime, elapsed: std::time::Duration) {
        let took = format::span(elapsed, self.language);
        self.line(Label::Started, &format!("{} ({took})", format::moment(started)));
    }

    fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.text.push_str(&one_line(title));
        self.text.push('\n');
    }

    fn optional(&mut self, name: Label, value: Option<String>) {
        self.line(name, &value.unwrap_or_default());
    }

    /// One line, or none if there is no value.
    fn line(&mut self, name: Label, value: &str) {
        let value = one_line(value);
        if !value.is_empty() {
            let name = label(name, self.language);
            writeln!(self.text, "  {name}: {value}").expect("writing to a String cannot fail");
        }
    }
}

#[cfg(test)]
mod tests;
