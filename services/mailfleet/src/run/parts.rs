//! What the server processes are made of, each part from the settings.
//!
//! Errors name the key of the configuration that leads to the part, and never what a URL holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use mailfleet_broker::{RabbitConfig, RabbitMq, Topology};
use mailfleet_engine::Rules;
use mailfleet_gateway::{Access, TenantQuota, Tenants, TlsFiles};
use mailfleet_model::fleet::{GatewayId, GroupId, WorkerId, ZoneName};
use mailfleet_model::{Secret, Violations};
use mailfleet_probe::Probe;
use mailfleet_store::{AnyStore, Config as StoreConfig, Defaults};
use mailfleet_vault::ring::Error as RingError;
use mailfleet_vault::{KeyRing, PublicRing};
use mailfleet_worker::{Pool, Pools};
use uuid::Uuid;

use crate::check::here::{Extra, probe};
use crate::config::Settings;
use crate::egress::exits;
use crate::exit::Error;

/// The longest part of a process's name that tells on which machine it runs.
const MAX_HOST: usize = 40;

/// What all jobs are decided by.
pub(super) fn rules(settings: &Settings) -> Rules {
    let mut rules = Rules::default();
    rules.collect.shards = settings.shards;
    rules.dispatch.shares = settings.shares.clone();
    rules
}

/// The store, and the lock that keeps a second process off an SQLite file.
pub(super) struct Opened {
    pub(super) store: Arc<AnyStore>,
    /// Held for as long as the process runs.
    pub(super) _lock: Option<File>,
}

pub(super) async fn store(settings: &Settings) -> Result<Opened, Error> {
    let lock = match sqlite_file(settings) {
        Some(file) => Some(lock(&file)?),
        None => None,
    };
    let (usual, named) = (settings.default_limits, settings.group_limits.clone());
    let limits = move |group: &GroupId| {
        let found = named.iter().find(|(key, _)| *key == group.key);
        found.map_or(usual, |(_, limits)| *limits)
    };
    let config = StoreConfig { roots_pem: None, ..StoreConfig::new(Defaults::new(limits)) };
    let store = AnyStore::open(&settings.store, config).await;
    let store = store.context("cannot open the store (store.url)")?;
    Ok(Opened { store: Arc::new(store), _lock: lock })
}

fn sqlite_file(settings: &Settings) -> Option<PathBuf> {
    let url = str::from_utf8(settings.store.expose()).ok()?;
    let file = url.strip_prefix("sqlite:")?;
    (file != ":memory:").then(|| PathBuf::from(file))
}

/// Legs that another process has out would be run twice.
fn lock(database: &Path) -> Result<File, Error> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let cannot = || format!("cannot lock {} (store.url)", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Own(anyhow!(
            "{} is used by another process (store.url); gateways that share a store need Postgres",
            database.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(Error::Own(anyhow!(error).context(cannot())))
        }
    }
}

/// The shards of the deployment.
pub(super) fn topology(settings: &Settings) -> Topology {
    Topology { shards: settings.shards, ..Topology::new(settings.zones().into_iter().collect()) }
}

/// The broker of a fleet.
pub(super) fn rabbit(settings: &Settings) -> Result<RabbitMq, Error> {
    let Some(url) = &settings.broker else {
        return Err(Error::Request(
            "broker.url is in-process: a fleet needs RabbitMQ, such as amqp://broker.example.com; \
             'mailfleet serve' runs without"
                .to_owned(),
        ));
    };
    let mut config = RabbitConfig::new(Secret::new(url.expose().to_vec()), topology(settings));
    config.namespace.clone_from(&settings.namespace);
    let mut roots = String::new();
    for path in &settings.broker_roots {
        let read = std::fs::read_to_string(path);
        roots.push_str(
            &read.with_context(|| format!("cannot read {} (broker.roots)", path.display()))?,
        );
    }
    config.roots_pem = Some(roots).filter(|roots| !roots.is_empty());
    let wrong = |error| Error::Request(format!("broker.url: {error}"));
    RabbitMq::new(config).map_err(wrong)
}

/// The keys of a process that opens credentials; made at its first start where it may.
pub(super) fn ring(settings: &Settings, make: bool) -> Result<KeyRing, Error> {
    let path = &settings.key_file;
    let ring =
        if make { KeyRing::load_or_create(path, SystemTime::now()) } else { KeyRing::load(path) };
    ring.map_err(|error| told(error, path))
}

/// The half that gateways need.
pub(super) fn public_ring(settings: &Settings) -> Result<PublicRing, Error> {
    public_half(&settings.key_file)
}

/// The same of the zones that have keys of their own.
pub(super) fn zone_rings(
    settings: &Settings,
) -> Result<BTreeMap<ZoneName, Arc<PublicRing>>, Error> {
    let files = settings.zone_keys.iter();
    files.map(|(zone, file)| Ok((zone.clone(), Arc::new(public_half(file)?)))).collect()
}

/// A file with private keys serves as well, but a gateway needs none of them.
fn public_half(path: &Path) -> Result<PublicRing, Error> {
    match PublicRing::load(path) {
        Err(RingError::Content { .. }) => {
            let ring = KeyRing::load(path).map_err(|error| told(error, path))?;
            tracing::warn!(
                file = %path.display(),
                "a key file holds private keys, which a gateway does not need: \
                 'mailfleet keys public FILE' writes the public half"
            );
            Ok(ring.into_public())
        }
        ring => ring.map_err(|error| told(error, path)),
    }
}

fn told(error: RingError, path: &Path) -> Error {
    let hint = match error {
        RingError::Missing { .. } => "; 'mailfleet keys generate' makes one",
        _ => "",
    };
    let error = anyhow!(error);
    let key = format!("cannot use {} (vault.key_file){hint}", path.display());
    Error::Own(error.context(key))
}

/// Who may call.
pub(super) fn tenants(settings: &Settings) -> Result<Tenants, Error> {
    let quota = TenantQuota {
        interactive: settings.quota.interactive,
        bulk: settings.quota.bulk,
        per_minute: settings.quota.per_minute,
    };
    if settings.tenants.is_empty() {
        return Ok(Tenants::local(quota));
    }
    let mut wrong = Violations::default();
    let mut tokens = Vec::new();
    for tenant in &settings.tenants {
        let file = tenant.token_file.display();
        match std::fs::read(&tenant.token_file) {
            Ok(bytes) => tokens.push(Access {
                tenant: tenant.name.clone(),
                // The line break at the end of a file is no part of the token.
                token: Secret::new(Secret::new(bytes).expose().trim_ascii().to_vec()),
                role: tenant.role,
                pool: tenant.pool.clone(),
                quota,
                weight: tenant.weight,
            }),
            Err(error) => wrong.add("tenant.token_file", format!("{file}: {error}")),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Usage(wrong));
    }
    Tenants::new(tokens).map_err(|error| Error::Request(format!("tenant: {error}")))
}

/// The gateway's own settings.
pub(super) fn gateway(settings: &Settings) -> mailfleet_gateway::Config {
    mailfleet_gateway::Config {
        listen: settings.listen,
        tls: settings.tls.as_ref().map(|tls| TlsFiles {
            certificate: tls.cert.clone(),
            key: tls.key.clone(),
            client_ca: tls.client_ca.clone(),
        }),
        drain_grace: settings.drain,
        zone: settings.zones().into_iter().next().unwrap_or_else(|| settings.zone.clone()),
        pool_zones: settings
            .pools
            .iter()
            .map(|(name, pool)| (name.clone(), pool.zone.clone()))
            .collect(),
        limits: settings.default_limits,
        group_limits: settings.group_limits.iter().cloned().collect(),
        pools: settings.pools.iter().map(|(name, pool)| (name.clone(), pool.seen())).collect(),
        retention: settings.retention,
        publish_events: settings.publish_events,
        keep_events: settings.keep_events,
        ..mailfleet_gateway::Config::default()
    }
}

/// What talks to mail servers.
pub(super) fn shared_probe(settings: &Settings) -> Result<Arc<Probe>, Error> {
    Ok(Arc::new(probe(settings, Extra::default())?))
}

/// The ways out of this worker's zone.
pub(super) fn pools(settings: &Settings) -> Result<Pools, Error> {
    let pools = settings.pools_of(&settings.zone).map(|(name, pool)| {
        let exits = exits(name, pool)?;
        Ok(Pool { name: name.clone(), exits, per_address: pool.per_address })
    });
    Ok(Pools::new(pools.collect::<Result<Vec<_>, Error>>()?))
}

/// A name for this run of a gateway.
pub(super) fn gateway_id(run: &str) -> GatewayId {
    run.parse().expect("host names are cut down to what names allow")
}

/// A name for this run of a worker.
pub(super) fn worker_id(run: &str) -> WorkerId {
    run.parse().expect("host names are cut down to what names allow")
}

/// The machine's name, so that people find it, and digits that no other run has.
pub(super) fn run_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy().to_ascii_lowercase();
    let plain = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    let host: String = host.chars().filter(plain).take(MAX_HOST).collect();
    let host = host.trim_start_matches('-');
    let host = if host.is_empty() { "host" } else { host };
    let (run, _) = Uuid::new_v4().as_fields().0.overflowing_add(0);
    format!("{host}-{run:08x}")
}
