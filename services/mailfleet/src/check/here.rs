//! A check in this process: the parts that `serve` wires once, wired for one mailbox.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use ipnet::IpNet;
use mailfleet_gateway::Validator;
use mailfleet_model::Violations;
use mailfleet_probe::Probe;
use mailfleet_probe::dial::Exit;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;

use super::roots::{self, Root};
use crate::config::Settings;
use crate::egress::exits;
use crate::exit::Error;

/// What one command adds to the settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extra<'a> {
    /// More networks lifted from the target guard.
    pub(crate) allow: &'a [IpNet],
    /// More authorities: a machine without any of its own can be given some.
    pub(crate) roots: &'a [Root],
    /// Source addresses in place of those of the settings; empty: theirs.
    pub(crate) egress: &'a [IpAddr],
}

/// What runs validations under these settings.
///
/// # Errors
/// As [`probe`], and if the password of a proxy cannot be read.
pub(crate) fn validator(settings: &Settings, extra: Extra<'_>) -> Result<Validator, Error> {
    let egress = if extra.egress.is_empty() {
        let (name, pool) = settings.default_pool();
        exits(name, pool)?
    } else {
        extra.egress.iter().copied().map(Exit::Address).collect()
    };
    Ok(Validator::new(Arc::new(probe(settings, extra)?), egress))
}

/// What talks to mail servers under these settings.
///
/// # Errors
/// If authorities of the settings cannot be read (wrong usage), or this machine has no name
/// servers or no trusted authority (our own).
pub(crate) fn probe(settings: &Settings, extra: Extra<'_>) -> Result<Probe, Error> {
    let mut wrong = Violations::default();
    let mut roots = roots::read("trust.roots", &settings.roots, &mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Usage(wrong));
    }
    roots.extend(extra.roots.iter().cloned());
    let trust = Trust::system(roots).context("cannot tell which certificates are good")?;
    let resolver = Resolver::system().context("cannot look up host names")?;
    let exceptions = settings.allow.iter().chain(extra.allow).copied().collect();
    Ok(Probe {
        resolver,
        targets: TargetPolicy::with_exceptions(exceptions),
        trust,
        limits: settings.limits,
        identity: settings.identity.clone(),
        rules: settings.rules,
    })
}
