//! A fleet in this process: a broker, a gateway that says yes, and workers.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use mailfleet_broker::{InProcess, InProcessGateway, Topology};
use mailfleet_mailsim::{Authority, Recorder, Running as MailServer, Server};
use mailfleet_model::fleet::{
    Control, ControlLink, GatewayQueue, GroupId, GroupKey, GroupLimits, GroupSettings, LegMessage,
    ShardIndex, WorkerId, WorkerQueue, ZoneName, rendezvous,
};
use mailfleet_probe::dial::Exit;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, Probe, Rules};
use mailfleet_vault::KeyRing;
use mailfleet_worker::{Config, Error, Health, Pool, Pools, Runner, Worker};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::{self, Seen};

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";
/// Few enough that a test sees all of them claimed at once.
pub(crate) const SHARDS: NonZeroU16 = NonZeroU16::new(8).expect("not zero");

pub(crate) fn name<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

pub(crate) fn zone() -> ZoneName {
    name("default")
}

pub(crate) fn group(key: &str) -> GroupId {
    GroupId { zone: zone(), key: GroupKey::new(key).expect("a key") }
}

pub(crate) fn limits(concurrency: u32) -> GroupLimits {
    let concurrency = concurrency.try_into().expect("not zero");
    GroupLimits { concurrency, per_source: None, rate: None }
}

pub(crate) struct World<H = InProcess, G: GatewayQueue = InProcessGateway> {
    /// Where workers get their queues from.
    pub(crate) hub: H,
    pub(crate) keys: Arc<KeyRing>,
    queue: Arc<G>,
    link: Arc<G::Link>,
    seen: Arc<watch::Sender<Seen>>,
    _tasks: JoinSet<()>,
}

/// A worker that runs in a task.
pub(crate) struct Running {
    pub(crate) health: Health,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), Error>>,
}

impl World {
    /// Every group has this limit.
    pub(crate) async fn new(concurrency: u32) -> Self {
        Self::with(limits(concurrency), Vec::new()).await
    }

    pub(crate) async fn with(default: GroupLimits, groups: Vec<GroupSettings>) -> Self {
        let hub = InProcess::new(&topology());
        let queue = hub.gateway(name("gateway"));
        let bystander = hub.worker(name("bystander"));
        let mut world = Self::on(hub, queue, default, groups).await;
        world._tasks.spawn(gateway::words(bystander, Arc::clone(&world.seen)));
        world
    }

    /// A worker that is alone, on the system's way out.
    pub(crate) async fn worker(&self) -> Running {
        let config = alone("worker-1");
        let queue = self.hub.worker(config.worker.clone());
        self.start(config, queue, no_pool()).await
    }

    /// Two workers, the first of which holds the first shard and the second the second.
    pub(crate) async fn two(&self, first: ShardIndex, second: ShardIndex) -> [Running; 2] {
        assert_ne!(first, second, "the groups of the test must differ in their shard");
        let id = |n: u32| -> WorkerId { name(&format!("worker-{n}")) };
        let owner = |a: &WorkerId, b: &WorkerId, shard| {
            rendezvous(b, &zone(), shard) < rendezvous(a, &zone(), shard)
        };
        let fits = |pair: &(WorkerId, WorkerId)| {
            owner(&pair.0, &pair.1, first) && owner(&pair.1, &pair.0, second)
        };
        let mut pairs = (0..).map(|n| (id(n), id(n + 1)));
        let (a, b) = pairs.find(fits).expect("endless");
        let start = |id: WorkerId| {
            let mut config = Config { shards: SHARDS, ..Config::new(id.clone(), zone()) };
            let hold = &mut config.rules.hold;
            // Twice a tick, or every tick would look like one after a long sleep.
            hold.announce = Duration::from_millis(500);
            // Long enough that each hears the other before it claims anything.
            (hold.warm_up, hold.settle) = (Duration::from_secs(1), Duration::from_millis(50));
            self.start(config, self.hub.worker(id), no_pool())
        };
        let workers = [start(a.clone()).await, start(b.clone()).await];
        self.until(|seen| {
            let holds = |id: &WorkerId, shard| {
                seen.announced.get(id).is_some_and(|said| said.shards.contains(&shard))
            };
            (holds(&a, first) && holds(&b, second)).then_some(())
        })
        .await;
        workers
    }
}

impl<H, G: GatewayQueue> World<H, G> {
    /// A gateway on any broker.
    pub(crate) async fn on(
        hub: H,
        queue: G,
        default: GroupLimits,
        groups: Vec<GroupSettings>,
    ) -> Self {
        let queue = Arc::new(queue);
        let seen = Arc::new(watch::Sender::new(Seen::default()));
        let link = Arc::new(queue.control().await.expect("a broker"));
        let mut tasks = JoinSet::new();
        tasks.spawn(gateway::control(Arc::clone(&link), Arc::clone(&seen), default, groups));
        tasks.spawn(gateway::news(Arc::clone(&queue), Arc::clone(&link), Arc::clone(&seen)));
        tasks.spawn(gateway::live(Arc::clone(&queue), Arc::clone(&seen)));
        let keys = Arc::new(KeyRing::generate(std::time::SystemTime::UNIX_EPOCH));
        Self { hub, keys, queue, link, seen, _tasks: tasks }
    }

    pub(crate) async fn publish(&self, message: &LegMessage) {
        self.queue.publish_leg(message).await.expect("there is room");
    }

    pub(crate) async fn say(&self, control: Control) {
        self.link.broadcast(&control).await.expect("in this process");
    }

    /// Waits until the gateway has seen something.
    pub(crate) async fn until<T>(&self, found: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.seen.subscribe();
        let wait = seen.wait_for(|seen| found(seen).is_some());
        let seen = timeout(PATIENCE, wait).await.expect("in time").expect("the world goes on");
        found(&seen).expect("it was there a moment ago")
    }

    pub(crate) fn now<T>(&self, look: impl Fn(&Seen) -> T) -> T {
        look(&self.seen.borrow())
    }

    pub(crate) fn runner(&self, pools: Pools) -> Runner {
        Runner::new(Arc::new(probe()), Arc::clone(&self.keys), pools)
    }

    /// Starts a worker, and waits until it holds every shard if it is alone.
    pub(crate) async fn start<Q: WorkerQueue>(
        &self,
        config: Config,
        queue: Q,
        pools: Pools,
    ) -> Running {
        let is_alone = config.alone;
        let worker = Worker::new(config, queue, self.runner(pools));
        let (shutdown, mut health) = (CancellationToken::new(), worker.health());
        let task = tokio::spawn(worker.run(shutdown.clone()));
        let all = u32::from(SHARDS.get());
        if is_alone {
            let holds =
                health.wait_until(|state| state.load.shards == all && !state.load.beginning);
            assert!(timeout(PATIENCE, holds).await.expect("in time"), "it runs");
        }
        Running { health, shutdown, task }
    }
}

impl Running {
    /// Waits until the worker has ended.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        timeout(PATIENCE, self.task).await.expect("in time").expect("no panic")
    }

    /// Waits until so many legs run.
    pub(crate) async fn runs(&mut self, legs: u32) {
        let wait = self.health.wait_until(|state| state.load.running == legs);
        assert!(timeout(PATIENCE, wait).await.expect("in time"), "it runs");
    }
}

pub(crate) fn topology() -> Topology {
    Topology { shards: SHARDS, ..Topology::new(vec![zone()]) }
}

pub(crate) fn alone(worker: &str) -> Config {
    Config { alone: true, shards: SHARDS, ..Config::new(name(worker), zone()) }
}

pub(crate) fn no_pool() -> Pools {
    pools(&[("default", &[])])
}

pub(crate) fn pools(pools: &[(&str, &[&str])]) -> Pools {
    let pool = |(pool, addresses): &(&str, &[&str])| Pool {
        name: name(pool),
        exits: addresses.iter().map(|ip| Exit::Address(name(ip))).collect(),
        per_address: None,
    };
    Pools::new(pools.iter().map(pool))
}

fn probe() -> Probe {
    let authority = Authority::shared().expect("an authority");
    let here: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    Probe {
        resolver: Resolver::fixed([("localhost".to_owned(), here)]),
        targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a range")]),
        trust: Trust::only([authority.root_der()]).expect("a root"),
        limits: Limits::default(),
        identity: Identity::default(),
        rules: Rules { courier: CourierRule::Refuse },
    }
}

/// Starts a mail server that knows some mailboxes.
pub(crate) async fn mail(server: Server, mailboxes: &[&str]) -> MailServer {
    let known = |server: Server, address: &&str| server.mailbox(*address, PASSWORD);
    mailboxes.iter().fold(server, known).start().await.expect("a free port")
}

/// Waits until somebody sends a credential.
pub(crate) async fn logs_in(server: &MailServer) {
    let asked = |record: &Recorder| record.commands().iter().any(|line| line.starts_with("AUTH"));
    assert!(server.recorder().wait_until(PATIENCE, asked).await, "{:?}", server.recorder());
}
