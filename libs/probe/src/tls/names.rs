//! A better host name, taken from the certificate.
//!
//! A name is suggested only if it resolves to the address that we are connected to: a
//! certificate may list the names of many machines, and a hostile one any name at all.
//! Wildcards are no host names and are not guessed at.

use std::time::Duration;

use mailfleet_model::suggestion::{SuggestionProof, SuggestionReason};
use mailfleet_model::tls::TlsFacts;
use mailfleet_model::{Endpoint, Host, Leg, Suggestion};
use tokio::time::{Instant, timeout_at};

use crate::dial::Route;
use crate::resolve::Resolver;

/// Names that are resolved, at most. The list is the server's.
const MAX_TRIED: usize = 6;
/// Time for all of them together.
const MAX_TIME: Duration = Duration::from_secs(4);

/// Suggests the certificate's best name where none of its names is the host's.
///
/// Returns at most one suggestion. Takes up to 4 s. Cancel-safe.
pub async fn name_suggestions(
    resolver: &Resolver,
    facts: &TlsFacts,
    asked: &Endpoint,
    leg: Leg,
    route: Route,
) -> Vec<Suggestion> {
    let deadline = Instant::now() + MAX_TIME;
    let connected = route.address.ip().to_canonical();
    for host in candidates(facts, asked) {
        let Ok(resolved) = timeout_at(deadline, resolver.resolve(&host)).await else { break };
        let leads_there = resolved
            .is_ok_and(|addresses| addresses.iter().any(|ip| ip.to_canonical() == connected));
        if leads_there {
            return vec![Suggestion {
                leg,
                endpoint: Some(Endpoint { host, ..asked.clone() }),
                reason: SuggestionReason::CertificateName,
                proof: SuggestionProof::Certificate,
                help_url: None,
            }];
        }
    }
    Vec::new()
}

/// The names worth trying, the likeliest first; none if the host is among the names.
fn candidates(facts: &TlsFacts, asked: &Endpoint) -> Vec<Host> {
    let Some(leaf) = facts.chain.first() else { return Vec::new() };
    if leaf.names.iter().any(|name| covers(name, &asked.host)) {
        return Vec::new();
    }
    let mut hosts: Vec<Host> = Vec::new();
    for host in leaf.names.iter().filter_map(|name| name.parse::<Host>().ok()) {
        if host.name().is_some() && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts.sort_by_key(|host| rank(host, asked));
    hosts.truncate(MAX_TRIED);
    hosts
}

/// Whether a name of a certificate covers a host. RFC 9525 section 6.3: a wildcard stands
/// for the whole first label.
pub(super) fn covers(name: &str, host: &Host) -> bool {
    match host {
        Host::Ip(ip) => name == ip.to_string(),
        Host::Name(host) => match name.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
            }
            None => host.eq_ignore_ascii_case(name),
        },
    }
}

/// Smaller is better: names of the same domain, then names that speak of mail.
fn rank(host: &Host, asked: &Endpoint) -> u8 {
    let name = host.name().unwrap_or_default();
    let protocol = asked.protocol.to_string().to_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    let same_domain =
        asked.host.name().and_then(|n| n.split_once('.')).is_some_and(|(_, domain)| {
            name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        });
    let speaks_of_mail =
        first.contains(&protocol) || first.contains("mail") || first.starts_with("mx");
    match (same_domain, speaks_of_mail) {
        (true, true) => 0,
        (false, true) => 1,
        (true, false) => 2,
        (false, false) => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::SystemTime;

    use mailfleet_model::Protocol;
    use mailfleet_model::tls::CertificateFacts;

    use super::*;

    fn facts(names: &[&str]) -> TlsFacts {
        let leaf = CertificateFacts {
            subject: String::new(),
            issuer: String::new(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            not_before: SystemTime::UNIX_EPOCH,
            not_after: SystemTime::UNIX_EPOCH,
            key: String::new(),
            signature: String::new(),
            sha256: String::new(),
            spki_sha256: String::new(),
        };
        TlsFacts { chain: vec![leaf], ..TlsFacts::default() }
    }

    async fn check(names: &[&str], expect: Option<&str>) {
        let asked = Endpoint::parse(Protocol::Imap, "imap.example.test").expect("an endpoint");
        let here: SocketAddr = "192.0.2.7:993".parse().expect("an address");
        let elsewhere = "192.0.2.8".parse().expect("an address");
        let resolver = Resolver::fixed([
            ("mail.example.test".to_owned(), vec![here.ip()]),
            ("host7.provider.test".to_owned(), vec![here.ip()]),
            ("mail.provider.test".to_owned(), vec![elsewhere]),
        ]);
        let route = Route { address: here, egress: None };
        let found = name_suggestions(&resolver, &facts(names), &asked, Leg::Imap, route).await;
        let hosts: Vec<_> =
            found.iter().filter_map(|s| s.endpoint.as_ref()).map(|e| e.host.to_string()).collect();
        assert_eq!(hosts.first().map(String::as_str), expect, "{names:?}");
    }

    #[tokio::test]
    async fn only_a_name_that_leads_to_the_same_address_is_suggested() {
        check(&["host7.provider.test", "mail.example.test"], Some("mail.example.test")).await;
        check(&["mail.provider.test", "host7.provider.test"], Some("host7.provider.test")).await;
        check(&["mail.provider.test", "unknown.test"], None).await;
    }

    #[tokio::test]
    async fn wildcards_and_matching_certificates_give_no_name() {
        check(&["*.provider.test"], None).await;
        check(&["mail.example.test", "imap.example.test"], None).await;
        check(&["mail.example.test", "*.example.test"], None).await;
        check(&["192.0.2.7", "", "a b", "..", "-"], None).await;
    }
}
