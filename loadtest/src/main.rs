//! Benchmarks of mailfleet: numbers that can be measured again by anybody.
//!
//! Every number is printed beside a reference that ran in the same process tree and the
//! same minute, as a ratio. The simulated mail servers run in processes of their own, so
//! that their CPU time and memory do not count.

mod bench;
mod offer;
mod setup;
mod simulate;
mod usage;

use clap::{Parser, Subcommand};

/// Measures mailfleet against simulated mail servers on this machine.
#[derive(Debug, Parser)]
#[command(name = "mailfleet-loadtest", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the benchmarks and prints their ratios.
    Bench(bench::Arguments),
    /// Runs simulated mail servers until standard input ends (used by `bench`).
    #[command(hide = true)]
    Simulate(simulate::Arguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    usage::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Bench(arguments) => bench::run(arguments).await,
            Command::Simulate(arguments) => simulate::run(arguments).await,
        }
    })
}
