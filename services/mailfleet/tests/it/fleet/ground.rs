//! What a fleet stands on, and its processes: servers, keys, configuration, gateways, workers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use mailfleet_api::v1;
use mailfleet_api::v1::fleet_service_client::FleetServiceClient;
use mailfleet_mailsim::Authority;
use mailfleet_model::fleet::{GroupKey, ShardIndex, WorkerId, rendezvous, shard_of};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use super::lab::{Lab, Use};
use super::mail::{Estates, Mail, group};
use super::process::{PATIENCE, Process, Role, eventually};
use super::proxy::Proxy;
use crate::command::{Ended, ended, mailfleet};

/// Shards of a test's fleet: few, so that the broker has little to declare.
pub(crate) const SHARDS: NonZeroU16 = NonZeroU16::new(16).expect("not zero");

/// Longest time until shards are where they should be: a worker keeps one for as long as a leg that
/// somebody else may still run keeps a slot of it.
const SETTLING: Duration = Duration::from_secs(100);

/// A caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    /// The pool that it leaves from.
    pub(crate) pool_name: &'static str,
    /// The third number of its source addresses, 127.2.x.1 to 127.2.x.4.
    pub(crate) pool: u8,
}

/// The usual caller, who may also run the fleet.
pub(crate) const CRM: Tenant =
    Tenant { name: "crm", token: "crm-token-0123456789", pool_name: "default", pool: 0 };
/// Another one, who leaves from other addresses.
pub(crate) const ERP: Tenant =
    Tenant { name: "erp", token: "erp-token-0123456789", pool_name: "other", pool: 1 };
const TENANTS: [Tenant; 2] = [CRM, ERP];

/// Zones, with their shares. The last one has no workers, and an address that is not here: the
/// others do without.
const ZONES: [(&str, u32); 3] = [("default", 50), ("other", 40), ("third", 10)];

/// Source addresses of each pool.
const POOL: u8 = 4;

impl Tenant {
    /// The source addresses of its pool.
    pub(crate) fn addresses(self) -> Vec<IpAddr> {
        (1..=POOL).map(|last| Ipv4Addr::new(127, 2, self.pool, last).into()).collect()
    }
}

/// How large a fleet is, and what it meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) n_gateways: usize,
    pub(crate) n_workers: usize,
    /// Sessions at once at each mail server.
    pub(crate) limit: u32,
    /// One, or the three of `ZONES`. Workers go round the first two.
    pub(crate) n_zones: usize,
    pub(crate) mail: Estates,
}

/// Two gateways and three workers.
pub(crate) const USUAL: Size = Size {
    n_gateways: 2,
    n_workers: 3,
    limit: 3,
    n_zones: 1,
    mail: Estates { n_pairs: 4, n_mailboxes: 80, login: Duration::from_millis(200) },
};

/// The same with room for more sessions than a paced load needs: where slots are kept for what may
/// still run, the others go on.
pub(crate) const ROOMY: Size = Size { limit: 10, ..USUAL };

/// Everything of a test. The order of the fields is the order in which it goes: callers' ends
/// first, servers last.
pub(crate) struct Ground {
    pub(crate) gateways: Vec<Process>,
    pub(crate) workers: Vec<Process>,
    /// In front of the broker, by the name of the process behind it.
    pub(crate) proxies: BTreeMap<String, Proxy>,
    pub(crate) mail: Mail,
    pub(crate) lab: Lab,
    pub(crate) size: Size,
    /// What processes that are started from now on find in their environment beside the usual.
    pub(crate) environment: Vec<(String, String)>,
    n_started: usize,
    /// The zone of each worker that was ever there.
    zones: BTreeMap<String, &'static str>,
    folder: TempDir,
}

impl Ground {
    /// A fleet whose processes are ready; `None`, said aloud, without servers.
    pub(crate) async fn start(size: Size, servers: Use) -> Option<Self> {
        let mut ground = Self::prepare(size, servers).await?;
        ground.fill().await;
        Some(ground)
    }

    /// Starts as many processes as the fleet is to have, and waits until they have settled.
    pub(crate) async fn fill(&mut self) {
        for _ in 0..self.size.n_gateways {
            self.add(Role::Gateway).await;
        }
        for _ in 0..self.size.n_workers {
            self.add(Role::Worker).await;
        }
        self.settled().await;
    }

    /// The same before any process is started.
    pub(crate) async fn prepare(size: Size, servers: Use) -> Option<Self> {
        let lab = Lab::get(servers).await?;
        let mail = Mail::start(size.mail).await;
        let folder = tempfile::Builder::new().prefix("mailfleet-fleet.").tempdir();
        let folder = folder.expect("a folder");
        let ground = Self {
            gateways: Vec::new(),
            workers: Vec::new(),
            proxies: BTreeMap::new(),
            mail,
            lab,
            size,
            environment: Vec::new(),
            n_started: 0,
            zones: BTreeMap::new(),
            folder,
        };
        ground.write_files();
        ground.make_keys().await;
        Some(ground)
    }

    /// A place of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_files(&self) {
        let authority = Authority::shared().expect("an authority");
        std::fs::write(self.path("roots.pem"), authority.root_pem()).expect("a free place");
        let mut text = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [broker]\nnamespace = \"{}\"\n[fleet]\nshards = {SHARDS}\n\
             [targets]\nallow = [\"127.0.0.0/8\"]\n[trust]\nroots = [\"{}\"]\n\
             [limits]\nconcurrency = {}\n[telemetry]\nlogs = \"json\"\n",
            self.lab.namespace,
            self.path("roots.pem").display(),
            self.size.limit,
        );
        let is_split = 1 < self.size.n_zones;
        for (zone, share) in ZONES.into_iter().filter(|_| is_split) {
            write!(text, "[[fleet.zone]]\nname = \"{zone}\"\nshare = {share}\n").expect("memory");
        }
        if is_split {
            text.push_str(
                "[[egress.pool]]\nname = \"elsewhere\"\nzone = \"third\"\n\
                 addresses = [\"203.0.113.5\"]\n",
            );
        }
        for (tenant, (zone, _)) in TENANTS.into_iter().zip(ZONES) {
            let zone = if is_split { zone } else { ZONES[0].0 };
            let file = self.path(tenant.name);
            std::fs::write(&file, tenant.token).expect("a free place");
            let addresses: Vec<String> =
                tenant.addresses().iter().map(|ip| format!("\"{ip}\"")).collect();
            let (name, file, pool) = (tenant.name, file.display(), tenant.pool_name);
            let addresses = addresses.join(", ");
            write!(
                text,
                "[[egress.pool]]\nname = \"{pool}\"\nzone = \"{zone}\"\naddresses = [{addresses}]\n\
                 [[tenant]]\nname = \"{name}\"\ntoken_file = \"{file}\"\nrole = \"admin\"\n\
                 pool = \"{pool}\"\n"
            )
            .expect("memory");
        }
        std::fs::write(self.path("mailfleet.toml"), text).expect("a free place");
    }

    async fn make_keys(&self) {
        let (private, public) = (self.path("worker.keys"), self.path("gateway.keys"));
        let (private, public) = (private.to_string_lossy(), public.to_string_lossy());
        for words in [
            &["keys", "generate", "--key-file", &private][..],
            &["keys", "public", &public, "--key-file", &private],
        ] {
            let told = ended(mailfleet(words)).await;
            assert_eq!(told.status, Some(0), "{words:?}: {}", told.stderr);
        }
    }

    /// Starts one more process, and waits until it is ready.
    pub(crate) async fn add(&mut self, role: Role) -> &Process {
        self.start_process(role, None, None).await
    }

    /// The same with a proxy of its own in front of the broker.
    pub(crate) async fn add_behind_proxy(&mut self, role: Role) -> &Process {
        let proxy = Proxy::before(self.lab.broker_address()).await;
        let id = self.start_process(role, None, Some(&proxy)).await.id.clone();
        self.proxies.insert(id, proxy);
        self.of(role).last().expect("just added")
    }

    /// A gateway where an earlier one was: callers find it again by themselves.
    pub(crate) async fn add_gateway_at(&mut self, listen: SocketAddr) -> &Process {
        self.start_process(Role::Gateway, Some(listen), None).await
    }

    async fn start_process(
        &mut self,
        role: Role,
        listen: Option<SocketAddr>,
        proxy: Option<&Proxy>,
    ) -> &Process {
        let keys = match role {
            Role::Gateway => "gateway.keys",
            Role::Worker => "worker.keys",
        };
        let mut environment = vec![
            ("MAILFLEET_VAULT__KEY_FILE".to_owned(), self.path(keys).display().to_string()),
            (
                "MAILFLEET_BROKER__URL".to_owned(),
                self.lab.broker_url(proxy.map(|proxy| proxy.port)),
            ),
        ];
        environment.extend(self.environment.iter().cloned());
        let (zone, _) = ZONES[self.zones.len() % self.size.n_zones.min(2)];
        match role {
            Role::Gateway => {
                environment.push(("MAILFLEET_STORE__URL".to_owned(), self.lab.store_url()));
            }
            Role::Worker => {
                environment.push(("MAILFLEET_WORKER__ZONE".to_owned(), zone.to_owned()));
            }
        }
        if let Some(listen) = listen {
            environment.push(("MAILFLEET_GATEWAY__LISTEN".to_owned(), listen.to_string()));
        }
        self.n_started += 1;
        let log = self.logs().join(format!("{}-{role:?}.log", self.n_started));
        let process = Process::start(role, &self.path("mailfleet.toml"), &environment, log).await;
        process.ready().await;
        let list = match role {
            Role::Gateway => &mut self.gateways,
            Role::Worker => {
                self.zones.insert(process.id.clone(), zone);
                &mut self.workers
            }
        };
        list.push(process);
        list.last().expect("just pushed")
    }

    fn of(&self, role: Role) -> &[Process] {
        match role {
            Role::Gateway => &self.gateways,
            Role::Worker => &self.workers,
        }
    }

    /// Where the processes write their logs: kept where the environment says so.
    fn logs(&self) -> PathBuf {
        let Some(kept) = std::env::var_os("MAILFLEET_FLEET_LOGS") else {
            return self.folder.path().to_owned();
        };
        let folder = PathBuf::from(kept).join(&self.lab.namespace);
        std::fs::create_dir_all(&folder).expect("a place for logs");
        folder
    }

    /// Waits until every shard is owned by the one of the workers of now that should own it.
    pub(crate) async fn settled(&self) {
        let ids: Vec<WorkerId> =
            self.workers.iter().map(|worker| worker.id.parse().expect("a name")).collect();
        let owner = |zone: &'static str, shard| {
            let ours = ids.iter().filter(|id| self.zones.get(id.as_str()) == Some(&zone));
            let name = zone.parse().expect("a name");
            let weight = |id: &&WorkerId| (rendezvous(id, &name, shard), (*id).clone());
            ours.max_by_key(weight)
                .map(|heaviest| format!("workers/{heaviest}"))
                .into_iter()
                .collect()
        };
        let zones = ZONES.into_iter().take(self.size.n_zones).map(|(zone, _)| zone);
        let places = zones.flat_map(|zone| (0..SHARDS.get()).map(move |index| (zone, index)));
        let wanted: Vec<Vec<String>> =
            places.map(|(zone, index)| owner(zone, ShardIndex(index))).collect();
        eventually("every shard is where it should be", SETTLING, || async {
            self.owners().await.is_ok_and(|owners| owners == wanted)
        })
        .await;
    }

    async fn owners(&self) -> Result<Vec<Vec<String>>, tonic::Status> {
        let mut client = self.fleet_client();
        let request = as_tenant(CRM, v1::ListShardsRequest {});
        let shards = client.list_shards(request).await?.into_inner().shards;
        Ok(shards.into_iter().map(|shard| shard.owners).collect())
    }

    /// The queue of a mail server's shard.
    pub(crate) fn queue_of(&self, key: &str) -> String {
        let shard = shard_of(&GroupKey::new(key).expect("a key"), SHARDS);
        format!("shard.default.{shard}")
    }

    /// The mail servers that each worker owns.
    pub(crate) async fn servers_by_worker(&self) -> Vec<Vec<String>> {
        let owners = self.owners().await.expect("a gateway that answers");
        let mut servers: Vec<Vec<String>> = vec![Vec::new(); self.workers.len()];
        for server in self.mail.servers() {
            let key = group(server);
            let shard = shard_of(&GroupKey::new(&key).expect("a key"), SHARDS);
            let owner = owners[usize::from(shard.0)].first().cloned().unwrap_or_default();
            let is_owner = |worker: &Process| owner == format!("workers/{}", worker.id);
            if let Some(index) = self.workers.iter().position(is_owner) {
                servers[index].push(key);
            }
        }
        servers
    }

    /// The index of the worker that owns most mail servers, and which servers these are.
    pub(crate) async fn busiest_worker(&self) -> (usize, Vec<String>) {
        let mut servers = self.servers_by_worker().await;
        let busiest = (0..servers.len()).max_by_key(|index| servers[*index].len());
        let busiest = busiest.expect("a worker");
        (busiest, servers.swap_remove(busiest))
    }

    /// Waits until so many sessions were begun, and legs run.
    pub(crate) async fn busy(&self, n_sessions: u64) {
        eventually(&format!("{n_sessions} sessions"), PATIENCE, || async {
            n_sessions <= self.mail.total() && 0 < self.mail.sessions()
        })
        .await;
    }

    /// Gateways and workers.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.gateways.iter().chain(&self.workers)
    }

    /// Waits until every process can work.
    pub(crate) async fn all_ready(&self) {
        for process in self.processes() {
            process.ready().await;
        }
    }

    /// Waits until every process has noticed that it cannot work.
    pub(crate) async fn nobody_ready(&self) {
        for process in self.processes() {
            process.not_ready().await;
        }
    }

    /// What operators use, at the first gateway.
    pub(crate) fn fleet_client(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channels()[0].clone())
    }

    /// Runs a command for operators against the first gateway.
    pub(crate) async fn operator(&self, words: &[&str]) -> Ended {
        let at = self.gateways[0].listen.expect("a gateway listens");
        let mut command = mailfleet(words);
        command.args(["--gateway", &format!("http://{at}")]);
        command.env("MAILFLEET_TOKEN", CRM.token);
        ended(command).await
    }

    /// Ways to every gateway; they connect, and connect again, by themselves.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let channel = |gateway: &Process| {
            let at = gateway.listen.expect("a gateway listens");
            let endpoint = Endpoint::from_shared(format!("http://{at}")).expect("an address");
            endpoint
                .connect_timeout(Duration::from_secs(2))
                .timeout(Duration::from_secs(15))
                .connect_lazy()
        };
        self.gateways.iter().map(channel).collect()
    }
}

/// The request with a token.
pub(crate) fn as_tenant<T>(tenant: Tenant, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let header = format!("Bearer {}", tenant.token).parse().expect("ASCII");
    request.metadata_mut().insert("authorization", header);
    request
}
