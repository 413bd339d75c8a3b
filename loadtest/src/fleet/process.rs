//! A gateway or a worker as a process: started, waited for, signalled, ended.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Longest wait for a process to be ready, or to end. A busy machine needs some seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(50);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Gateway,
    Worker,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
        }
    }
}

/// A process of the fleet. It ends when this is dropped.
pub(crate) struct Process {
    /// What people call it, such as `worker 2`.
    pub(crate) name: String,
    /// The name that it gave itself.
    pub(crate) id: String,
    pub(crate) pid: u32,
    /// Where it listens for calls; workers do not.
    pub(crate) listen: Option<SocketAddr>,
    admin: SocketAddr,
    child: Child,
    group: Pid,
    _stdout: BufReader<ChildStdout>,
}

/// What a process is started with.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) config: &'a Path,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) log: PathBuf,
}

impl Process {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(start: Start<'_>) -> anyhow::Result<Self> {
        let Start { program, role, name, config, environment, log } = start;
        // A gateway that is started again goes on in the same file.
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("writing {}", log.display()))?;
        let mut child = Command::new(program)
            .arg(role.word())
            .arg("--config")
            .arg(config)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            // A Ctrl-C is for us; they are ended in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id().context("it ended")?;
        let group = Pid::from_raw(i32::try_from(pid).context("a process id")?);
        let mut stdout = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut line = String::new();
        let told = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        told.with_context(|| format!("{name} did not start in time"))??;
        let Ok(told) = serde_json::from_str::<Value>(&line) else {
            bail!("{name} did not start: {}", tail(&log));
        };
        let at = |key: &str| -> Option<SocketAddr> {
            told.get(key)?.as_str()?.split_once("://")?.1.parse().ok()
        };
        let id = told.get("message").and_then(Value::as_str);
        let id = id.and_then(|text| text.split(' ').nth(2)).context("it does not say its name")?;
        let process = Self {
            name,
            id: id.to_owned(),
            pid,
            listen: at("listen"),
            admin: at("admin").context("it does not say where its health is")?,
            child,
            group,
            _stdout: stdout,
        };
        process.ready(&log).await?;
        Ok(process)
    }

    /// Waits until it can work.
    async fn ready(&self, log: &Path) -> anyhow::Result<()> {
        let (began, mut looks) = (Instant::now(), interval(LOOK));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < PATIENCE {
            looks.tick().await;
            if self.is_ready().await {
                return Ok(());
            }
        }
        bail!("{} does not become ready: {}", self.name, tail(log))
    }

    async fn is_ready(&self) -> bool {
        let ask = async {
            let mut stream = TcpStream::connect(self.admin).await.ok()?;
            let request = "GET /readyz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            Some(answer.starts_with("HTTP/1.1 200"))
        };
        timeout(Duration::from_secs(2), ask).await.ok().flatten().unwrap_or(false)
    }

    /// Sends a signal to everything that it is.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        killpg(self.group, signal).with_context(|| format!("{} is not there", self.name))
    }

    /// Waits until it has ended by itself; kills it where that takes too long.
    pub(crate) async fn ended(mut self, limit: Duration) -> bool {
        match timeout(limit, self.child.wait()).await {
            Ok(_) => true,
            Err(_) => {
                // It is killed by being dropped.
                drop(self.child.start_kill());
                false
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Reaped already, its number may belong to somebody else.
        if self.child.id().is_some() {
            // It may have ended by itself, which is as good.
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    format!("its log {} ends with\n{}", log.display(), last.join("\n"))
}
