//! A fleet in one process, and what a caller needs to talk to it.
//!
//! The ground is what all gateways and workers share: store, broker, keys. A world is one
//! gateway on it, with a worker beside it unless a test wants none.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_broker::{InProcess, InProcessGateway, InProcessWorker, Topology};
use mailfleet_engine::Rules;
use mailfleet_gateway::{
    Access, Config, Error, Gateway, Parts, Role, Running, Server, TenantQuota, Tenants,
};
use mailfleet_mailsim::Authority;
use mailfleet_model::Secret;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, Probe, Rules as ProbeRules};
use mailfleet_vault::{KeyRing, PublicRing};
use mailfleet_worker::{Config as WorkerConfig, Pool, Pools, Runner, Worker};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::store::TestStore;

/// What gateways and workers share.
pub(crate) struct Ground {
    pub(crate) store: Arc<TestStore>,
    hub: InProcess,
    keys: Arc<KeyRing>,
    config: Config,
    /// Goes with the test. `:memory:` does not outlive a call that is cut off.
    folder: TempDir,
}

/// A running worker; it dies with its handle.
pub(crate) struct RunningWorker {
    shutdown: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// A running gateway.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) ground: Arc<Ground>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
    _worker: Option<RunningWorker>,
}

/// The default settings on a free port.
pub(crate) fn config() -> Config {
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    Config { listen, ..Config::default() }
}

/// The same for mail servers with one connection at a time.
pub(crate) fn narrow() -> Config {
    let mut config = config();
    config.limits.concurrency = NonZeroU32::MIN;
    config
}

/// Everybody is the local tenant.
pub(crate) fn everybody() -> Tenants {
    Tenants::local(TenantQuota::default())
}

pub(crate) const CRM: &str = "crm-token-0123456789";
pub(crate) const CRM_READS: &str = "crm-reader-0123456789";
pub(crate) const ERP: &str = "erp-token-0123456789";
pub(crate) const OPERATOR: &str = "operator-token-0123456789";

/// Two tenants with tokens, and an operator.
pub(crate) fn tenants() -> Tenants {
    let access = |tenant: &str, token: &str, role| Access {
        tenant: tenant.parse().expect("a name"),
        token: Secret::new(token.into()),
        role,
        pool: "default".parse().expect("a name"),
        quota: TenantQuota::default(),
        weight: NonZeroU32::MIN,
    };
    let all = vec![
        access("crm", CRM, Role::Submitter),
        access("crm", CRM_READS, Role::Reader),
        access("erp", ERP, Role::Submitter),
        access("ops", OPERATOR, Role::Admin),
    ];
    Tenants::new(all).expect("good tokens")
}

fn resolver() -> Resolver {
    Resolver::fixed([("localhost".to_owned(), vec![Ipv4Addr::LOCALHOST.into()])])
}

fn targets() -> TargetPolicy {
    TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a range")])
}

fn probe() -> Probe {
    let authority = Authority::shared().expect("an authority");
    Probe {
        resolver: resolver(),
        targets: targets(),
        trust: Trust::only([authority.root_der()]).expect("a root"),
        limits: Limits::default(),
        identity: Identity::default(),
        rules: ProbeRules { courier: CourierRule::Refuse },
    }
}

fn unique(what: &str) -> String {
    format!("{what}-{}", Uuid::new_v4().simple())
}

impl Ground {
    pub(crate) async fn new(config: Config) -> Arc<Self> {
        // Shown beside a test that fails. The second test of a process finds it set.
        let level = tracing_subscriber::filter::LevelFilter::INFO;
        let log = tracing_subscriber::fmt().with_max_level(level).with_test_writer();
        drop(log.try_init());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.db");
        Arc::new(Self {
            store: Arc::new(TestStore::open(path, &config).await),
            hub: InProcess::new(&Topology::new(vec![config.zone.clone()])),
            keys: Arc::new(KeyRing::generate(SystemTime::now())),
            config,
            folder,
        })
    }

    /// Where the store keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a worker that owns every shard.
    pub(crate) fn worker(&self) -> RunningWorker {
        let id: mailfleet_model::fleet::WorkerId = unique("w").parse().expect("a name");
        let zone = self.config.zone.clone();
        let config = WorkerConfig { alone: true, ..WorkerConfig::new(id.clone(), zone) };
        let name = "default".parse().expect("a name");
        let pools = Pools::new([Pool { name, exits: Vec::new(), per_address: None }]);
        let runner = Runner::new(Arc::new(probe()), Arc::clone(&self.keys), pools);
        let worker = Worker::new(config, self.hub.worker(id), runner);
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone();
        let task = tokio::spawn(async move {
            worker.run(stopped).await.expect("the host has every address");
        });
        RunningWorker { shutdown, task: AbortOnDropHandle::new(task) }
    }

    /// A worker's side of the broker, for a test that plays the worker.
    pub(crate) fn queue_of_a_worker(&self) -> InProcessWorker {
        self.hub.worker("scripted".parse().expect("a name"))
    }

    /// Starts a gateway's loops, with nothing in front.
    pub(crate) fn loops(&self, tenants: Tenants) -> Running<TestStore, InProcessGateway> {
        let id: mailfleet_model::fleet::GatewayId = unique("g").parse().expect("a name");
        let public = PublicRing::parse(&self.keys.public().to_text()).expect("our own text");
        let parts = Parts {
            id: id.clone(),
            store: Arc::clone(&self.store),
            queue: Arc::new(self.hub.gateway(id)),
            ring: Arc::new(public),
            zone_rings: BTreeMap::new(),
            resolver: resolver(),
            targets: targets(),
            tenants,
            rules: Rules::default(),
        };
        Gateway::start(parts, self.config.clone())
    }

    /// Starts a gateway.
    pub(crate) async fn gateway(self: &Arc<Self>, tenants: Tenants) -> World {
        let running = self.loops(tenants);
        let server = Server::bind(Arc::clone(running.gateway())).await.expect("a free port");
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(async move {
            let served = server.serve(shutdown).await;
            running.stop().await;
            served
        });
        World { address, ground: Arc::clone(self), stop, serving, _worker: None }
    }
}

impl RunningWorker {
    /// Asks the worker to end, and waits for it.
    pub(crate) async fn drained(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic");
    }
}

impl World {
    /// A gateway and a worker on ground of their own.
    pub(crate) async fn start(config: Config) -> Self {
        Self::with(config, everybody()).await
    }

    pub(crate) async fn with(config: Config, tenants: Tenants) -> Self {
        let ground = Ground::new(config).await;
        let worker = ground.worker();
        Self { _worker: Some(worker), ..ground.gateway(tenants).await }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address));
        endpoint.expect("an address").connect().await.expect("it listens")
    }

    /// Asks the gateway to end. A worker that came with it goes on until the end.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), Error>> {
        let Self { stop, serving, _worker: worker, .. } = self;
        let _ = stop.send(());
        tokio::spawn(async move {
            let served = serving.await.expect("no panic");
            drop(worker);
            served
        })
    }
}

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
