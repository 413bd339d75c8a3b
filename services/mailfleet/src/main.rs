//! The `mailfleet` command: parse, configure, run, exit status.

mod admin;
mod args;
mod batch;
mod check;
mod client;
mod config;
mod demo;
mod egress;
mod events;
mod exit;
mod explain;
mod fleet;
mod job;
mod keys;
mod logs;
mod nearest;
mod output;
mod render;
mod run;
mod screen;
mod signals;
mod span;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use exit::{Error, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The hook of the logs has told where it happened.
    let ended = catch_unwind(AssertUnwindSafe(|| run(&cli)))
        .unwrap_or_else(|_| Err(anyhow!("this is a mistake in mailfleet").into()));
    let exit = ended.unwrap_or_else(|error| {
        output::complain(&error.text());
        error.exit()
    });
    exit.into()
}

fn run(cli: &Cli) -> Result<Exit, Error> {
    // Servers set up their own logs, from the configuration.
    let is_server =
        matches!(cli.command, Command::Serve(_) | Command::Gateway(_) | Command::Worker(_));
    let _logs = if is_server { None } else { Some(logs::for_command(cli.verbose)?) };
    match &cli.command {
        Command::Check(args) => on_runtime(check::run(args)),
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Explain(args) => explain::explain(args),
        Command::Faults(args) => explain::faults(args),
        Command::Serve(args) => on_runtime(run::serve(args, cli.verbose)),
        Command::Gateway(args) => on_runtime(run::gateway(args, cli.verbose)),
        Command::Worker(args) => on_runtime(run::worker(args, cli.verbose)),
        Command::Job { command } => on_runtime(job::run(command)),
        Command::Batch { command } => on_runtime(batch::run(command)),
        Command::Events { command } => on_runtime(events::run(command)),
        Command::Fleet { command } => on_runtime(fleet::run(command)),
        Command::Config { command } => config::command::run(command),
        Command::Keys { command } => keys::run(command),
        Command::Completions { shell } => completions(*shell),
    }
}

/// Runs a command on a runtime of its own, and does not wait for what it leaves behind, such as
/// a thread that reads from the terminal.
fn on_runtime(command: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let exit = runtime.block_on(command);
    runtime.shutdown_background();
    exit
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailfleet", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
