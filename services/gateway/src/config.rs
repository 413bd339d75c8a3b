//! What can be set about the gateway. Plain data; nothing is opened here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use mailfleet_model::fleet::{GroupKey, GroupLimits, PoolName, ZoneName};

/// Legs at once at a mail server of which nothing else is said. As many sessions as every
/// mail server in use allows, and few enough that nobody minds.
const CONCURRENCY: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The gateway's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where gRPC is served. Port 0 takes a free one. Without tenants everybody who reaches
    /// it may use it, so anything but loopback is refused. Defaults to 127.0.0.1:7443.
    pub listen: SocketAddr,
    /// Certificates; `None`: gRPC without TLS, for loopback or behind something that adds it.
    /// Defaults to `None`.
    pub tls: Option<TlsFiles>,
    /// Time that open calls get at shutdown for their reports. Jobs are not cancelled: they
    /// go on without the caller. Defaults to 60 s, the default budget of a validation.
    pub drain_grace: Duration,
    /// Largest request, in bytes: 1 MiB of certificates and some room. Defaults to 2 MiB.
    pub max_request_bytes: usize,
    /// Idle time after which a caller's connection is pinged. Defaults to 60 s.
    pub keepalive_interval: Duration,
    /// Time that a caller has to answer the ping. Defaults to 20 s.
    pub keepalive_timeout: Duration,
    /// The zone of the pools that `pool_zones` does not name, and the only one where limits are
    /// not split (`DispatchRules::shares`). Defaults to `default`.
    pub zone: ZoneName,
    /// The zones of pools: where legs that leave from them are released to.
    pub pool_zones: BTreeMap<PoolName, ZoneName>,
    /// What holds for mail servers without settings of their own: the same that the store
    /// was opened with, over all zones. Defaults to 10 sessions at once.
    pub limits: GroupLimits,
    /// What single mail servers allow as long as no operator has set anything else: also what
    /// the store was opened with, by the key of the group. Their owners are told.
    pub group_limits: BTreeMap<GroupKey, GroupLimits>,
    /// The addresses of each pool, to be allow-listed; none lets the system choose.
    pub pools: BTreeMap<PoolName, Vec<IpAddr>>,
    /// How long ended jobs are kept. Defaults to 7 days.
    pub retention: Duration,
    /// Whether events are published on the broker. Defaults to no: they are streamed either way.
    pub publish_events: bool,
    /// How long events are kept; those that wait to be published, seven times as long. Defaults
    /// to 1 day.
    pub keep_events: Duration,
    /// Longest wait for the addresses of a host before a job is stored; one that has none by
    /// then is counted by its name. Defaults to 2 s.
    pub resolve_within: Duration,
}

/// PEM files of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the gateway's own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities: callers must then show a certificate of theirs (mTLS), beside the token.
    pub client_ca: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7443),
            tls: None,
            drain_grace: Duration::from_secs(60),
            max_request_bytes: 2 * 1024 * 1024,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            zone: "default".parse().expect("a name"),
            pool_zones: BTreeMap::new(),
            limits: GroupLimits { concurrency: CONCURRENCY, per_source: None, rate: None },
            group_limits: BTreeMap::new(),
            pools: BTreeMap::new(),
            retention: Duration::from_secs(7 * 24 * 60 * 60),
            publish_events: false,
            keep_events: Duration::from_secs(24 * 60 * 60),
            resolve_within: Duration::from_secs(2),
        }
    }
}
