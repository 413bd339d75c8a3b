//! The configuration in the terms of the parts that it is for.
//!
//! Everything here was judged before: taking a value of the wrong kind is a mistake in the
//! table of keys, which the tests find.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mailfleet_gateway as gateway;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::{CourierRule, Identity, Rules};

use super::value::Value;
use super::{Configuration, Problem};

/// The pool whose addresses serve every check.
const DEFAULT_POOL: &str = "default";

/// What the commands of this version act on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Settings of the gateway.
    pub(crate) gateway: gateway::Config,
    /// Networks lifted from the target guard.
    pub(crate) allow: Vec<IpNet>,
    /// PEM files with authorities.
    pub(crate) roots: Vec<PathBuf>,
    /// File with the keys that seal stored credentials.
    pub(crate) key_file: PathBuf,
    /// Source addresses of the default pool; none lets the system choose.
    pub(crate) egress: Vec<IpAddr>,
    /// OTLP collector, if any.
    pub(crate) otlp: Option<String>,
    /// Form of log lines.
    pub(crate) logs: LogForm,
    /// How we introduce ourselves.
    pub(crate) identity: Identity,
    /// Rules of the product.
    pub(crate) rules: Rules,
    /// Longest time of each step.
    pub(crate) limits: Limits,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogForm {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

impl Settings {
    /// Takes the values of a configuration that was judged good.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let from = Values(configuration);
        Self {
            gateway: gateway::Config {
                listen: from.listen("gateway.listen"),
                max_concurrent: NonZeroUsize::new(from.count("gateway.concurrency")).expect(KIND),
                queue: from.count("gateway.queue"),
                drain_grace: from.span("gateway.drain"),
                ..gateway::Config::default()
            },
            allow: from.networks("targets.allow"),
            roots: from.paths("trust.roots"),
            key_file: from.path("vault.key_file"),
            egress: from.egress(),
            otlp: from.url("telemetry.otlp"),
            logs: match from.text("telemetry.logs").as_deref() {
                Some("json") => LogForm::Json,
                _ => LogForm::Text,
            },
            identity: Identity {
                ehlo_name: from.text("identity.ehlo_name"),
                name: from.text("identity.name").unwrap_or_else(|| Identity::default().name),
                support_url: from.url("identity.support_url"),
                ..Identity::default()
            },
            rules: Rules {
                courier: match from.text("rules.courier").as_deref() {
                    Some("warn") => CourierRule::Warn,
                    _ => CourierRule::Refuse,
                },
            },
            limits: from.limits(),
        }
    }
}

/// Takes values out of the configuration.
struct Values<'a>(&'a Configuration);

/// What a getter says when the table of keys and this file disagree.
const KIND: &str = "the table of keys gives this key this kind and a default";

impl Values<'_> {
    fn listen(&self, path: &str) -> SocketAddr {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Listen(a) = v { Some(*a) } else { None }).expect(KIND)
    }

    fn count(&self, path: &str) -> usize {
        let value = self.0.get(path);
        let count = value.and_then(|v| if let Value::Count(n) = v { Some(*n) } else { None });
        count.and_then(|count| usize::try_from(count).ok()).expect(KIND)
    }

    fn span(&self, path: &str) -> Duration {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Span(s) = v { Some(*s) } else { None }).expect(KIND)
    }

    fn networks(&self, path: &str) -> Vec<IpNet> {
        match self.0.get(path) {
            Some(Value::Networks(networks)) => networks.clone(),
            _ => Vec::new(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Path(p) = v { Some(p.clone()) } else { None }).expect(KIND)
    }

    fn paths(&self, path: &str) -> Vec<PathBuf> {
        match self.0.get(path) {
            Some(Value::Paths(paths)) => paths.clone(),
            _ => Vec::new(),
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.0.get(path) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn url(&self, path: &str) -> Option<String> {
        match self.0.get(path) {
            Some(Value::Url(url)) => Some(String::from_utf8_lossy(url.expose()).into_owned()),
            _ => None,
        }
    }

    fn egress(&self) -> Vec<IpAddr> {
        let Some(Value::Tables(pools)) = self.0.get("egress.pool") else { return Vec::new() };
        let is_default = |value: &Value| matches!(value, Value::Text(name) if name == DEFAULT_POOL);
        let pool = pools.iter().find(|pool| pool.get("name").is_some_and(is_default));
        match pool.and_then(|pool| pool.get("addresses")) {
            Some(Value::Addresses(addresses)) => addresses.clone(),
            _ => Vec::new(),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            resolve: self.span("steps.resolve"),
            connect: self.span("steps.connect"),
            tls: self.span("steps.tls"),
            greeting: self.span("steps.greeting"),
            capability: self.span("steps.capability"),
            login: self.span("steps.login"),
            open: self.span("steps.open"),
            envelope: self.span("steps.envelope"),
            submit: self.span("steps.submit"),
            goodbye: self.span("steps.goodbye"),
        }
    }
}

/// Rules over more than one key.
pub(super) fn check_together(configuration: &Configuration, problems: &mut Vec<Problem>) {
    let listen = Values(configuration).listen("gateway.listen");
    if !listen.ip().is_loopback() {
        problems.push(Problem {
            key: "gateway.listen".to_owned(),
            origin: configuration.effective("gateway.listen").origin.clone(),
            description: "is not a loopback address; this version asks nobody for a token, so it \
                          listens on loopback only, such as \"127.0.0.1:7443\""
                .to_owned(),
        });
    }
    if let Some(Value::Tables(pools)) = configuration.get("egress.pool") {
        let names: Vec<&Value> = pools.iter().filter_map(|pool| pool.get("name")).collect();
        let is_default =
            |value: &&Value| matches!(value, Value::Text(name) if name == DEFAULT_POOL);
        if !names.is_empty() && !names.iter().any(is_default) {
            problems.push(Problem {
                key: "egress.pool".to_owned(),
                origin: configuration.effective("egress.pool").origin.clone(),
                description: "has no pool named \"default\", which serves every check".to_owned(),
            });
        }
    }
}
