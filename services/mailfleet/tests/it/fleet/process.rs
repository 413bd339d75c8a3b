//! Gateways and workers as processes: started, watched over their admin port, signalled, killed.
//!
//! A process that a test started ends with it, whatever state it is in.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::command::mailfleet;

/// Longest wait for a process to be ready, or to end. A busy machine needs some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(50);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Gateway,
    Worker,
}

/// A process of the fleet.
pub(crate) struct Process {
    /// The name that it gave itself.
    pub(crate) id: String,
    /// Where it listens for calls; workers do not.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    child: Child,
    group: Pid,
    is_gone: bool,
    pub(crate) log: PathBuf,
    /// Kept open: a process whose output nobody reads must not notice.
    _stdout: BufReader<ChildStdout>,
}

/// Waits until something holds; panics with `what` if it does not in time.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> F,
) {
    let began = Instant::now();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if holds().await {
            return;
        }
        assert!(began.elapsed() < limit, "not in {limit:?}: {what}");
    }
}

impl Process {
    /// Starts one with this configuration and environment; its log goes to `log`.
    pub(crate) async fn start(
        role: Role,
        config: &Path,
        environment: &[(String, String)],
        log: PathBuf,
    ) -> Self {
        let word = match role {
            Role::Gateway => "gateway",
            Role::Worker => "worker",
        };
        let mut command = mailfleet(&["-vv", word, "--config"]);
        command.arg(config).envs(environment.iter().cloned());
        command.stderr(Stdio::from(File::create(&log).expect("a free place")));
        let mut command = Command::from(command);
        let mut child = command.process_group(0).spawn().expect("the binary runs");
        let pid = child.id().expect("it runs");
        let group = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        drop(read.expect("it says where it listens, in time"));
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            killpg(group, Signal::SIGKILL).ok();
            panic!("{word} said {line:?} and {}", tail(&log))
        });
        let at = |key: &str| {
            let url = told[key].as_str()?;
            Some(url.split_once("://")?.1.parse().expect("an address"))
        };
        let id = told["message"].as_str().and_then(|text| text.split(' ').nth(2));
        Self {
            id: id.expect("it says who it is").to_owned(),
            listen: at("listen"),
            admin: at("admin").expect("it says where its health is"),
            child,
            group,
            is_gone: false,
            log,
            _stdout: stdout,
        }
    }

    /// Sends a signal to everything that it is.
    pub(crate) fn signal(&self, signal: Signal) {
        killpg(self.group, signal).expect("it is ours");
    }

    /// Kills it without a warning, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().await.expect("it ends");
        self.is_gone = true;
    }

    /// Waits until it has ended by itself; gives its exit status.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("{} runs on: {}", self.id, tail(&self.log)));
        self.is_gone = true;
        status.expect("it ends").code()
    }

    /// Whether its admin port says that it can work.
    pub(crate) async fn is_ready(&self) -> bool {
        self.readiness().await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// What its admin port says.
    pub(crate) async fn readiness(&self) -> Option<String> {
        self.get("/readyz").await
    }

    /// What it has counted, with the head of the answer.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await.expect("the admin port answers")
    }

    async fn get(&self, path: &str) -> Option<String> {
        let ask = async {
            let mut stream = TcpStream::connect(self.admin).await.ok()?;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            Some(answer)
        };
        timeout(Duration::from_secs(2), ask).await.ok().flatten()
    }

    /// Waits until it can work.
    pub(crate) async fn ready(&self) {
        let what = format!("{} is ready; its log: {}", self.id, self.log.display());
        eventually(&what, PATIENCE, || self.is_ready()).await;
    }

    /// Waits until it has noticed that it cannot work.
    pub(crate) async fn not_ready(&self) {
        let what = format!("{} notices; its log: {}", self.id, self.log.display());
        eventually(&what, PATIENCE, || async { !self.is_ready().await }).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_gone {
            // It may have ended by itself, which is as good.
            killpg(self.group, Signal::SIGKILL).ok();
        }
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
