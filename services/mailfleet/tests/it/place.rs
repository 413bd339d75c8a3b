//! A place for a `serve` process: its files, its configuration, its beginnings and ends.
//!
//! What a process leaves in its place is there for the next one, as after a crash.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, interval, timeout};
use tonic::transport::{Channel, Endpoint};

use crate::check::{ADDRESS, authority};
use crate::command::{Ended, ended, mailfleet};

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often `eventually` looks.
const LOOK: Duration = Duration::from_millis(20);

/// The files of a `serve`, and how it is started.
pub(crate) struct Place {
    folder: PathBuf,
    environment: Vec<(String, OsString)>,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    /// A folder of its own, gone with the test.
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().to_owned();
        Self { folder, environment: Vec::new(), _temporary: Some(temporary) }
    }

    /// A folder that somebody else keeps.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), environment: Vec::new(), _temporary: None }
    }

    /// Sets a variable for every process that is started here.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Writes the configuration file.
    pub(crate) fn configured(self, toml: &str) -> Self {
        std::fs::write(self.path("mailfleet.toml"), toml).expect("a free place");
        self
    }

    /// A file of this place.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Everything that was logged here so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// `serve` in this place, on free ports.
    pub(crate) fn command(&self) -> Command {
        let config = self.path("mailfleet.toml");
        let mut args = vec!["serve"];
        if config.exists() {
            args.extend(["--config", config.to_str().expect("a plain path")]);
        }
        let mut command = mailfleet(&args);
        let database = format!("sqlite:{}", self.path("mailfleet.db").display());
        command
            .current_dir(&self.folder)
            .env("MAILFLEET_GATEWAY__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_ADMIN__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_STORE__URL", database)
            .env("MAILFLEET_VAULT__KEY_FILE", self.path("mailfleet.keys"))
            .env("MAILFLEET_TARGETS__ALLOW", "127.0.0.0/8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts `serve`; its log goes on in this place.
    pub(crate) fn spawn(&self) -> Starting {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log"));
        let mut command = self.command();
        command.stderr(Stdio::from(log.expect("a log file")));
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn().expect("the binary runs");
        Starting { child }
    }

    /// Starts `serve` and waits until it can be used.
    pub(crate) async fn start(&self) -> Serve {
        let started = self.spawn().finished().await;
        started.unwrap_or_else(|| panic!("serve does not start:\n{}", self.log()))
    }
}

/// A `serve` that has not said yet where it listens.
pub(crate) struct Starting {
    pub(crate) child: Child,
}

impl Starting {
    /// Waits until it says so; `None` if it ends before.
    pub(crate) async fn finished(mut self) -> Option<Serve> {
        let mut stdout = BufReader::new(self.child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        read.expect("it starts or ends in time").expect("UTF-8");
        let mut addresses = line.split("http://").skip(1).map(|rest| {
            let is_address = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
            rest.split(|c| !is_address(c)).next().unwrap_or_default().parse::<SocketAddr>()
        });
        let gateway = addresses.next()?.expect("an address");
        let admin = addresses.next().expect("the admin port is told too").expect("an address");
        let url = format!("http://{gateway}");
        Some(Serve { child: self.child, url, gateway, admin, stdout })
    }
}

/// A running `serve`.
pub(crate) struct Serve {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Kept open: a gateway whose output nobody reads must not notice.
    stdout: BufReader<ChildStdout>,
}

impl Serve {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        signal::kill(pid, signal).expect("it is ours");
    }

    /// SIGKILL; the kernel has closed every socket when this returns.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().await.expect("it ends");
    }

    /// Asks it to end in order. Gives the exit status and what else it printed.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        self.signal(Signal::SIGTERM);
        let mut rest = String::new();
        let read = timeout(PATIENCE, self.stdout.read_to_string(&mut rest)).await;
        read.expect("it ends in time").expect("UTF-8");
        (self.child.wait().await.expect("it ends").code(), rest)
    }

    /// A connection to the gateway.
    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.url.clone()).expect("an address");
        endpoint.connect().await.expect("it listens")
    }

    /// Status and body of a page of the admin port.
    pub(crate) async fn admin(&self, page: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).await.expect("the admin port listens");
        let asked = format!("GET {page} HTTP/1.0\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.expect("it is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.expect("a status"), body.unwrap_or_default())
    }

    /// `check --gateway` of the usual mailbox at this server.
    pub(crate) async fn check(&self, server: &mailfleet_mailsim::Running, more: &[&str]) -> Ended {
        let ca = authority();
        let protocol = format!("--{}", server.protocol());
        let at = format!("localhost:{}/tls", server.port());
        let ca = ca.path().to_str().expect("a plain path");
        let mut args = vec!["check", ADDRESS, &protocol, &at, "--ca", ca, "--password-env", "PW"];
        args.extend(["--gateway", &self.url]);
        args.extend(more);
        ended(mailfleet(&args)).await
    }

    /// A `job` command at this gateway.
    pub(crate) async fn job(&self, args: &[&str]) -> Ended {
        let args = [&["job"], args, &["--gateway", &self.url]].concat();
        ended(mailfleet(&args)).await
    }
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "not in time: {what}");
    }
}
