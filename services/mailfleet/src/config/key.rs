//! The keys of the configuration, as a table: path, kind, default, meaning.
//!
//! The one place that knows them: reading, `config show` and the reference file all follow it.

use super::value::{Kind, Value};

/// One key.
pub(crate) struct Key {
    /// Section and name, such as `gateway.listen`.
    pub(crate) path: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// The default as the environment would write it; `None` leaves the key unset.
    pub(crate) default: Option<&'static str>,
    /// Whether a row of a table may leave it out without a default.
    pub(crate) optional: bool,
    /// What it means, one line of the reference each. In tables: the meaning and an example.
    pub(crate) doc: &'static [&'static str],
}

impl Key {
    /// The default, read like any other value.
    pub(crate) fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        let value = self.kind.read_text(text);
        Some(value.unwrap_or_else(|_| unreachable!("the tests read every default")))
    }

    /// The section: `limits` for `limits.concurrency`.
    pub(crate) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within the section.
    pub(crate) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static [&'static str],
) -> Key {
    Key { path, kind, default, optional: false, doc }
}

/// A column that a row may leave out.
const fn optional(path: &'static str, kind: Kind, doc: &'static [&'static str]) -> Key {
    Key { path, kind, default: None, optional: true, doc }
}

const STORE: &[&str] = &["sqlite:", "postgres://", "postgresql://"];
const BROKER: &[&str] = &["in-process", "amqp://", "amqps://"];
const HTTP: &[&str] = &["http://", "https://"];
/// Sessions at one mail server. The largest fleets stay far beneath the upper end.
const SESSIONS: Kind = Kind::Count { min: 1, max: 10_000 };
/// One step of a leg: a check lasts 5 minutes at most.
const STEP: Kind = Kind::Span { min_s: 1, max_s: 300 };

/// Logins in a minute; none means as fast as the sessions allow.
const LOGINS: Kind = Kind::Count { min: 0, max: 100_000 };
/// Open jobs of one tenant.
const JOBS: Kind = Kind::Count { min: 1, max: 100_000_000 };

const GROUP: &[Key] = &[
    key(
        "match",
        Kind::Text { what: "the name of a limit group" },
        None,
        &["Limit group, as `mailfleet fleet groups` shows it.", "\"imap:203.0.113.9\""],
    ),
    key("concurrency", SESSIONS, None, &["Sessions at once.", "5"]),
    key(
        "logins_per_minute",
        LOGINS,
        Some("0"),
        &["Logins in a minute at most; 0: as fast as the sessions allow.", "30"],
    ),
];
const POOL: &[Key] = &[
    key("name", Kind::Text { what: "a name" }, None, &["Name of the pool.", "\"default\""]),
    key(
        "addresses",
        Kind::Addresses,
        Some(""),
        &["Source IP addresses; with no member at all the system chooses.", "[\"203.0.113.5\"]"],
    ),
    key(
        "zone",
        Kind::Text { what: "a name" },
        Some("default"),
        &["Zone whose workers have all these addresses.", "\"default\""],
    ),
    key(
        "per_address",
        Kind::Count { min: 0, max: 1_000_000 },
        Some("0"),
        &["Connections at once from each address, over all mail servers; 0: any number.", "100"],
    ),
];
/// A zone's share of every limit, in percent.
const SHARE: Kind = Kind::Count { min: 1, max: 100 };
const ZONE: &[Key] = &[
    key("name", Kind::Text { what: "a name" }, None, &["Name of the zone.", "\"tokyo\""]),
    optional("share", SHARE, &["Its share of every mail server's limit, in percent.", "50"]),
    optional(
        "key_file",
        Kind::Path,
        &["Public half of its workers' keys; unset: vault.key_file.", "\"tokyo.keys\""],
    ),
];
const SOCKS5: &[Key] = &[
    key("pool", Kind::Text { what: "a name" }, None, &["Pool that it belongs to.", "\"default\""]),
    key(
        "server",
        Kind::Text { what: "a host and a port" },
        None,
        &["The proxy's host and port.", "\"socks5.example.com:1080\""],
    ),
    key(
        "exit",
        Kind::Text { what: "an IP address" },
        None,
        &["Address that mail servers see and customers allow-list.", "\"203.0.113.7\""],
    ),
    optional("user", Kind::Text { what: "a user name" }, &["User name, if it asks.", "\"fleet\""]),
    optional("password_file", Kind::Path, &["File with the password.", "\"socks5.password\""]),
];
const TENANT: &[Key] = &[
    key("name", Kind::Text { what: "a name" }, None, &["Name of the tenant.", "\"crm\""]),
    key("token_file", Kind::Path, None, &["File with the tenant's token.", "\"crm.token\""]),
    key(
        "role",
        Kind::Word(&["reader", "submitter", "admin"]),
        Some("submitter"),
        &["reader sees jobs, submitter submits and cancels, admin runs the fleet.", "\"admin\""],
    ),
    key(
        "pool",
        Kind::Text { what: "a name" },
        Some("default"),
        &["Egress pool that its jobs leave from.", "\"default\""],
    ),
    key(
        "weight",
        Kind::Count { min: 1, max: 100 },
        Some("1"),
        &["Turns at a busy mail server for one of a tenant with weight 1.", "5"],
    ),
];

/// Every key, in the order of the reference. Keys of one section stand together.
#[rustfmt::skip] // One key an entry, its meaning beside it: the point of a table.
pub(crate) const KEYS: &[Key] = &[
    key("gateway.listen", Kind::Listen, Some("127.0.0.1:7443"),
        &["Address and port of the gRPC gateway. Port 0 takes a free one.",
          "Loopback only as long as there is no [[tenant]]."]),
    key("gateway.drain", Kind::Span { min_s: 0, max_s: 600 }, Some("60s"),
        &["How long callers may wait for their reports after SIGTERM. Jobs go on by themselves."]),
    key("gateway.tls_cert", Kind::Path, None,
        &["PEM file with the gateway's certificate chain. Unset: gRPC without TLS."]),
    key("gateway.tls_key", Kind::Path, None, &["PEM file with its private key."]),
    key("gateway.client_ca", Kind::Path, None,
        &["PEM file with authorities; callers must then show a certificate of theirs (mTLS)."]),
    key("admin.listen", Kind::Listen, Some("127.0.0.1:9443"),
        &["Address and port for /healthz, /readyz and /metrics. Port 0 takes a free one."]),
    key("store.url", Kind::Url(STORE), Some("sqlite:mailfleet.db"),
        &["Where jobs are kept: sqlite:FILE or postgres://USER@HOST/DATABASE.",
          "A password belongs into the environment: MAILFLEET_STORE__URL."]),
    key("store.retention", Kind::Span { min_s: 60, max_s: 315_360_000 }, Some("7days"),
        &["How long ended jobs and their reports are kept."]),
    key("broker.url", Kind::Url(BROKER), Some("in-process"),
        &["The queue: in-process, or amqp://USER@HOST (amqps:// with TLS).",
          "A password belongs into the environment: MAILFLEET_BROKER__URL."]),
    key("broker.namespace", Kind::Text { what: "a name" }, Some("mailfleet"),
        &["What the names of all queues begin with: 1 to 32 of a-z, 0-9 and -."]),
    key("broker.roots", Kind::Paths, Some(""),
        &["PEM files with authorities for amqps://, trusted beside the system's."]),
    key("vault.key_file", Kind::Path, Some("mailfleet.keys"),
        &["File with the keys that seal credentials. Mode 0600; serve makes it at its first start.",
          "Gateways of a fleet get the public half: mailfleet keys public FILE."]),
    key("fleet.shards", Kind::Count { min: 1, max: 1_024 }, Some("64"),
        &["Shards in a zone. The same in every process; never changed while jobs are open."]),
    key("fleet.zone", Kind::Tables(ZONE), Some(""),
        &["Zones, where there are several: between them every mail server's limit is split. The",
          "same in every process. To change shares, lower some first, restart every gateway, then",
          "raise others. A zone without pools finishes what it has."]),
    key("worker.zone", Kind::Text { what: "a name" }, Some("default"),
        &["Zone of this worker: all its egress addresses can be used from here."]),
    key("worker.slots", Kind::Count { min: 1, max: 1_000_000 }, Some("2000"),
        &["Legs at once."]),
    key("worker.kinds", Kind::Words(&mailfleet_worker::KINDS), Some("incoming,outgoing,arrival"),
        &["Kinds of legs that this worker of a fleet runs. Fewer than all only for a staged roll-out:",
          "others are given back until a worker that runs them has the shard, and wait for one."]),
    key("targets.allow", Kind::Networks, Some(""),
        &["Networks that may be connected to although they are private or local, on any port.",
          "For mail servers of your own; a network here is open to every caller."]),
    key("trust.roots", Kind::Paths, Some(""),
        &["PEM files with certificate authorities, trusted beside the system's."]),
    key("limits.concurrency", SESSIONS, Some("10"),
        &["Sessions at once at one mail server, over the whole fleet."]),
    key("limits.logins_per_minute", LOGINS, Some("0"),
        &["Logins in a minute at one mail server; 0: as fast as the sessions allow."]),
    key("limits.group", Kind::Tables(GROUP), Some(""),
        &["Limits for single mail servers."]),
    key("quota.interactive", JOBS, Some("1000"),
        &["Open interactive jobs of one tenant; more are refused with RESOURCE_EXHAUSTED."]),
    key("quota.bulk", JOBS, Some("200000"), &["Open jobs of batches and syncs of one tenant."]),
    key("quota.per_minute", JOBS, Some("60000"),
        &["Submissions of one tenant in a minute, at one gateway."]),
    key("egress.pool", Kind::Tables(POOL), Some(""),
        &["Source addresses to connect from; the pool \"default\" serves whoever names no other."]),
    key("egress.socks5", Kind::Tables(SOCKS5), Some(""),
        &["SOCKS5 proxies in pools, beside or instead of addresses. They are told addresses only,",
          "never names. The password goes to them in the clear."]),
    key("events.publish", Kind::Word(&["off", "on"]), Some("off"),
        &["Whether other services get events over RabbitMQ: the topic exchange NAMESPACE.v1.events.",
          "EventService streams them either way."]),
    key("events.keep", Kind::Span { min_s: 60, max_s: 31_536_000 }, Some("1day"),
        &["How long events can be watched again. Those that wait for a broker that is away are kept",
          "seven times as long, and counted if they are deleted then."]),
    key("tenant", Kind::Tables(TENANT), Some(""),
        &["Who may call. Without any, the gateway serves one local tenant on loopback."]),
    key("telemetry.otlp", Kind::Url(HTTP), None,
        &["OTLP collector (gRPC) for traces and metrics, such as http://127.0.0.1:4317. With",
          "https:// it must be certified by an authority that the system trusts. Unset: off; metrics",
          "are on /metrics of the admin port in any case."]),
    key("telemetry.sampling", Kind::Share, Some("1"),
        &["Share of traces that is recorded, from 0 to 1. Callers that bring a trace decide for",
          "themselves; each item of a batch is a trace of its own."]),
    key("telemetry.logs", Kind::Word(&["auto", "text", "json"]), Some("auto"),
        &["Form of the log lines that servers write to standard error: \"text\" for people, \"json\"",
          "for collectors, one object a line; \"auto\" is text on a terminal, and JSON elsewhere."]),
    key("identity.ehlo_name", Kind::Text { what: "a host name" }, None,
        &["Our name in EHLO, a host name that resolves to the egress address.",
          "Unset: the address of the connection, as RFC 5321 section 4.1.3 has it."]),
    key("identity.name", Kind::Text { what: "a name" }, Some("mailfleet"),
        &["Our name in IMAP ID."]),
    key("identity.support_url", Kind::Url(HTTP), None,
        &["Where the administrator of a mail server can ask about us, in IMAP ID."]),
    key("rules.courier", Kind::Word(&["refuse", "warn"]), Some("refuse"),
        &["What a Courier-IMAP server is: a blocking fault, or a warning."]),
    key("steps.resolve", STEP, Some("10s"), &["Longest time to look up a host name."]),
    key("steps.connect", STEP, Some("15s"),
        &["Longest time to connect to the last address of a host; 5 s while others remain."]),
    key("steps.tls", STEP, Some("20s"),
        &["Longest time for the TLS handshake, with the probes that explain a failed one."]),
    key("steps.greeting", STEP, Some("35s"),
        &["Longest time for the server's first words; some servers wait 30 s on purpose."]),
    key("steps.capability", STEP, Some("15s"),
        &["Longest time for CAPABILITY, CAPA, EHLO, STARTTLS and ID."]),
    key("steps.login", STEP, Some("30s"),
        &["Longest time for the answer to a login; refusals are often held back."]),
    key("steps.open", STEP, Some("30s"), &["Longest time to open the mailbox."]),
    key("steps.envelope", STEP, Some("30s"),
        &["Longest time for each of MAIL FROM, RCPT TO and RSET."]),
    key("steps.submit", STEP, Some("120s"),
        &["Longest time for the answer to the test mail."]),
    key("steps.goodbye", Kind::Span { min_s: 0, max_s: 10 }, Some("1s"),
        &["Longest time for LOGOUT or QUIT."]),
];
