//! Load tests and benchmarks of mailfleet: numbers that can be measured again by anybody.
//!
//! `run` takes a fleet through a scenario, judges it and makes a page of it; `compare` holds two
//! sets of runs against each other; `bench` prints numbers beside a reference that ran in the
//! same process tree and the same minute. Simulated mail servers run in processes of their own,
//! so that their CPU time and memory do not count.

mod batches;
mod bench;
mod calibrate;
mod caller;
mod compare;
mod environment;
mod estates;
mod faults;
mod fleet;
mod generate;
mod history;
mod latency;
mod mail;
mod null;
mod offer;
mod page;
mod progress;
mod result;
mod run;
mod scenario;
mod schedule;
mod setup;
mod simulate;
mod stats;
mod summary;
mod usage;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Measures mailfleet against simulated mail servers on this machine.
///
/// Exit status: 0 if everything held, 1 if something did not (an objective was missed, or B is
/// worse than A), 2 for wrong usage, 3 for a failure of our own or a run that means nothing.
#[derive(Debug, Parser)]
#[command(name = "mailfleet-loadtest", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes a fleet through a scenario, judges it, and makes a page of it.
    Run(run::Arguments),
    /// Tells whether the runs of B differ from those of A.
    Compare(compare::Arguments),
    /// Runs benchmarks and prints their ratios.
    Bench(bench::Arguments),
    /// Runs simulated mail servers until standard input ends.
    #[command(hide = true)]
    Simulate(simulate::Arguments),
    /// Runs many simulated mail servers, which write down their sessions (used by `run`).
    #[command(hide = true)]
    Estates,
    /// Runs what the generator is measured against (used by `run`).
    #[command(hide = true)]
    Null,
}

const MET: u8 = 0;
const MISSED: u8 = 1;
const USAGE: u8 = 2;
const FAILURE: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Leaving the block ends the tasks, and with them every process that was started.
    let status = match start().and_then(|runtime| runtime.block_on(until_signal(arguments))) {
        Ok(status) => status,
        Err(error) => {
            anstream::eprintln!("mailfleet-loadtest: {error:#}");
            FAILURE
        }
    };
    ExitCode::from(status)
}

fn start() -> anyhow::Result<tokio::runtime::Runtime> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    usage::raise_file_limit()?;
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Runs the command, or ends in order when somebody wants that.
async fn until_signal(arguments: Arguments) -> anyhow::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let command = Box::pin(run(arguments.command));
    tokio::select! {
        status = command => status,
        _ = terminate.recv() => anyhow::bail!("terminated; everything that was started ends"),
        _ = hang_up.recv() => anyhow::bail!("the terminal is gone; everything that was started ends"),
        _ = interrupt.recv() => anyhow::bail!("interrupted; everything that was started ends"),
    }
}

async fn run(command: Command) -> anyhow::Result<u8> {
    let verdict = |is_met| if is_met { MET } else { MISSED };
    match command {
        Command::Run(arguments) => match run::scenario(&arguments) {
            Ok(scenario) => run::run(&arguments, &scenario).await.map(verdict),
            Err(error) => {
                anstream::eprintln!("mailfleet-loadtest: {error:#}");
                Ok(USAGE)
            }
        },
        Command::Compare(arguments) => compare::run(&arguments).map(verdict),
        Command::Bench(arguments) => bench::run(arguments).await.map(|()| MET),
        Command::Simulate(arguments) => simulate::run(arguments).await.map(|()| MET),
        Command::Estates => estates::run().await.map(|()| MET),
        Command::Null => null::run().await.map(|()| MET),
    }
}
