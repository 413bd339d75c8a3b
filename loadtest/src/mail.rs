//! The mail servers of a run: which there are, where they listen, and the processes that they
//! are in.
//!
//! Every pair of simulated servers has an address of its own below 127.0.0.0/8, which Linux has
//! without any set-up, so that each server is a limit group of its own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::estates::{Answer, Order, PairOrder};
use crate::history::{self, Session};
use crate::scenario::{Manner, Population};

/// The password of every simulated mailbox.
pub(crate) const PASSWORD: &str = "load-password";
/// One that no mailbox has.
pub(crate) const WRONG: &str = "wrong-password";
/// Pairs in one process. Each server is an open file, and so is each of its sessions.
const PAIRS_EACH: usize = 1_500;
/// Longest wait for a process to start or to end: thousands of certificates take a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// A pair of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) host: [String; 2],
    /// Of IMAP and of SMTP.
    pub(crate) port: [u16; 2],
    /// The address, where it is one of ours.
    pub(crate) address: Option<Ipv4Addr>,
}

/// All servers of a run. The processes end when this is dropped.
pub(crate) struct Mail {
    /// By population, in the order of the scenario.
    pub(crate) pairs: Vec<Vec<Pair>>,
    /// The authorities that signed the certificates.
    pub(crate) roots: String,
    /// The processes, with their names.
    pub(crate) processes: Vec<(String, u32)>,
    children: Vec<Child>,
    histories: Vec<PathBuf>,
}

impl Mail {
    /// Starts what the populations want, with files in `folder`.
    pub(crate) async fn start(populations: &[Population], folder: &Path) -> anyhow::Result<Self> {
        let mut mail = Self {
            pairs: Vec::new(),
            roots: String::new(),
            processes: Vec::new(),
            children: Vec::new(),
            histories: Vec::new(),
        };
        let mut orders = Vec::new();
        for (index, population) in populations.iter().enumerate() {
            if let Some(given) = &population.given {
                let imap = host_and_port(&given.imap)?;
                let smtp = host_and_port(&given.smtp)?;
                let pair = Pair { host: [imap.0, smtp.0], port: [imap.1, smtp.1], address: None };
                mail.pairs.push(vec![pair; usize::try_from(population.pairs)?]);
                continue;
            }
            for pair in 0..population.pairs {
                orders.push(PairOrder {
                    address: address(index, pair)?,
                    login_ms: u64::try_from(population.login.as_millis())?,
                    is_silent: population.manner == Manner::BlackHole,
                });
            }
            mail.pairs.push(Vec::new());
        }
        // Two processes at least, so that one busy thread is not what is measured.
        let each = PAIRS_EACH.min(orders.len().div_ceil(2)).max(1);
        let mut started = Vec::new();
        for chunk in orders.chunks(each) {
            let answer = mail.start_process(chunk, folder).await?;
            ensure!(answer.ports.len() == chunk.len(), "a mail process answered for others");
            mail.roots.push_str(&answer.root);
            started.extend(chunk.iter().map(|order| order.address).zip(answer.ports));
        }
        let mut started = started.into_iter();
        for (population, pairs) in populations.iter().zip(&mut mail.pairs) {
            while population.given.is_none() && pairs.len() < usize::try_from(population.pairs)? {
                let (address, (imap, smtp)) = started.next().context("a pair was not started")?;
                let host = address.to_string();
                let host = [host.clone(), host];
                pairs.push(Pair { host, port: [imap, smtp], address: Some(address) });
            }
        }
        Ok(mail)
    }

    async fn start_process(
        &mut self,
        pairs: &[PairOrder],
        folder: &Path,
    ) -> anyhow::Result<Answer> {
        let name = format!("mail servers {}", self.children.len() + 1);
        let history = folder.join(format!("sessions-{}.csv", self.children.len() + 1));
        let order = Order {
            history: history.clone(),
            password: PASSWORD.to_owned(),
            pairs: pairs.to_vec(),
        };
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = Command::new(program)
            .arg("estates")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C is for us; they end with their input.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting the simulated mail servers")?;
        let stdin = child.stdin.as_mut().context("the mail servers have no input")?;
        let line = format!("{}\n", serde_json::to_string(&order)?);
        stdin.write_all(line.as_bytes()).await.context("telling the mail servers what to run")?;
        let stdout = child.stdout.take().context("the mail servers have no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.context("the mail servers did not start in time")??;
        let line = line.context("the mail servers did not start")?;
        let pid = child.id().context("the mail servers ended")?;
        self.processes.push((name, pid));
        self.children.push(child);
        self.histories.push(history);
        serde_json::from_str(&line).with_context(|| format!("the mail servers said {line:?}"))
    }

    /// Ends the servers, and gives what they wrote down.
    pub(crate) async fn end(mut self) -> anyhow::Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for child in &mut self.children {
            drop(child.stdin.take());
            let status = timeout(PATIENCE, child.wait()).await;
            let status = status.context("the mail servers did not end in time")??;
            ensure!(status.success(), "the mail servers failed: {status}");
        }
        for history in &self.histories {
            sessions.extend(history::read(history)?);
        }
        Ok(sessions)
    }
}

/// The address of a pair: the second number tells the population.
fn address(population: usize, pair: u32) -> anyhow::Result<Ipv4Addr> {
    let second = u8::try_from(10 + population).context("too many [[servers]]")?;
    let (third, fourth) = (u8::try_from(pair / 250)?, u8::try_from(pair % 250 + 1)?);
    Ok(Ipv4Addr::new(127, second, third, fourth))
}

fn host_and_port(text: &str) -> anyhow::Result<(String, u16)> {
    let pair = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = pair else { bail!("{text:?} is not host:port") };
    Ok((host.to_owned(), port))
}
