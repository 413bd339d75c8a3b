//! What can be set about the gateway. Plain data; nothing is opened here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The gateway's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where gRPC is served. Port 0 takes a free one. Without tenants everybody who reaches
    /// it may use it, so anything but loopback is refused. Defaults to 127.0.0.1:7443.
    pub listen: SocketAddr,
    /// Most validations that run at once. One has up to three sockets. Defaults to 1,000.
    pub max_concurrent: NonZeroUsize,
    /// Most validations that wait for one to end; a further one is refused with
    /// RESOURCE_EXHAUSTED. 0: nobody waits. Defaults to 1,000.
    pub queue: usize,
    /// What a refused caller is told to wait. Defaults to 5 s.
    pub retry_after: Duration,
    /// Time that running validations get at shutdown before they are cancelled. Defaults to
    /// 60 s, the default budget of a validation.
    pub drain_grace: Duration,
    /// Largest request, in bytes: 1 MiB of certificates and some room. Defaults to 2 MiB.
    pub max_request_bytes: usize,
    /// Idle time after which a caller's connection is pinged. Defaults to 60 s.
    pub keepalive_interval: Duration,
    /// Time that a caller has to answer the ping. Defaults to 20 s.
    pub keepalive_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7443),
            max_concurrent: NonZeroUsize::new(1_000).expect("a thousand is not zero"),
            queue: 1_000,
            retry_after: Duration::from_secs(5),
            drain_grace: Duration::from_secs(60),
            max_request_bytes: 2 * 1024 * 1024,
            keepalive_interval: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
        }
    }
}
