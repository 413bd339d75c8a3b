//! The options of `job`.

use clap::{Args, Subcommand};

use crate::args::OutputArgs;
use crate::client::GatewayArgs;

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Show a job with its legs and, once it stands, its report; the verdict is the exit status
    Show(OneArgs),
    /// List jobs, the newest first
    List(ListArgs),
    /// Follow a job to its end; Ctrl-C leaves it running
    Watch(OneArgs),
    /// Explain what a job waits for
    Explain(OneArgs),
    /// Show when each step of a job ran, as a waterfall
    Trace(OneArgs),
    /// Cancel a job; one that has ended stays as it is
    Cancel(OneArgs),
}

/// Which gateway, and how results are told.
#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which job.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Id of the job, as `check`, `job list` and reports show it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

impl OneArgs {
    /// The name of the job; the bare id is taken as well.
    pub(super) fn name(&self) -> String {
        format!("jobs/{}", self.id.strip_prefix("jobs/").unwrap_or(&self.id))
    }
}

/// Which jobs to list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailfleet job list --state open
  mailfleet job list --verdict faulty --code TLS_CERT_EXPIRED --limit 200 --json")]
pub(crate) struct ListArgs {
    /// Only jobs in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = ["open", "done", "cancelled"])]
    pub(crate) state: Vec<String>,
    /// Only jobs with this verdict; may be repeated
    #[arg(long, value_name = "VERDICT", value_parser = ["healthy", "faulty", "inconclusive"])]
    pub(crate) verdict: Vec<String>,
    /// Only jobs of this mailbox
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mailbox: Option<String>,
    /// Only jobs with a leg that ended with this fault
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Show at most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}
