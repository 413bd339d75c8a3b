//! What workers see: legs, steps, slots, shards, addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use mailfleet_model::fleet::{GroupKey, GroupState, Hold, JobClass};
use mailfleet_model::{LegReport, Protocol, Severity};
use opentelemetry::KeyValue;

use super::instruments::of;

/// Longest name of a provider.
const MAX_PROVIDER: usize = 24;
/// The label of every server that is no known provider's.
const OTHER: &str = "other";

/// Counts a leg that ran, its faults and its steps.
pub fn leg_ended(report: &LegReport) {
    let instruments = of();
    let protocol = KeyValue::new("mailfleet.protocol", protocol(report.endpoint.protocol));
    let blocked = report.faults.iter().any(|fault| fault.severity == Severity::Blocking);
    let outcome = if blocked { "FAULT" } else { "OK" };
    instruments.legs.add(1, &[protocol.clone(), KeyValue::new("mailfleet.outcome", outcome)]);
    for fault in &report.faults {
        let code = KeyValue::new("mailfleet.fault.code", fault.code.name());
        instruments.faults.add(1, &[protocol.clone(), code]);
    }
    for step in &report.steps {
        let (kind, outcome): (&'static str, &'static str) = (step.kind.into(), step.outcome.into());
        let labels = [
            protocol.clone(),
            KeyValue::new("mailfleet.step", kind),
            KeyValue::new("mailfleet.outcome", outcome),
        ];
        instruments.step_duration.record(step.elapsed.as_secs_f64(), &labels);
    }
}

/// A leg started, so long after it was delivered; what it mostly waited for since it was ready, if
/// that was the mail server's own.
pub fn waited(class: JobClass, held_by: Option<Hold>, wait: Duration) {
    let class: &'static str = class.into();
    let labels = [KeyValue::new("mailfleet.job.class", class), held(held_by)];
    of().limiter_wait.record(wait.as_secs_f64(), &labels);
}

/// The label that tells waits for a mail server from waits for us.
pub(super) fn held(by: Option<Hold>) -> KeyValue {
    KeyValue::new("mailfleet.held_by", by.map_or("NONE", Into::into))
}

/// How many shards a worker holds and how many legs it runs.
pub fn holds(shards: u32, running: u32, bulk_places: u32) {
    of().shards_owned.record(shards.into(), &[]);
    of().running.record(running.into(), &[]);
    of().bulk_places.record(bulk_places.into(), &[]);
}

/// A shard's legs may start, so long after the worker first tried to get it.
pub fn takeover(took: Duration) {
    of().takeover.record(took.as_secs_f64(), &[]);
}

/// A worker lost its shards with the connection to the broker.
pub fn fence_tripped() {
    of().fence_trips.add(1, &[]);
}

/// A credential could not be opened; `why` is one of a few words.
pub fn unseal_failed(why: &'static str) {
    of().unseal_failures.add(1, &[KeyValue::new("mailfleet.reason", why)]);
}

/// The provider class of a group: the name of a known provider, or `other`. Hosts and addresses
/// never become labels.
#[must_use]
pub fn provider(key: &GroupKey) -> &str {
    let server = key.as_str().split_once(':').map_or(OTHER, |(_, server)| server);
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    if server.len() <= MAX_PROVIDER && server.chars().all(is_name) { server } else { OTHER }
}

/// Sums over the groups of a worker, by provider class. Classes that were seen once stay, so
/// that their gauges go back to zero.
#[derive(Debug, Default)]
pub struct Limiter(BTreeMap<String, Sums>);

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    limit: u64,
    in_use: u64,
    waiting: u64,
    down: u64,
    lowered: u64,
    paused: u64,
}

/// Tells what holds in all groups of a worker.
pub fn limiters(limiter: &mut Limiter, groups: impl IntoIterator<Item = GroupState>) {
    for sums in limiter.0.values_mut() {
        *sums = Sums::default();
    }
    for state in groups {
        let class = provider(&state.group.key);
        let sums = match limiter.0.get_mut(class) {
            Some(sums) => sums,
            None => limiter.0.entry(class.to_owned()).or_default(),
        };
        sums.limit += u64::from(state.limit);
        sums.in_use += u64::from(state.in_use);
        sums.waiting += u64::from(state.waiting);
        sums.down += u64::from(state.breaker.is_some());
        sums.lowered += u64::from(state.lowered.is_some());
        sums.paused += u64::from(state.paused);
    }
    let instruments = of();
    for (class, sums) in &limiter.0 {
        let class = KeyValue::new("mailfleet.provider", class.clone());
        let only = std::slice::from_ref(&class);
        instruments.limiter_limit.record(sums.limit, only);
        instruments.limiter_in_use.record(sums.in_use, only);
        instruments.limiter_waiting.record(sums.waiting, only);
        for (why, groups) in
            [("DOWN", sums.down), ("LOWERED", sums.lowered), ("PAUSED", sums.paused)]
        {
            let why = KeyValue::new("mailfleet.reason", why);
            instruments.limiter_sick.record(groups, &[class.clone(), why]);
        }
    }
}

/// Counts a leg at an address until it is dropped.
#[derive(Debug)]
#[must_use = "it counts for as long as it lives"]
pub struct EgressGuard(KeyValue);

/// A leg leaves from an address of the configuration; `None` where the system chooses.
pub fn egress(source: Option<IpAddr>) -> EgressGuard {
    let address = source.map_or_else(|| "system".to_owned(), |ip| ip.to_string());
    let label = KeyValue::new("network.local.address", address);
    of().egress.add(1, std::slice::from_ref(&label));
    EgressGuard(label)
}

impl Drop for EgressGuard {
    fn drop(&mut self) {
        of().egress.add(-1, std::slice::from_ref(&self.0));
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    protocol.into()
}

pub(super) fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_providers_become_labels() {
        let of = |key: &str| provider(&GroupKey::new(key).expect("a key")).to_owned();
        assert_eq!(of("imap:google"), "google");
        assert_eq!(of("smtp:microsoft-us"), "microsoft-us");
        for other in ["imap:203.0.113.9", "imap:2001:db8::1", "imap:name:mail.example.com", "odd"] {
            assert_eq!(of(other), OTHER, "{other}");
        }
    }
}
