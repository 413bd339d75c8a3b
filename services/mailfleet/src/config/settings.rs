//! The configuration in the terms of the parts that it is for.
//!
//! Everything here was judged before: taking a value of the wrong kind is a mistake in the
//! table of keys, which the tests find.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use mailfleet_engine::Shares;
use mailfleet_gateway::Role;
use mailfleet_model::Secret;
use mailfleet_model::fleet::{GroupKey, GroupLimits, LegKind, PoolName, Rate, TenantId, ZoneName};
use mailfleet_probe::limits::Limits;
use mailfleet_probe::{CourierRule, Identity, Rules};

use super::Configuration;
use super::pools::{DEFAULT_POOL, PoolSettings};
use super::value::Value;

/// The period of a login rate.
const MINUTE: Duration = Duration::from_secs(60);

/// What the commands act on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where gRPC is served.
    pub(crate) listen: SocketAddr,
    /// How long callers may wait for their reports after SIGTERM.
    pub(crate) drain: Duration,
    /// TLS of the gateway; `None`: without.
    pub(crate) tls: Option<TlsFiles>,
    /// Where health is served.
    pub(crate) admin: SocketAddr,
    /// Where jobs are kept. May hold a password.
    pub(crate) store: Arc<Secret>,
    /// How long ended jobs are kept.
    pub(crate) retention: Duration,
    /// The broker; `None`: in this process. May hold a password.
    pub(crate) broker: Option<Arc<Secret>>,
    /// What the names of all queues begin with.
    pub(crate) namespace: String,
    /// PEM files with authorities for the broker.
    pub(crate) broker_roots: Vec<PathBuf>,
    /// File with the keys that seal credentials.
    pub(crate) key_file: PathBuf,
    /// Shards in a zone.
    pub(crate) shards: NonZeroU16,
    /// The zone of this process's worker.
    pub(crate) zone: ZoneName,
    /// The share of each zone in every limit; none where there is one zone.
    pub(crate) shares: Shares,
    /// Files with the public keys of zones that have some of their own.
    pub(crate) zone_keys: BTreeMap<ZoneName, PathBuf>,
    /// Legs at once in one worker.
    pub(crate) slots: NonZeroU32,
    /// Kinds of legs that a worker of a fleet runs.
    pub(crate) kinds: BTreeSet<LegKind>,
    /// Networks lifted from the target guard.
    pub(crate) allow: Vec<IpNet>,
    /// PEM files with authorities.
    pub(crate) roots: Vec<PathBuf>,
    /// What a mail server allows of which nothing else is said.
    pub(crate) default_limits: GroupLimits,
    /// What single mail servers allow.
    pub(crate) group_limits: Vec<(GroupKey, GroupLimits)>,
    /// What each tenant may use.
    pub(crate) quota: QuotaSettings,
    /// The egress pools; never none, and one of them is the default.
    pub(crate) pools: BTreeMap<PoolName, PoolSettings>,
    /// Whether events are published on the broker.
    pub(crate) publish_events: bool,
    /// How long events are kept.
    pub(crate) keep_events: Duration,
    /// Who may call; none: one local tenant.
    pub(crate) tenants: Vec<TenantSettings>,
    /// OTLP collector, if any.
    pub(crate) otlp: Option<String>,
    /// Share of traces that is recorded.
    pub(crate) sampling: f64,
    /// Form of log lines.
    pub(crate) logs: LogForm,
    /// How we introduce ourselves.
    pub(crate) identity: Identity,
    /// Rules of the product.
    pub(crate) rules: Rules,
    /// Longest time of each step.
    pub(crate) limits: Limits,
}

/// PEM files of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate chain.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// Authorities whose certificates callers must show.
    pub(crate) client_ca: Option<PathBuf>,
}

/// What each tenant may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaSettings {
    /// Open interactive jobs.
    pub(crate) interactive: u64,
    /// Open jobs of the other classes.
    pub(crate) bulk: u64,
    /// Submissions in a minute.
    pub(crate) per_minute: u64,
}

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantSettings {
    /// Its name.
    pub(crate) name: TenantId,
    /// The file with its token.
    pub(crate) token_file: PathBuf,
    /// What it may do.
    pub(crate) role: Role,
    /// The pool that its jobs leave from.
    pub(crate) pool: PoolName,
    /// Its turns at a busy mail server.
    pub(crate) weight: NonZeroU32,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogForm {
    /// For people on a terminal, for collectors elsewhere.
    Auto,
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
            listen: from.listen("gateway.listen"),
            drain: from.span("gateway.drain"),
            tls: from.tls(),
            admin: from.listen("admin.listen"),
            store: from.secret("store.url"),
            retention: from.span("store.retention"),
            broker: Some(from.secret("broker.url")).filter(|_| !from.is_in_process()),
            namespace: from.text("broker.namespace").expect(KIND),
            broker_roots: from.paths("broker.roots"),
            key_file: from.path("vault.key_file").expect(KIND),
            shards: from.number("fleet.shards").and_then(NonZeroU16::new).expect(KIND),
            zone: from.worker_zone(),
            shares: from.shares(),
            zone_keys: from.zone_keys(),
            slots: from.number("worker.slots").and_then(NonZeroU32::new).expect(KIND),
            kinds: from.kinds("worker.kinds"),
            allow: from.networks("targets.allow"),
            roots: from.paths("trust.roots"),
            default_limits: limits(
                from.count("limits.concurrency"),
                from.count("limits.logins_per_minute"),
            ),
            group_limits: from.group_limits(),
            quota: QuotaSettings {
                interactive: from.count("quota.interactive"),
                bulk: from.count("quota.bulk"),
                per_minute: from.count("quota.per_minute"),
            },
            pools: from.pools(),
            publish_events: from.text("events.publish").as_deref() == Some("on"),
            keep_events: from.span("events.keep"),
            tenants: from.tenants(),
            otlp: from.url("telemetry.otlp"),
            sampling: from.share("telemetry.sampling"),
            logs: match from.text("telemetry.logs").as_deref() {
                Some("json") => LogForm::Json,
                Some("text") => LogForm::Text,
                _ => LogForm::Auto,
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

    /// The default pool.
    pub(crate) fn default_pool(&self) -> (&PoolName, &PoolSettings) {
        let mut pools = self.pools.iter();
        pools.find(|(name, _)| name.as_str() == DEFAULT_POOL).expect("the check wants one")
    }
}

/// What a group allows. A rate of 0 is none.
pub(super) fn limits(concurrency: u64, logins_per_minute: u64) -> GroupLimits {
    let number = |n: u64| u32::try_from(n).ok().and_then(NonZeroU32::new);
    GroupLimits {
        concurrency: number(concurrency).expect(KIND),
        per_source: None,
        rate: number(logins_per_minute).map(|logins| Rate { logins, per: MINUTE }),
    }
}

/// Takes values out of the configuration.
pub(super) struct Values<'a>(pub(super) &'a Configuration);

/// What a getter says when the table of keys and this file disagree.
pub(super) const KIND: &str = "the table of keys gives this key this kind and a default";

/// A row of an array of tables.
pub(super) type Row = BTreeMap<&'static str, Value>;

impl Values<'_> {
    pub(super) fn listen(&self, path: &str) -> SocketAddr {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Listen(a) = v { Some(*a) } else { None }).expect(KIND)
    }

    fn share(&self, path: &str) -> f64 {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Share(n) = v { Some(*n) } else { None }).expect(KIND)
    }

    fn count(&self, path: &str) -> u64 {
        let value = self.0.get(path);
        value.and_then(|v| if let Value::Count(n) = v { Some(*n) } else { None }).expect(KIND)
    }

    fn number<T: TryFrom<u64>>(&self, path: &str) -> Option<T> {
        T::try_from(self.count(path)).ok()
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

    pub(super) fn path(&self, path: &str) -> Option<PathBuf> {
        self.0.get(path).and_then(|v| if let Value::Path(p) = v { Some(p.clone()) } else { None })
    }

    fn paths(&self, path: &str) -> Vec<PathBuf> {
        match self.0.get(path) {
            Some(Value::Paths(paths)) => paths.clone(),
            _ => Vec::new(),
        }
    }

    fn kinds(&self, path: &str) -> BTreeSet<LegKind> {
        match self.0.get(path) {
            Some(Value::Words(words)) => {
                words.iter().map(|kind| kind.parse().expect(KIND)).collect()
            }
            _ => unreachable!("{KIND}"),
        }
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.0.get(path).and_then(text)
    }

    fn url(&self, path: &str) -> Option<String> {
        match self.0.get(path) {
            Some(Value::Url(url)) => Some(String::from_utf8_lossy(url.expose()).into_owned()),
            _ => None,
        }
    }

    fn secret(&self, path: &str) -> Arc<Secret> {
        match self.0.get(path) {
            Some(Value::Url(url)) => Arc::new(Secret::new(url.expose().to_vec())),
            _ => unreachable!("{KIND}"),
        }
    }

    /// Whether the broker is in this process.
    pub(super) fn is_in_process(&self) -> bool {
        self.secret("broker.url").expose() == b"in-process"
    }

    fn tls(&self) -> Option<TlsFiles> {
        let (cert, key) = (self.path("gateway.tls_cert")?, self.path("gateway.tls_key")?);
        Some(TlsFiles { cert, key, client_ca: self.path("gateway.client_ca") })
    }

    /// The rows of an array of tables.
    pub(super) fn rows(&self, path: &str) -> &[Row] {
        match self.0.get(path) {
            Some(Value::Tables(rows)) => rows,
            _ => &[],
        }
    }

    fn tenants(&self) -> Vec<TenantSettings> {
        let tenant = |row: &Row| TenantSettings {
            name: column(row, "name").parse().expect(KIND),
            token_file: match row.get("token_file") {
                Some(Value::Path(path)) => path.clone(),
                _ => unreachable!("{KIND}"),
            },
            role: column(row, "role").parse().expect(KIND),
            pool: column(row, "pool").parse().expect(KIND),
            weight: match row.get("weight") {
                Some(Value::Count(weight)) => u32::try_from(*weight).ok().and_then(NonZeroU32::new),
                _ => None,
            }
            .expect(KIND),
        };
        self.rows("tenant").iter().map(tenant).collect()
    }

    fn group_limits(&self) -> Vec<(GroupKey, GroupLimits)> {
        let number = |row: &Row, name| match row.get(name) {
            Some(Value::Count(number)) => *number,
            _ => unreachable!("{KIND}"),
        };
        let rows = self.rows("limits.group").iter();
        rows.map(|row| {
            let allowed = limits(number(row, "concurrency"), number(row, "logins_per_minute"));
            (GroupKey::new(column(row, "match")).expect(KIND), allowed)
        })
        .collect()
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

/// A text of a row; every column of a text has one.
pub(super) fn column(row: &Row, name: &str) -> String {
    row.get(name).and_then(text).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    if let Value::Text(text) = value { Some(text.clone()) } else { None }
}
