//! What it costs to let `mailfleet serve` run validations, beside running them directly.
//!
//! Servers, `serve` and this program are processes of their own; the direct loop runs in this
//! one. Between `serve` and the loop lie gRPC, sealing, the store and the queue.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use mailfleet_gateway::Validator;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{knee, say, validations};
use crate::offer::Offer;
use crate::setup::{Servers, probe};
use crate::simulate::Kind;
use crate::usage::load;

/// Validations of the direct loop, at once and in all.
const DIRECT: (usize, u32) = (64, 3_000);

/// A `serve` with files of its own, stopped when dropped.
struct Serve {
    url: String,
    pid: u32,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Serve {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for serve")?;
        let program = std::env::current_exe().context("finding this program")?;
        let program = program.with_file_name("mailfleet");
        let mut child = Command::new(&program)
            .arg("serve")
            .current_dir(folder.path())
            .env("MAILFLEET_GATEWAY__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_ADMIN__LISTEN", "127.0.0.1:0")
            .env("MAILFLEET_TARGETS__ALLOW", "127.0.0.0/8")
            // Two servers for all of it: the usual limit would be what is measured.
            .env("MAILFLEET_LIMITS__CONCURRENCY", "1000")
            .env("MAILFLEET_QUOTA__INTERACTIVE", "1000000")
            .env("MAILFLEET_QUOTA__PER_MINUTE", "10000000")
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {} (build it first)", program.display()))?;
        let stdout = child.stdout.take().context("serve has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await?.context("serve did not start")?;
        let at = line.split("http://").nth(1).and_then(|rest| rest.split(';').next());
        let url = format!("http://{}", at.with_context(|| format!("no address in {line:?}"))?);
        let pid = child.id().context("serve ended")?;
        Ok(Self { url, pid, _child: child, _folder: folder })
    }
}

/// Runs both and prints the ratios.
pub(crate) async fn run() -> anyhow::Result<()> {
    let servers = Servers::start(Kind::Prompt).await?;
    let validator = Validator::new(probe(servers.root.clone())?, Vec::new());
    let (open, count) = DIRECT;
    say(&format!("embedded mode (IMAPS + SMTPS, to the login; load before it {}):", load()));
    let once = || validations::validator_once(&validator, &servers);
    validations::many(300, open, once).await?;
    let direct = validations::many(count, open, once).await?;
    let rate = f64::from(count) / direct.wall.as_secs_f64();
    let cpu = direct.cpu / count;
    say(&format!("  directly    {rate:>7.0} a second, {cpu:.2?} CPU each"));
    let serve = Serve::start().await?;
    let offer = Arc::new(Offer::to(std::slice::from_ref(&serve.url), &servers).await?);
    let processes = [
        ("serve".to_owned(), serve.pid),
        ("mail servers".to_owned(), servers.pid),
        ("this program".to_owned(), std::process::id()),
    ];
    let found = knee::find(&offer, &processes).await?;
    for (name, cpu) in &found.cpu {
        say(&format!("  CPU of {name}: {cpu:.2?} each"));
    }
    let served = found.cpu.first().map(|(_, cpu)| cpu.as_secs_f64()).unwrap_or_default();
    say(&format!(
        "  knee {:.0} a second; at most {:.0} % of the direct loop's speed, {:.1} times its CPU",
        found.knee,
        found.most / rate * 100.0,
        served / cpu.as_secs_f64()
    ));
    Ok(())
}
