//! What an operator says about RabbitMQ.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;
use mailfleet_model::Secret;

use super::Settings;
use super::topology::Names;
use crate::Topology;

/// Longest call. Well above what a healthy broker needs, also while it flushes to disk,
/// and below the time after which a leg is published again.
const DEADLINE: Duration = Duration::from_secs(10);

/// The broker lets a silent connection's locks go after two to three of these, and the
/// worker's fence counts on it. RabbitMQ advises 5 to 20 s.
const HEARTBEAT_SECONDS: u16 = 10;

/// Publications under way at once.
const PUBLISH_CHANNELS: usize = 16;

/// How to reach RabbitMQ, and what is on it.
#[derive(Debug)]
pub struct RabbitConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`. A `heartbeat` among its
    /// parameters is kept; without one it is 10 s.
    pub url: Secret,
    /// Authorities that are trusted beside the system's, for `amqps`, in PEM.
    /// Defaults to none.
    pub roots_pem: Option<String>,
    /// What all names begin with, so that deployments may share a virtual host: 1 to 32 of
    /// `a-z`, `0-9` and `-`. Defaults to `mailfleet`.
    pub namespace: String,
    /// The shards and lengths.
    pub topology: Topology,
    /// Longest call. Defaults to 10 s.
    pub deadline: Duration,
    /// Publications that are under way at once, at least 1. Defaults to 16.
    pub n_publish_channels: usize,
}

impl RabbitConfig {
    /// This URL, these shards, and the defaults.
    #[must_use]
    pub fn new(url: Secret, topology: Topology) -> Self {
        Self {
            url,
            roots_pem: None,
            namespace: "mailfleet".to_owned(),
            topology,
            deadline: DEADLINE,
            n_publish_channels: PUBLISH_CHANNELS,
        }
    }

    pub(super) fn into_settings(self) -> Result<Settings, InvalidUrl> {
        let text = str::from_utf8(self.url.expose()).map_err(|_| InvalidUrl::Syntax)?;
        // The parser's own error is dropped: it may quote the URL.
        let mut uri: AMQPUri = text.parse().map_err(|_| InvalidUrl::Syntax)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=32).contains(&self.namespace.len()) || !self.namespace.bytes().all(named) {
            return Err(InvalidUrl::Namespace);
        }
        Ok(Settings {
            uri,
            roots_pem: self.roots_pem,
            names: Names::new(&self.namespace),
            topology: self.topology,
            deadline: self.deadline,
            n_publish_channels: self.n_publish_channels.max(1),
        })
    }
}

/// The configuration cannot be used. Says nothing of what the URL holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUrl {
    /// It is no AMQP URL.
    Syntax,
    /// The namespace has other characters than it may, or too many.
    Namespace,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the broker's URL is not amqp://… or amqps://…",
            Self::Namespace => "the broker's namespace is not 1 to 32 of a-z, 0-9 and '-'",
        })
    }
}

impl std::error::Error for InvalidUrl {}

#[cfg(test)]
mod tests {
    use mailfleet_model::fleet::ZoneName;

    use super::*;
    use crate::RabbitMq;

    const CANARY: &str = "canary-8f2c";

    fn config(url: &str) -> RabbitConfig {
        let zone: ZoneName = "default".parse().expect("a name");
        RabbitConfig::new(Secret::new(url.as_bytes().to_vec()), Topology::new(vec![zone]))
    }

    #[test]
    fn a_url_is_never_printed() {
        let good = config(&format!("amqps://{CANARY}:{CANARY}@broker.test:5671/%2f"));
        let shown = format!("{good:?}");
        let opened = format!("{:?}", RabbitMq::new(good).expect("a URL"));
        assert!(opened.contains("broker.test") && !opened.contains(CANARY), "{opened}");
        assert!(!shown.contains(CANARY), "{shown}");
        for bad in ["amqp://canary-8f2c:canary-8f2c@h:port/", "http://canary-8f2c", "canary-8f2c"] {
            let error = RabbitMq::new(config(bad)).expect_err("no URL");
            assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
        }
    }

    #[test]
    fn a_heartbeat_is_always_asked_for() {
        let heartbeat = |url: &str| config(url).into_settings().expect("a URL").uri.query.heartbeat;
        assert_eq!(heartbeat("amqp://h/"), Some(10));
        assert_eq!(heartbeat("amqp://h/?heartbeat=5"), Some(5));
    }

    #[test]
    fn a_namespace_keeps_to_its_alphabet() {
        for bad in ["", "A", "a.b", "a*", &"a".repeat(33)] {
            let config = RabbitConfig { namespace: bad.to_owned(), ..config("amqp://h/") };
            assert_eq!(config.into_settings().err(), Some(InvalidUrl::Namespace), "{bad:?}");
        }
    }
}
