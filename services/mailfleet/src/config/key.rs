//! The keys of the configuration, as a table: path, kind, default, meaning.
//!
//! The one place that knows them: reading, `config show` and the reference file all follow it.
//! Some features come later; their keys are listed and checked already, so that scripts can
//! count on the names.

use super::value::{Kind, Value};

/// One key.
pub(crate) struct Key {
    /// Section and name, such as `gateway.listen`.
    pub(crate) path: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// The default as the environment would write it; `None` leaves the key unset.
    pub(crate) default: Option<&'static str>,
    /// Whether this version acts on it.
    pub(crate) used: Used,
    /// What it means, one line of the reference each. In tables: the meaning and an example.
    pub(crate) doc: &'static [&'static str],
}

/// Whether this version acts on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Used {
    /// It does.
    Now,
    /// The value is checked, and used by a later version.
    Later,
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

use Used::{Later, Now};

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    used: Used,
    doc: &'static [&'static str],
) -> Key {
    Key { path, kind, default, used, doc }
}

const STORE: &[&str] = &["sqlite:", "postgres://", "postgresql://"];
const BROKER: &[&str] = &["in-process", "amqp://", "amqps://"];
const HTTP: &[&str] = &["http://", "https://"];
/// Sessions at one mail server. The largest fleets stay far beneath the upper end.
const SESSIONS: Kind = Kind::Count { min: 1, max: 10_000 };
/// One step of a leg: a check lasts 5 minutes at most.
const STEP: Kind = Kind::Span { min_s: 1, max_s: 300 };

const GROUP: &[Key] = &[
    key(
        "match",
        Kind::Text { what: "a host name" },
        None,
        Later,
        &["Host name of the mail server.", "\"imap.example.com\""],
    ),
    key("concurrency", SESSIONS, None, Later, &["Sessions at once.", "5"]),
];
const POOL: &[Key] = &[
    key("name", Kind::Text { what: "a name" }, None, Now, &["Name of the pool.", "\"default\""]),
    key(
        "addresses",
        Kind::Addresses,
        Some(""),
        Now,
        &["Source IP addresses; none: the system chooses.", "[\"203.0.113.5\"]"],
    ),
];
const TENANT: &[Key] = &[
    key("name", Kind::Text { what: "a name" }, None, Later, &["Name of the tenant.", "\"crm\""]),
    key("token_file", Kind::Path, None, Later, &["File with the tenant's token.", "\"crm.token\""]),
    key(
        "role",
        Kind::Word(&["admin", "user"]),
        None,
        Later,
        &["What the tenant may do.", "\"admin\""],
    ),
];

/// Every key, in the order of the reference. Keys of one section stand together.
#[rustfmt::skip] // One key an entry, its meaning beside it: the point of a table.
pub(crate) const KEYS: &[Key] = &[
    key("gateway.listen", Kind::Listen, Some("127.0.0.1:7443"), Now,
        &["Address and port of the gRPC gateway. Port 0 takes a free one.",
          "Loopback only: nobody is asked for a token yet."]),
    key("gateway.concurrency", Kind::Count { min: 1, max: 100_000 }, Some("1000"), Now,
        &["Validations at once. One has up to three sockets."]),
    key("gateway.queue", Kind::Count { min: 0, max: 100_000 }, Some("1000"), Now,
        &["Validations that wait for one to end; more are refused with RESOURCE_EXHAUSTED."]),
    key("gateway.drain", Kind::Span { min_s: 0, max_s: 600 }, Some("60s"), Now,
        &["How long running validations may go on after SIGTERM."]),
    key("admin.listen", Kind::Listen, Some("127.0.0.1:9443"), Later,
        &["Address and port for metrics and health."]),
    key("store.url", Kind::Url(STORE), Some("sqlite:mailfleet.db"), Later,
        &["Where jobs are kept: sqlite:FILE or postgres://USER@HOST/DATABASE.",
          "A password belongs into the environment: MAILFLEET_STORE__URL."]),
    key("broker.url", Kind::Url(BROKER), Some("in-process"), Later,
        &["The queue: in-process, or amqp://USER@HOST (amqps:// with TLS).",
          "A password belongs into the environment: MAILFLEET_BROKER__URL."]),
    key("vault.key_file", Kind::Path, Some("mailfleet.keys"), Now,
        &["File with the keys that seal stored credentials. Mode 0600; mailfleet keys makes it."]),
    key("worker.zone", Kind::Text { what: "a name" }, Some("default"), Later,
        &["Zone of this worker: all its egress addresses can be used from here."]),
    key("worker.slots", Kind::Count { min: 1, max: 1_000_000 }, Some("2000"), Later,
        &["Legs at once."]),
    key("targets.allow", Kind::Networks, Some(""), Now,
        &["Networks that may be connected to although they are private or local, on any port.",
          "For mail servers of your own; a network here is open to every caller."]),
    key("trust.roots", Kind::Paths, Some(""), Now,
        &["PEM files with certificate authorities, trusted beside the system's."]),
    key("limits.concurrency", SESSIONS, Some("10"), Later,
        &["Sessions at once at one mail server."]),
    key("limits.group", Kind::Tables(GROUP), Some(""), Later,
        &["Limits for single mail servers."]),
    key("egress.pool", Kind::Tables(POOL), Some(""), Now,
        &["Source addresses to connect from; the pool \"default\" serves every check."]),
    key("tenant", Kind::Tables(TENANT), Some(""), Later,
        &["Who may call. Without any, the gateway serves one local tenant on loopback."]),
    key("telemetry.otlp", Kind::Url(HTTP), None, Now,
        &["OTLP collector for traces and metrics, such as http://127.0.0.1:4317. Unset: off."]),
    key("telemetry.logs", Kind::Word(&["text", "json"]), Some("text"), Now,
        &["Form of the log lines that `serve` writes to standard error."]),
    key("identity.ehlo_name", Kind::Text { what: "a host name" }, None, Now,
        &["Our name in EHLO, a host name that resolves to the egress address.",
          "Unset: the address of the connection, as RFC 5321 section 4.1.3 has it."]),
    key("identity.name", Kind::Text { what: "a name" }, Some("mailfleet"), Now,
        &["Our name in IMAP ID."]),
    key("identity.support_url", Kind::Url(HTTP), None, Now,
        &["Where the administrator of a mail server can ask about us, in IMAP ID."]),
    key("rules.courier", Kind::Word(&["refuse", "warn"]), Some("refuse"), Now,
        &["What a Courier-IMAP server is: a blocking fault, or a warning."]),
    key("steps.resolve", STEP, Some("10s"), Now, &["Longest time to look up a host name."]),
    key("steps.connect", STEP, Some("15s"), Now,
        &["Longest time to connect to the last address of a host; 5 s while others remain."]),
    key("steps.tls", STEP, Some("20s"), Now,
        &["Longest time for the TLS handshake, with the probes that explain a failed one."]),
    key("steps.greeting", STEP, Some("35s"), Now,
        &["Longest time for the server's first words; some servers wait 30 s on purpose."]),
    key("steps.capability", STEP, Some("15s"), Now,
        &["Longest time for CAPABILITY, CAPA, EHLO, STARTTLS and ID."]),
    key("steps.login", STEP, Some("30s"), Now,
        &["Longest time for the answer to a login; refusals are often held back."]),
    key("steps.open", STEP, Some("30s"), Now, &["Longest time to open the mailbox."]),
    key("steps.envelope", STEP, Some("30s"), Now,
        &["Longest time for each of MAIL FROM, RCPT TO and RSET."]),
    key("steps.submit", STEP, Some("120s"), Now,
        &["Longest time for the answer to the test mail."]),
    key("steps.goodbye", Kind::Span { min_s: 0, max_s: 10 }, Some("1s"), Now,
        &["Longest time for LOGOUT or QUIT."]),
];
