//! Validations per CPU second, beside a bare loop that does nothing but the two TLS
//! handshakes of a validation with the same TLS library.
//!
//! Only this process's CPU time counts; the servers run in another one. The two loops take
//! turns, so that a drift of the machine's speed meets both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mailfleet_gateway::Validator;
use mailfleet_model::Verdict;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::setup::{Servers, probe, validate, validation};
use crate::simulate::Kind;
use crate::usage::cpu_time;

/// How often the two loops take turns.
const ROUNDS: u32 = 4;

/// Runs both loops in turns and prints the ratio.
pub(crate) async fn run(count: u32, concurrency: usize) -> anyhow::Result<()> {
    let servers = Servers::start(Kind::Prompt).await?;
    let validator = Validator::new(probe(servers.root.clone())?, Vec::new());
    let bare = Bare::new(&servers)?;
    let share = (count / ROUNDS).max(1);
    // A first round that does not count: page faults, caches, lazily built tables.
    many(share.min(200), concurrency, || validator_once(&validator, &servers)).await?;
    many(share.min(200), concurrency, || bare.clone().once()).await?;
    let (mut ours, mut reference) = (Cost::default(), Cost::default());
    for _ in 0..ROUNDS {
        ours += many(share, concurrency, || validator_once(&validator, &servers)).await?;
        reference += many(share, concurrency, || bare.clone().once()).await?;
    }
    let total = share * ROUNDS;
    say(&format!(
        "validations (IMAPS + SMTPS, to the login), {total} of each, {concurrency} at a time:"
    ));
    say(&format!("  mailfleet       {}", ours.words(total)));
    say(&format!("  handshakes only {}", reference.words(total)));
    let ratio = ours.per_cpu_second(total) / reference.per_cpu_second(total);
    say(&format!(
        "  ratio           {:.0} % of the bare handshakes (target: at least 60 %)",
        ratio * 100.0
    ));
    Ok(())
}

/// What a loop cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
    }
}

impl Cost {
    fn per_cpu_second(self, count: u32) -> f64 {
        f64::from(count) / self.cpu.as_secs_f64()
    }

    fn words(self, count: u32) -> String {
        let each = self.cpu.as_secs_f64() * 1000.0 / f64::from(count);
        let rate = self.per_cpu_second(count);
        let wall = self.wall.as_secs_f64();
        format!("{rate:>7.0} per CPU second, {each:.3} ms CPU each, {wall:.1} s in all")
    }
}

/// Runs `count` pieces of work, `concurrency` at a time.
pub(super) async fn many<F, W>(count: u32, concurrency: usize, work: F) -> anyhow::Result<Cost>
where
    F: Fn() -> W,
    W: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (cpu, wall) = (cpu_time()?, Instant::now());
    let mut running = JoinSet::new();
    let mut begun = 0;
    while begun < count || !running.is_empty() {
        while begun < count && running.len() < concurrency {
            running.spawn(work());
            begun += 1;
        }
        if let Some(ended) = running.join_next().await {
            ended.context("a piece of work panicked")??;
        }
    }
    Ok(Cost { cpu: cpu_time()?.saturating_sub(cpu), wall: wall.elapsed() })
}

pub(super) fn validator_once(
    validator: &Validator,
    servers: &Servers,
) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
    let validator = validator.clone();
    let asked = validation(Some(servers.imap), Some(servers.smtp));
    async move {
        let report = validate(&validator, asked?, CancellationToken::new()).await;
        let codes: Vec<_> = report.faults.iter().map(|fault| fault.code).collect();
        ensure!(report.verdict == Verdict::Healthy, "a validation was not healthy: {codes:?}");
        Ok(())
    }
}

/// The reference: connect and shake hands, twice at a time, and read one byte of greeting.
#[derive(Clone)]
struct Bare {
    connector: TlsConnector,
    ports: [u16; 2],
}

impl Bare {
    fn new(servers: &Servers) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::clone(&servers.root)).context("adding the root")?;
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        // As in the probe: every validation looks at the certificate anew.
        config.resumption = rustls::client::Resumption::disabled();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, ports: [servers.imap, servers.smtp] })
    }

    async fn once(self) -> anyhow::Result<()> {
        let [imap, smtp] = self.ports;
        let (first, second) = tokio::join!(self.shake(imap), self.shake(smtp));
        first.and(second)
    }

    async fn shake(&self, port: u16) -> anyhow::Result<()> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").context("the name is valid")?;
        let mut stream = self.connector.connect(name, stream).await?;
        stream.read_u8().await?;
        Ok(())
    }
}
