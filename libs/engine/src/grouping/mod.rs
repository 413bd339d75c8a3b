//! Grouping: which limit group a host's legs belong to.
//!
//! A group is the mail server as its owner would count it: a known provider by the host's
//! name or by a name that it is an alias of, everything else by the smallest address that the
//! host resolves to, so that five
//! hundred vanity names on one box are one group. A host without an address, or whose
//! addresses change all the time, is grouped by its name.
//!
//! The gateway groups a leg when it is released, its owner looks again just before it
//! dials. Pure: whoever calls it has resolved the host.

mod changes;
mod provider;

use std::net::IpAddr;

use mailfleet_model::fleet::GroupKey;
use mailfleet_model::{Host, Protocol};

pub use changes::{ChangeWatch, Steadiness};

/// The group of a host's legs, by the names that it is an alias of (CNAME) and the addresses that
/// it has now. With no addresses it is grouped by its name: pass none, too, for a host whose
/// addresses change too often.
///
/// | what | key |
/// | --- | --- |
/// | a known provider, or an alias of one | `imap:google` |
/// | any other host | `imap:203.0.113.9`, the smallest address, IPv4 first |
/// | a host without addresses | `imap:name:mail.example.com` |
#[must_use]
pub fn group_key(
    protocol: Protocol,
    host: &Host,
    aliases: &[String],
    addresses: &[IpAddr],
) -> GroupKey {
    let literal = match host {
        Host::Name(_) => None,
        Host::Ip(ip) => Some(*ip),
    };
    let smallest = addresses.iter().copied().chain(literal).map(|ip| ip.to_canonical()).min();
    let mut names = host.name().into_iter().chain(aliases.iter().map(String::as_str));
    let server = match (names.find_map(provider::of), smallest) {
        (Some(provider), _) => provider.to_owned(),
        // IPv4 addresses are less than IPv6 ones.
        (None, Some(address)) => address.to_string(),
        (None, None) => format!("name:{host}"),
    };
    let protocol = match protocol {
        Protocol::Imap => "imap",
        Protocol::Pop3 => "pop3",
        Protocol::Smtp => "smtp",
    };
    GroupKey::new(format!("{protocol}:{server}"))
        .expect("hosts are printable ASCII of at most 253 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(protocol: Protocol, host: &str, addresses: &[&str]) -> String {
        let host: Host = host.parse().expect("a host");
        let addresses: Vec<IpAddr> =
            addresses.iter().map(|ip| ip.parse().expect("an address")).collect();
        group_key(protocol, &host, &[], &addresses).to_string()
    }

    #[test]
    fn a_provider_is_one_group_for_each_protocol_whatever_it_resolves_to() {
        assert_eq!(key(Protocol::Imap, "imap.gmail.com", &["203.0.113.9"]), "imap:google");
        assert_eq!(key(Protocol::Imap, "imap.googlemail.com", &[]), "imap:google");
        assert_eq!(key(Protocol::Smtp, "smtp.gmail.com", &["203.0.113.9"]), "smtp:google");
        assert_eq!(key(Protocol::Smtp, "smtp.office365.com", &[]), "smtp:microsoft");
        assert_eq!(key(Protocol::Pop3, "pop-mail.outlook.com", &[]), "pop3:microsoft");
    }

    #[test]
    fn an_alias_of_a_provider_is_one_of_its_hosts() {
        let host: Host = "mail.customer.test".parse().expect("a host");
        let key = |aliases: &[&str]| {
            let aliases: Vec<String> = aliases.iter().map(|name| (*name).to_owned()).collect();
            let addresses = [IpAddr::from([203, 0, 113, 9])];
            group_key(Protocol::Imap, &host, &aliases, &addresses).to_string()
        };
        assert_eq!(key(&["outlook.office365.com"]), "imap:microsoft");
        assert_eq!(key(&["mx.customer.test", "imap.gmail.com", "edge.test"]), "imap:google");
        assert_eq!(key(&["mx.customer.test"]), "imap:203.0.113.9");
    }

    #[test]
    fn a_name_that_only_ends_alike_is_no_provider() {
        assert_eq!(key(Protocol::Imap, "notgmail.com", &[]), "imap:name:notgmail.com");
        assert_eq!(key(Protocol::Imap, "gmail.com.example", &[]), "imap:name:gmail.com.example");
    }

    #[test]
    fn hosts_on_one_server_are_one_group() {
        let two = ["203.0.113.10", "203.0.113.9"];
        assert_eq!(key(Protocol::Imap, "mail.a.test", &two), "imap:203.0.113.9");
        assert_eq!(key(Protocol::Imap, "mail.b.test", &["203.0.113.9"]), "imap:203.0.113.9");
        assert_eq!(key(Protocol::Imap, "203.0.113.9", &[]), "imap:203.0.113.9");
        let mapped = ["2001:db8::1", "::ffff:203.0.113.9"];
        assert_eq!(key(Protocol::Imap, "mail.c.test", &mapped), "imap:203.0.113.9");
        assert_eq!(key(Protocol::Imap, "mail.d.test", &["2001:db8::1"]), "imap:2001:db8::1");
    }

    #[test]
    fn the_smallest_address_is_smallest_as_a_number() {
        let addresses = ["203.0.113.100", "203.0.113.20"];
        assert_eq!(key(Protocol::Smtp, "mail.a.test", &addresses), "smtp:203.0.113.20");
    }

    #[test]
    fn the_longest_host_still_makes_a_key() {
        let label = "a".repeat(62);
        let host = format!("{label}.{label}.{label}.{label}");
        assert!(key(Protocol::Imap, &host, &[]).ends_with(&host));
    }
}
