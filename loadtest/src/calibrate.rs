//! What the generator itself can do, before it measures anything else.
//!
//! It talks to a process that answers at once. If it cannot send several times as fast as the
//! scenario wants, or begins late with nothing else to do, the run would show the generator.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use mailfleet_api::v1;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::caller::Gateways;
use crate::generate::{Generator, Requests};
use crate::latency::Latencies;
use crate::progress::Progress;
use crate::scenario::{Arrivals, Load, Manner, Phase, Population, Scenario};
use crate::schedule::schedule;

/// Calls that are open at a time when the capacity is measured.
const OPEN: usize = 64;
/// How long it is measured, and how long the lag.
const TIMES: (Duration, Duration) = (Duration::from_millis(1_500), Duration::from_secs(3));

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibrated {
    /// Validations a second at most.
    pub(crate) capacity: f64,
    /// The scenario's highest rate.
    pub(crate) highest_rate: f64,
    /// How late it begins at that rate.
    pub(crate) lag: Latencies,
}

impl Calibrated {
    /// Why a run would mean nothing, if so.
    pub(crate) fn objections(&self, scenario: &Scenario) -> Vec<String> {
        let wanted = scenario.calibration;
        let mut objections = Vec::new();
        if self.capacity < wanted.capacity * self.highest_rate {
            objections.push(format!(
                "the generator sends {:.0} a second at most, less than {} times the highest rate \
                 of {:.0}",
                self.capacity, wanted.capacity, self.highest_rate
            ));
        }
        if let Some(lag) = self.lag.quantile(0.99).filter(|lag| wanted.lag < *lag) {
            objections.push(format!(
                "the idle generator begins {:.1} ms late (p99), more than {:.1} ms",
                lag.as_secs_f64() * 1e3,
                wanted.lag.as_secs_f64() * 1e3
            ));
        }
        objections
    }
}

/// Measures the generator.
pub(crate) async fn calibrate(scenario: &Scenario) -> anyhow::Result<Calibrated> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(program)
        .arg("null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("starting what the generator is measured against")?;
    let stdout = child.stdout.take().context("it has no output")?;
    let url = BufReader::new(stdout).lines().next_line().await?.context("it did not start")?;
    let gateways = Gateways::at(&[url], None)?;
    closed(&gateways, TIMES.0 / 3).await?;
    let capacity = closed(&gateways, TIMES.0).await?;
    let highest_rate = scenario.highest_rate();
    let lag = lag(gateways, highest_rate.max(10.0)).await?;
    Ok(Calibrated { capacity, highest_rate, lag })
}

/// Answers a second with so many calls open.
async fn closed(gateways: &Gateways, time: Duration) -> anyhow::Result<f64> {
    let (began, mut done, mut running) = (Instant::now(), 0_u32, JoinSet::new());
    let call = || {
        let gateways = gateways.clone();
        async move {
            let (message, now) = (v1::ValidateRequest::default(), Instant::now());
            gateways.validate(message, now, Duration::from_secs(60)).await
        }
    };
    loop {
        while running.len() < OPEN && began.elapsed() < time {
            running.spawn(call());
        }
        let Some(ended) = running.join_next().await else { break };
        ended.context("a call panicked")?;
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

/// How late the open loop begins at a rate.
async fn lag(gateways: Gateways, rate: f64) -> anyhow::Result<Latencies> {
    let population = Population {
        name: "nobody".to_owned(),
        pairs: 1,
        limit: None,
        login: Duration::ZERO,
        manner: Manner::Prompt,
        zipf: 0.0,
        wrong: 0.0,
        budget: Duration::from_secs(60),
        given: None,
    };
    let phase = Phase {
        name: "calibration".to_owned(),
        step_of: None,
        time: TIMES.1,
        loads: vec![Load { servers: 0, rate, arrivals: Arrivals::Poisson }],
        batches: Vec::new(),
        faults: Vec::new(),
    };
    let pair = crate::mail::Pair {
        host: ["localhost".to_owned(), "localhost".to_owned()],
        port: [993, 465],
        address: None,
    };
    let populations = [population];
    let due = schedule(&phase, &populations, 1, 0);
    let requests = Arc::new(Requests::new(&populations, vec![vec![pair]], None)?);
    let mut generator = Generator::new(gateways, requests, Arc::new(Progress::new()));
    generator.phase(0, &due).await?;
    Ok(generator.finish().await?.iter().map(|sample| sample.lag).collect())
}
