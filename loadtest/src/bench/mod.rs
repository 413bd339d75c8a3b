//! The benchmarks.

mod batch;
mod dispatch;
mod embedded;
mod fleet;
mod knee;
mod link;
mod local;
mod round_trips;
mod scale;
mod sessions;
mod takeover;
mod tracing;
mod validations;

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use crate::fleet::Given;

/// Which benchmarks to run, and how large.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The benchmarks to run; those that need nothing else if none is named.
    #[arg(value_enum)]
    which: Vec<Which>,
    /// Validations to run in the throughput benchmark.
    #[arg(long, default_value_t = 2_000)]
    validations: u32,
    /// Validations at a time.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// Sessions held open in the memory benchmark.
    #[arg(long, default_value_t = 10_000)]
    sessions: u32,
    /// A database to measure dispatch on, beside SQLite: postgres://…
    ///
    /// What is written there is erased in the end.
    #[arg(long, value_name = "URL", env = "MAILFLEET_LOADTEST_STORE", hide_env_values = true)]
    store: Option<String>,
    /// Gateways of the fleet to measure; may be repeated.
    #[arg(long, value_name = "URL")]
    gateway: Vec<String>,
    /// Its broker: amqp://…
    #[arg(long, value_name = "URL", env = "MAILFLEET_BROKER__URL", hide_env_values = true)]
    broker: Option<String>,
    /// Items of the batch.
    #[arg(long, default_value_t = 100_000)]
    items: u32,
    /// Limit groups that the batch is spread over.
    #[arg(long, default_value_t = 5_000)]
    groups: u32,
    /// The mailfleet program for fleets that a benchmark starts; the one beside this program if
    /// not given.
    #[arg(long, value_name = "PATH")]
    mailfleet: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// A process of the fleet whose CPU time is told, as NAME=PID; may be repeated.
    #[arg(long, value_name = "NAME=PID", value_parser = process)]
    process: Vec<(String, u32)>,
}

pub(crate) fn process(text: &str) -> Result<(String, u32), String> {
    let pair = text.split_once('=').and_then(|(name, pid)| Some((name, pid.parse().ok()?)));
    pair.map(|(name, pid): (&str, u32)| (name.to_owned(), pid)).ok_or("is not NAME=PID".to_owned())
}

/// The benchmarks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Validations per CPU second, beside a loop that only shakes hands.
    Validations,
    /// Round trips from connect to logged in, over a link with a fixed delay.
    RoundTrips,
    /// Memory of open sessions at servers that never answer.
    Sessions,
    /// The cost of one release, by how many legs wait.
    Dispatch,
    /// `mailfleet serve` under load, beside the same validations run directly.
    Embedded,
    /// A running fleet under load (--gateway, --broker), beside a bare loop on its broker.
    Fleet,
    /// How long legs wait whose worker goes (--gateway, and --process for each worker). Leaves
    /// a fleet with two workers less.
    Takeover,
    /// 1, 2 and 4 workers where the servers' latency is the bound. Starts fleets of its own.
    Scale,
    /// The cost of telemetry: off, with one trace in a hundred, with all. Starts fleets of its own.
    Tracing,
    /// A large batch over many limit groups, beside a plain loop. Starts a fleet of its own.
    Batch,
}

/// Runs what was asked for.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // A fleet has to be named, so it is not among what needs nothing.
    let all =
        [Which::Validations, Which::RoundTrips, Which::Sessions, Which::Dispatch, Which::Embedded];
    let which = if arguments.which.is_empty() { &all[..] } else { &arguments.which };
    for benchmark in which {
        match benchmark {
            Which::Validations => {
                validations::run(arguments.validations, arguments.concurrency).await?;
            }
            Which::RoundTrips => round_trips::run().await?,
            Which::Sessions => sessions::run(arguments.sessions).await?,
            Which::Dispatch => dispatch::run(arguments.store.as_deref()).await?,
            Which::Embedded => embedded::run().await?,
            Which::Takeover => takeover::run(&arguments.gateway, &arguments.process).await?,
            Which::Scale => scale::run(&arguments.given, arguments.mailfleet.as_deref()).await?,
            Which::Tracing => {
                tracing::run(&arguments.given, arguments.mailfleet.as_deref()).await?
            }
            Which::Batch => {
                let (items, groups) = (arguments.items, arguments.groups);
                let program = arguments.mailfleet.as_deref();
                batch::run(items, groups, &arguments.given, program).await?;
            }
            Which::Fleet => {
                let broker =
                    arguments.broker.as_deref().context("name the broker: --broker URL")?;
                fleet::run(&arguments.gateway, broker, &arguments.process).await?;
            }
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
