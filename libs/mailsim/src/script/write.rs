//! Writes servers as scripts. Leaves out what is the default.

use std::fmt::Write as _;
use std::time::Duration;

use crate::estate::{Delivery, Fate, SentCopy};
use crate::fault::{Fault, Rule, Strip};
use crate::limits::Limits;
use crate::scenario::Scenario;
use crate::server::{Mailbox, OldTls, Spec, Versions};

/// Writes a scenario as a script that reads back as the same scenario.
pub(crate) fn scenario(scenario: &Scenario) -> String {
    let mut out = String::new();
    if scenario.delivery != Delivery::default() {
        out.push_str(&delivery(&scenario.delivery));
    }
    for spec in &scenario.servers {
        out.push_str(&server(spec));
        if spec.limits != Limits::default() {
            out.push_str(&limits(&spec.limits));
        }
        spec.mailboxes.iter().for_each(|m| out.push_str(&mailbox(m)));
        for rule in &spec.rules {
            let _ = writeln!(out, "at {}", rule_text(rule));
        }
    }
    out
}

/// A line that grows by `key=value`.
struct Line(String);

impl Line {
    fn add(&mut self, key: &str, value: &str) {
        let safe = |c: char| c.is_alphanumeric() || "-._@+:/,[]".contains(c);
        if !value.is_empty() && value.chars().all(safe) {
            let _ = write!(self.0, " {key}={value}");
        } else {
            let _ = write!(self.0, " {key}=\"{}\"", escape(value).replace('"', "\\\""));
        }
    }

    fn add_if(&mut self, differs: bool, key: &str, value: &str) {
        if differs {
            self.add(key, value);
        }
    }

    fn end(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

fn server(spec: &Spec) -> String {
    let usual = Spec::new(spec.protocol);
    let mut line = Line(format!("server {}", spec.protocol));
    line.add("tls", &spec.tls.to_string());
    line.add_if(
        spec.certificate != usual.certificate,
        "certificate",
        &spec.certificate.to_string(),
    );
    line.add_if(spec.versions != usual.versions, "versions", versions(spec.versions));
    line.add_if(
        spec.client_certificate != usual.client_certificate,
        "client-certificate",
        &spec.client_certificate.to_string(),
    );
    line.add_if(
        spec.plaintext_login != usual.plaintext_login,
        "plaintext-login",
        &spec.plaintext_login.to_string(),
    );
    line.add_if(
        spec.personality != usual.personality,
        "personality",
        &spec.personality.to_string(),
    );
    line.add_if(spec.role != usual.role, "role", &spec.role.to_string());
    if let Some(layout) = spec.layout {
        line.add("folders", &layout.to_string());
    }
    line.add_if(spec.address != usual.address, "address", &spec.address.to_string());
    line.add_if(spec.port != usual.port, "port", &spec.port.to_string());
    if let Some(host) = &spec.host {
        line.add("host", host);
    }
    if let Some(mechanisms) = &spec.mechanisms {
        let names: Vec<String> = mechanisms.iter().map(ToString::to_string).collect();
        line.add("mechanisms", &names.join(","));
    }
    line.add_if(spec.size_limit != usual.size_limit, "size-limit", &spec.size_limit.to_string());
    line.add_if(spec.history != usual.history, "history", &spec.history.to_string());
    line.end()
}

fn limits(limits: &Limits) -> String {
    let mut line = Line("limit".to_owned());
    let all = [
        ("sessions", limits.sessions),
        ("per-address", limits.per_address),
        ("per-user-and-address", limits.per_user_and_address),
    ];
    for (key, value) in all {
        if let Some(value) = value {
            line.add(key, &value.to_string());
        }
    }
    line.end()
}

fn mailbox(mailbox: &Mailbox) -> String {
    let mut line = Line(format!("mailbox {}", mailbox.address));
    if let Some(login) = &mailbox.login {
        line.add("login", login);
    }
    if let Some(password) = &mailbox.password {
        line.add("password", password.expose());
    }
    if let Some(token) = &mailbox.token {
        line.add("token", token.expose());
    }
    line.add_if(mailbox.messages != 0, "messages", &mailbox.messages.to_string());
    line.end()
}

fn delivery(delivery: &Delivery) -> String {
    let mut line = Line("deliver".to_owned());
    line.add("to", fate(delivery.fate));
    line.add_if(!delivery.delay.is_zero(), "after", &duration(delivery.delay));
    if let Some(from) = &delivery.rewrite_from {
        line.add("from", from);
    }
    line.add_if(delivery.sent_copy != SentCopy::None, "sent-copy", &delivery.sent_copy.to_string());
    line.end()
}

/// The name of a fate.
pub(super) fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Inbox => "inbox",
        Fate::Junk => "junk",
        Fate::Archive => "archive",
        Fate::Lost => "nowhere",
        Fate::Bounced => "bounce",
    }
}

/// The name of a range of TLS versions.
pub(super) fn versions(versions: Versions) -> &'static str {
    match versions {
        Versions::Modern => "modern",
        Versions::Tls12 => "tls1.2",
        Versions::Legacy(OldTls::Tls11) => "tls1.1",
        Versions::Legacy(OldTls::Tls10) => "tls1.0",
        Versions::Legacy(OldTls::Ssl3) => "ssl3",
        Versions::Legacy(OldTls::Ciphers) => "old-ciphers",
    }
}

/// A rule as it stands behind `at`.
pub(crate) fn rule_text(rule: &Rule) -> String {
    let mut line = Line(rule.step.to_string());
    if let Some(from) = rule.from {
        line.add("from", &from.to_string());
    }
    if let Some(user) = &rule.user {
        line.add("user", user);
    }
    if let Some(times) = rule.times {
        line.add("first", &times.to_string());
    }
    format!("{} {}", line.0, fault_text(&rule.fault))
}

/// A fault as it stands in a rule.
pub(crate) fn fault_text(fault: &Fault) -> String {
    match fault {
        Fault::Reply(text) => format!("reply {}", free(text)),
        Fault::Raw(bytes) => format!("raw {}", escape_bytes(bytes)),
        Fault::Delay(pause) => format!("delay {}", duration(*pause)),
        Fault::Drip(pause) => format!("drip {}", duration(*pause)),
        Fault::Silent => "silent".to_owned(),
        Fault::Close => "close".to_owned(),
        Fault::Reset => "reset".to_owned(),
        Fault::Flood { line, bytes } => format!("flood {bytes} {}", free(line)),
        Fault::EndlessLine { bytes } => format!("endless-line {bytes}"),
        Fault::EndlessLiteral { announced, bytes } => {
            format!("endless-literal {announced} {bytes}")
        }
        Fault::Nesting { depth } => format!("nesting {depth}"),
        Fault::Garbage { bytes } => format!("garbage {bytes}"),
        Fault::Inject(bytes) => format!("inject {}", escape_bytes(bytes)),
        Fault::StripStarttls(Strip::Absent) => "strip-starttls".to_owned(),
        Fault::StripStarttls(Strip::Mangled) => "mangle-starttls".to_owned(),
        Fault::Preauth => "preauth".to_owned(),
        Fault::ByeAfterOk(text) => format!("bye-after-ok {}", free(text)),
        Fault::EchoPassword => "echo-password".to_owned(),
    }
}

fn duration(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else if duration.subsec_nanos().is_multiple_of(1_000_000) {
        format!("{}ms", duration.as_millis())
    } else {
        format!("{}us", duration.as_micros())
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || (c.is_whitespace() && c != ' ') => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Text that runs to the end of its line: spaces at its ends would be lost.
fn free(text: &str) -> String {
    let escaped = escape(text);
    let inner = escaped.trim_matches(' ');
    if inner.is_empty() {
        return "\\x20".repeat(escaped.len());
    }
    let before = escaped.len() - escaped.trim_start_matches(' ').len();
    let after = escaped.len() - escaped.trim_end_matches(' ').len();
    format!("{}{inner}{}", "\\x20".repeat(before), "\\x20".repeat(after))
}

fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\\' => out.push_str("\\\\"),
            b'!'..=b'~' => out.push(char::from(*byte)),
            other => {
                let _ = write!(out, "\\x{other:02x}");
            }
        }
    }
    out
}
