//! The benchmarks.

mod dispatch;
mod link;
mod round_trips;
mod sessions;
mod validations;

use clap::ValueEnum;

/// Which benchmarks to run, and how large.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The benchmarks to run; all of them if none is named.
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
}

/// Runs what was asked for.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let all = [Which::Validations, Which::RoundTrips, Which::Sessions, Which::Dispatch];
    let which = if arguments.which.is_empty() { &all[..] } else { &arguments.which };
    for benchmark in which {
        match benchmark {
            Which::Validations => {
                validations::run(arguments.validations, arguments.concurrency).await?;
            }
            Which::RoundTrips => round_trips::run().await?,
            Which::Sessions => sessions::run(arguments.sessions).await?,
            Which::Dispatch => dispatch::run(arguments.store.as_deref()).await?,
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
