//! Memory of open sessions: thousands of legs wait at servers that shake hands and never
//! greet, and the growth of this process is divided by their number.

use std::time::Duration;

use anyhow::{Context, ensure};
use mailfleet_gateway::Validator;
use mailfleet_model::leg::LegReport;
use mailfleet_model::{LegEvent, LegObserver, StepKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::say;
use crate::setup::{Servers, probe, validation};
use crate::simulate::Kind;
use crate::usage::resident_bytes;

/// Handshakes under way at a time: the servers share the machine.
const OPENING_AT_ONCE: u32 = 200;
/// Longest wait for all sessions to stand.
const PATIENCE: Duration = Duration::from_secs(300);

/// Counts the legs that wait for a greeting.
struct Waiting {
    count: AtomicU32,
    changed: Notify,
}

impl LegObserver for Waiting {
    fn observe(&self, event: LegEvent) {
        if matches!(event, LegEvent::StepStarted { kind: StepKind::Greeting, .. }) {
            self.count.fetch_add(1, Ordering::SeqCst);
            self.changed.notify_one();
        }
    }
}

/// Opens the sessions, prints what each one costs, and closes them.
pub(crate) async fn run(sessions: u32) -> anyhow::Result<()> {
    let servers = Servers::start(Kind::Tarpit).await?;
    let validator = Validator::new(probe(servers.root.clone())?, Vec::new());
    let waiting = Arc::new(Waiting { count: AtomicU32::new(0), changed: Notify::new() });
    let cancel = CancellationToken::new();
    let before = resident_bytes()?;
    let mut running = JoinSet::new();
    for begun in 0..sessions {
        let asked = validation(Some(servers.imap), None)?;
        let observer: Arc<dyn LegObserver> = waiting.clone();
        let run = mailfleet_gateway::Run {
            job: mailfleet_model::JobId(Uuid::now_v7()),
            observer,
            cancel: cancel.clone(),
            trace: None,
        };
        let validator = validator.clone();
        running.spawn(async move { validator.run(asked, run).await });
        until(&waiting, begun.saturating_sub(OPENING_AT_ONCE)).await?;
    }
    until(&waiting, sessions).await?;
    let each = resident_bytes()?.saturating_sub(before) / u64::from(sessions.max(1));
    cancel.cancel();
    let mut ended = 0;
    while let Some(report) = running.join_next().await {
        let report = report.context("a leg panicked")?;
        ensure!(report.legs.iter().all(waited), "a session did not wait for its greeting");
        ended += 1;
    }
    say(&format!("memory of {ended} sessions that wait for a greeting inside TLS:"));
    say(&format!("  {:.1} KiB each (target: at most 64)", each as f64 / 1024.0));
    Ok(())
}

fn waited(leg: &LegReport) -> bool {
    leg.steps.iter().any(|step| step.kind == StepKind::Greeting)
}

/// Waits until so many legs wait for a greeting.
async fn until(waiting: &Waiting, count: u32) -> anyhow::Result<()> {
    let enough = async {
        while waiting.count.load(Ordering::SeqCst) < count {
            waiting.changed.notified().await;
        }
    };
    tokio::time::timeout(PATIENCE, enough).await.context("the sessions do not all stand")
}
