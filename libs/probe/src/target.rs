//! The target guard: which addresses and ports a leg may connect to.
//!
//! A caller names the host, so without this rule the service would be a port
//! scanner of its own network. Special-purpose addresses are refused by default;
//! an operator may lift the rule for a range. The refusal is one opaque fault:
//! it never says which address was met or which rule refused it.
//!
//! Sources: the IANA special-purpose address registries (RFC 6890 and successors).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use mailfleet_model::Protocol;

/// IPv4 ranges that are not global unicast.
const DENIED_V4: [(u32, u8); 19] = [
    (0x0000_0000, 8),  // 0.0.0.0/8, this network
    (0x0a00_0000, 8),  // 10.0.0.0/8, private
    (0x6440_0000, 10), // 100.64.0.0/10, shared address space
    (0x7f00_0000, 8),  // 127.0.0.0/8, loopback
    (0xa9fe_0000, 16), // 169.254.0.0/16, link local and metadata services
    (0xac10_0000, 12), // 172.16.0.0/12, private
    (0xc000_0000, 24), // 192.0.0.0/24, protocol assignments
    (0xc000_0200, 24), // 192.0.2.0/24, documentation
    (0xc01f_c400, 24), // 192.31.196.0/24, AS112
    (0xc034_c100, 24), // 192.52.193.0/24, AMT
    (0xc058_6300, 24), // 192.88.99.0/24, 6to4 relay
    (0xc0a8_0000, 16), // 192.168.0.0/16, private
    (0xc0af_3000, 24), // 192.175.48.0/24, AS112
    (0xc612_0000, 15), // 198.18.0.0/15, benchmarking
    (0xc633_6400, 24), // 198.51.100.0/24, documentation
    (0xcb00_7100, 24), // 203.0.113.0/24, documentation
    (0xe000_0000, 4),  // 224.0.0.0/4, multicast
    (0xf000_0000, 4),  // 240.0.0.0/4, reserved
    (0xffff_ffff, 32), // 255.255.255.255, broadcast
];

/// IPv6 ranges inside 2000::/3 that are not plain global unicast.
const DENIED_V6: [(u128, u8); 4] = [
    (0x2001_0000 << 96, 23), // 2001::/23, protocol assignments, Teredo, ORCHID, benchmarking
    (0x2001_0db8 << 96, 32), // 2001:db8::/32, documentation
    (0x2002_0000 << 96, 16), // 2002::/16, 6to4: any IPv4 address in disguise
    (0x3fff_0000 << 96, 20), // 3fff::/20, documentation
];

/// Which targets are allowed: the default rules, less the operator's exceptions.
#[derive(Debug, Clone, Default)]
pub struct TargetPolicy {
    allow: Vec<IpNet>,
}

impl TargetPolicy {
    /// The default rules, with the address and port rule lifted for `allow`.
    #[must_use]
    pub fn with_exceptions(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether a leg may connect to this address and port.
    #[must_use]
    pub fn permits(&self, target: SocketAddr) -> bool {
        self.is_exception(target.ip())
            || (is_global(target.ip()) && Protocol::is_mail_port(target.port()))
    }

    /// The addresses of a host that may be tried, or `None` if the host is refused.
    ///
    /// One refused address among the host's refuses the whole host, unless the operator
    /// lifted the rule for another of them: then that one is meant, and only
    /// permitted addresses are tried.
    #[must_use]
    pub fn select(&self, addresses: &[IpAddr], port: u16) -> Option<Vec<IpAddr>> {
        let permitted: Vec<IpAddr> = addresses
            .iter()
            .copied()
            .filter(|ip| self.permits(SocketAddr::new(*ip, port)))
            .collect();
        let excepted = addresses.iter().any(|ip| self.is_exception(*ip));
        let whole = permitted.len() == addresses.len();
        ((whole || excepted) && !permitted.is_empty()).then_some(permitted)
    }

    fn is_exception(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.allow.iter().any(|net| net.contains(&ip))
    }
}

/// Whether an address is ordinary global unicast.
#[must_use]
pub fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    !DENIED_V4.iter().any(|&(base, length)| {
        Ipv4Net::new(Ipv4Addr::from_bits(base), length).is_ok_and(|net| net.contains(&ip))
    })
}

/// Only 2000::/3 is global unicast; that leaves out loopback, mapped and compatible
/// IPv4, NAT64, unique local, link local and multicast in one rule.
fn is_global_v6(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xe000 == 0x2000
        && !DENIED_V6.iter().any(|&(base, length)| {
            Ipv6Net::new(Ipv6Addr::from_bits(base), length).is_ok_and(|net| net.contains(&ip))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn permits(policy: &TargetPolicy, target: &str) -> bool {
        policy.permits(target.parse().expect("a socket address"))
    }

    #[test]
    fn special_purpose_addresses_are_refused() {
        let policy = TargetPolicy::default();
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.5",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[::8.8.8.8]",
            "[64:ff9b::a00:1]",
            "[64:ff9b:1::1]",
            "[100::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[5f00::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
        ] {
            assert!(!permits(&policy, &format!("{ip}:993")), "{ip}");
        }
    }

    #[test]
    fn public_addresses_are_permitted_on_mail_ports_only() {
        let policy = TargetPolicy::default();
        for ip in ["1.1.1.1", "172.32.0.1", "192.0.1.1", "[2606:4700::1111]", "[2a00:1450::1]"] {
            assert!(permits(&policy, &format!("{ip}:993")), "{ip}");
            for port in [22, 80, 443, 3306, 5672, 6379] {
                assert!(!permits(&policy, &format!("{ip}:{port}")), "{ip}:{port}");
            }
        }
    }

    #[test]
    fn an_exception_lifts_both_rules_for_its_range_only() {
        let policy = TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a net")]);
        assert!(permits(&policy, "127.0.0.1:40000"));
        assert!(permits(&policy, "[::ffff:127.0.0.1]:40000"));
        assert!(!permits(&policy, "10.0.0.1:993"));
        assert!(!permits(&policy, "[::1]:993"));
    }

    #[test]
    fn one_internal_address_refuses_the_whole_host() {
        let ips: Vec<IpAddr> = ["1.1.1.1", "10.0.0.1"].map(|ip| ip.parse().expect("ip")).into();
        assert_eq!(TargetPolicy::default().select(&ips, 993), None);
        let lifted = TargetPolicy::with_exceptions(vec!["10.0.0.0/24".parse().expect("a net")]);
        assert_eq!(lifted.select(&ips, 993), Some(ips.clone()));
    }

    #[test]
    fn beside_an_exception_other_internal_addresses_are_left_out() {
        let ips: Vec<IpAddr> = ["127.0.0.1", "::1"].map(|ip| ip.parse().expect("ip")).into();
        let policy = TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a net")]);
        assert_eq!(policy.select(&ips, 40000), Some(vec![ips[0]]));
        assert_eq!(policy.select(&[], 993), None);
    }
}
