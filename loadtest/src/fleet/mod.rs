//! A fleet on this machine for the time of a run: keys, configuration, gateways and workers,
//! over a broker and a database of its own or given ones.
//!
//! Whatever was started ends with it.

mod lab;
mod process;
mod proxy;

pub(crate) use lab::{Given, Lab};
pub(crate) use process::Process;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::mail::Mail;
use crate::scenario::{FaultKind, Scenario};
use process::{Role, Start};
use proxy::Proxy;

/// How long a process may take to end.
const ENDING: Duration = Duration::from_secs(30);

/// Processes whose memory and CPU time are of interest; some come and go.
pub(crate) type Watched = Arc<Mutex<Vec<(String, u32)>>>;

/// Locks; a panic elsewhere does not make the list unreadable.
pub(crate) fn lock(watched: &Watched) -> std::sync::MutexGuard<'_, Vec<(String, u32)>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running fleet. Gateways end first, servers last.
pub(crate) struct Fleet {
    gateways: Vec<Process>,
    workers: Vec<(Process, Option<Proxy>)>,
    pub(crate) lab: Lab,
    program: PathBuf,
    folder: PathBuf,
    logs: PathBuf,
    is_behind_proxies: bool,
    n_workers: usize,
    watched: Watched,
}

impl Fleet {
    /// Starts one, with its files in `folder` and its logs in another one.
    pub(crate) async fn start(
        scenario: &Scenario,
        mail: &Mail,
        given: &Given,
        program: &Path,
        [folder, logs]: [&Path; 2],
    ) -> anyhow::Result<Self> {
        let harms_broker = scenario.does(|kind| kind == FaultKind::RestartBroker);
        let lab = Lab::get(given, harms_broker).await?;
        let watched: Watched = Arc::new(Mutex::new(lab.processes()));
        let mut fleet = Self {
            gateways: Vec::new(),
            workers: Vec::new(),
            lab,
            program: program.to_owned(),
            folder: folder.to_owned(),
            logs: logs.to_owned(),
            is_behind_proxies: scenario.does(|kind| kind == FaultKind::CutWorker),
            n_workers: 0,
            watched,
        };
        std::fs::write(fleet.path("roots.pem"), &mail.roots).context("writing the roots")?;
        let config = fleet.config(scenario, mail)?;
        std::fs::write(fleet.path("mailfleet.toml"), config)
            .context("writing the configuration")?;
        let (private, public) = (fleet.path("workers.keys"), fleet.path("gateways.keys"));
        let words = |path: &Path| path.to_string_lossy().into_owned();
        fleet.keys(&["generate", "--key-file", &words(&private)]).await?;
        fleet.keys(&["public", "--key-file", &words(&private), &words(&public)]).await?;
        for number in 1..=scenario.fleet.gateways {
            fleet.add_gateway(&format!("gateway {number}"), None).await?;
        }
        for _ in 0..scenario.fleet.workers {
            fleet.add_worker().await?;
        }
        Ok(fleet)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn config(&self, scenario: &Scenario, mail: &Mail) -> anyhow::Result<String> {
        let sources: Vec<String> =
            sources(scenario).iter().map(|address| format!("\"{address}\"")).collect();
        let mut text = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [broker]\nnamespace = \"{}\"\n[fleet]\nshards = {}\n\
             [targets]\nallow = [\"127.0.0.0/8\"]\n[trust]\nroots = [\"{}\"]\n\
             [quota]\ninteractive = 1000000\nbulk = 10000000\nper_minute = 100000000\n\
             [telemetry]\nlogs = \"json\"\n\
             [[egress.pool]]\nname = \"default\"\naddresses = [{}]\n\
             [worker]\nslots = {}\n[limits]\nconcurrency = {}\n",
            self.lab.namespace,
            scenario.fleet.shards,
            self.path("roots.pem").display(),
            sources.join(", "),
            scenario.fleet.slots,
            scenario.fleet.limit,
        );
        if let Some(otlp) = &scenario.fleet.otlp {
            let sampling = scenario.fleet.sampling;
            text = text.replacen(
                "[telemetry]\n",
                &format!("[telemetry]\notlp = \"{otlp}\"\nsampling = {sampling:?}\n"),
                1,
            );
        }
        for (population, pairs) in scenario.servers.iter().zip(&mail.pairs) {
            let Some(limit) = population.limit else { continue };
            for address in pairs.iter().filter_map(|pair| pair.address) {
                for protocol in ["imap", "smtp"] {
                    write!(
                        text,
                        "[[limits.group]]\nmatch = \"{protocol}:{address}\"\n\
                         concurrency = {limit}\n"
                    )?;
                }
            }
        }
        Ok(text)
    }

    async fn keys(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        let done = command.arg("keys").args(words).stdin(Stdio::null()).output().await;
        let done = done.with_context(|| {
            format!("running {} (build it, or name it by --mailfleet)", self.program.display())
        })?;
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "mailfleet keys failed: {told}");
        Ok(())
    }

    fn watch(&self, process: &Process) {
        let mut watched = lock(&self.watched);
        watched.retain(|(name, _)| *name != process.name);
        watched.push((process.name.clone(), process.pid));
    }

    /// Those whose memory and CPU time are of interest.
    pub(crate) fn watched(&self) -> Watched {
        Arc::clone(&self.watched)
    }

    async fn start_process(
        &self,
        role: Role,
        name: &str,
        environment: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Process> {
        let log = self.logs.join(format!("{}.log", name.replace(' ', "-")));
        let config = self.path("mailfleet.toml");
        let name = name.to_owned();
        let program = &self.program;
        let start = Start { program, role, name, config: &config, environment, log };
        let process = Process::start(start).await?;
        self.watch(&process);
        Ok(process)
    }

    async fn add_gateway(&mut self, name: &str, at: Option<SocketAddr>) -> anyhow::Result<()> {
        let mut environment = vec![
            ("MAILFLEET_VAULT__KEY_FILE", self.path("gateways.keys").display().to_string()),
            ("MAILFLEET_BROKER__URL", self.lab.broker_url(None)?),
            ("MAILFLEET_STORE__URL", self.lab.store_url().to_owned()),
        ];
        environment.extend(at.map(|at| ("MAILFLEET_GATEWAY__LISTEN", at.to_string())));
        let gateway = self.start_process(Role::Gateway, name, environment).await?;
        self.gateways.push(gateway);
        Ok(())
    }

    /// Starts one more worker.
    pub(crate) async fn add_worker(&mut self) -> anyhow::Result<()> {
        let proxy = match self.is_behind_proxies {
            true => Some(Proxy::before(self.lab.broker_address()?).await?),
            false => None,
        };
        let through = proxy.as_ref().map(|proxy| proxy.port);
        let environment = vec![
            ("MAILFLEET_VAULT__KEY_FILE", self.path("workers.keys").display().to_string()),
            ("MAILFLEET_BROKER__URL", self.lab.broker_url(through)?),
        ];
        self.n_workers += 1;
        let name = format!("worker {}", self.n_workers);
        let worker = self.start_process(Role::Worker, &name, environment).await?;
        self.workers.push((worker, proxy));
        Ok(())
    }

    /// Ends the broker and starts it again.
    pub(crate) async fn restart_broker(&self) -> anyhow::Result<()> {
        self.lab.restart_broker().await?;
        let mut watched = lock(&self.watched);
        for (name, pid) in self.lab.processes() {
            watched.retain(|(known, _)| *known != name);
            watched.push((name, pid));
        }
        Ok(())
    }

    /// Where the gateways listen.
    pub(crate) fn urls(&self) -> Vec<String> {
        let at = self.gateways.iter().filter_map(|gateway| gateway.listen);
        at.map(|at| format!("http://{at}")).collect()
    }

    /// The names that the workers gave themselves.
    pub(crate) fn worker_ids(&self) -> Vec<String> {
        self.workers.iter().map(|(worker, _)| worker.id.clone()).collect()
    }

    fn worker(&self, id: &str) -> anyhow::Result<&(Process, Option<Proxy>)> {
        let found = self.workers.iter().find(|(worker, _)| worker.id == id);
        found.with_context(|| format!("there is no worker {id}"))
    }

    /// What people call a worker.
    pub(crate) fn name_of(&self, id: &str) -> String {
        self.worker(id).map_or_else(|_| id.to_owned(), |(worker, _)| worker.name.clone())
    }

    /// Signals a worker.
    pub(crate) fn signal(&self, id: &str, signal: Signal) -> anyhow::Result<()> {
        self.worker(id)?.0.signal(signal)
    }

    /// Cuts a worker off the broker, or lets it through again.
    pub(crate) fn cut(&self, id: &str, is_cut: bool) -> anyhow::Result<()> {
        let proxy = self.worker(id)?.1.as_ref().context("it is not behind a proxy")?;
        proxy.cut(is_cut);
        Ok(())
    }

    /// Takes a worker that ends out of the fleet, to be waited for: with its way to the broker,
    /// which it needs until then.
    pub(crate) fn remove_worker(&mut self, id: &str) -> anyhow::Result<(Process, Option<Proxy>)> {
        let place = self.workers.iter().position(|(worker, _)| worker.id == id);
        let place = place.with_context(|| format!("there is no worker {id}"))?;
        Ok(self.workers.remove(place))
    }

    /// Kills a gateway, and starts one at its place.
    pub(crate) async fn replace_gateway(&mut self) -> anyhow::Result<String> {
        let gateway = self.gateways.pop().context("there is no gateway")?;
        let (name, at) = (gateway.name.clone(), gateway.listen);
        gateway.signal(Signal::SIGKILL)?;
        gateway.ended(ENDING).await;
        self.add_gateway(&name, at).await?;
        Ok(name)
    }

    /// Ends everything in order.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let (workers, proxies): (Vec<_>, Vec<_>) = self.workers.drain(..).unzip();
        let ending: Vec<Process> = self.gateways.drain(..).chain(workers).collect();
        for process in &ending {
            // It may have ended by itself.
            drop(process.signal(Signal::SIGCONT));
            drop(process.signal(Signal::SIGTERM));
        }
        futures::future::join_all(ending.into_iter().map(|process| process.ended(ENDING))).await;
        drop(proxies);
        // The lab's end blocks.
        tokio::task::spawn_blocking(move || drop(self)).await.context("ending the lab")
    }
}

/// The source addresses of a scenario's pool.
pub(crate) fn sources(scenario: &Scenario) -> Vec<IpAddr> {
    let last = 1..=u8::try_from(scenario.fleet.sources).unwrap_or(u8::MAX);
    last.map(|last| Ipv4Addr::new(127, 2, 0, last).into()).collect()
}
