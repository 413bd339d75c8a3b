//! The options of `fleet`.

use clap::{Args, Subcommand, ValueEnum};

use crate::client::GatewayArgs;

/// What to do with the fleet.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// List the workers that were heard within the last minute
    Workers(AtArgs),
    /// List the shards with their owners
    Shards(AtArgs),
    /// List mail servers as limits count them, with what they allow and what waits for them
    Groups(GroupsArgs),
    /// Show one limit group
    Group(GroupArgs),
    /// Set what a limit group allows; everything that is left out is no limit
    #[command(after_help = "\
Examples:
  mailfleet fleet limit imap:203.0.113.9 --concurrency 5
  mailfleet fleet limit smtp:google --concurrency 20 --per-source 4 --logins 60/1m")]
    Limit(LimitArgs),
    /// Start nothing at a mail server until it is resumed; what runs comes to its end
    Pause(GroupArgs),
    /// Let a paused limit group go on
    Resume(GroupArgs),
    /// Ask a worker to hand its shards over and to end
    Drain(DrainArgs),
    /// Watch what ends and how, the workers, and the sickest and busiest mail servers
    Top(TopArgs),
}

/// Which gateway, and how it is told.
#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    /// Print JSON, one document a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Which limit groups to list.
#[derive(Debug, Args)]
pub(crate) struct GroupsArgs {
    /// Only groups whose key contains this text
    #[arg(value_name = "TEXT")]
    pub(crate) contains: Option<String>,
    /// Only groups of which this holds; may be repeated
    #[arg(long, value_enum, value_name = "CONDITION")]
    pub(crate) only: Vec<Condition>,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// What operators look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Condition {
    /// An operator has paused it
    Paused,
    /// It does not answer
    Down,
    /// It complained of too many connections
    Lowered,
    /// Legs wait for it
    Waiting,
    /// Its zone has no part in what it allows
    ShutOut,
}

/// Which limit group.
#[derive(Debug, Args)]
pub(crate) struct GroupArgs {
    /// Key of the group, such as imap:203.0.113.9 or imap:google
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// What a limit group is to allow.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Key of the group, such as imap:203.0.113.9 or imap:google
    pub(crate) key: String,
    /// Sessions at once over the whole fleet
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) concurrency: u32,
    /// Sessions at once from one source address
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) per_source: Option<u32>,
    /// Logins in a time, such as 60/1m
    #[arg(long, value_name = "COUNT/TIME")]
    pub(crate) logins: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// Which worker.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// Name of the worker, as `fleet workers` shows it
    pub(crate) worker: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// How to watch.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// How often to look; at least 500ms
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub(crate) every: String,
    /// Count what ended within this time, from 1s to 15m
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) window: String,
    /// Print so many pictures and end; until q or Ctrl-C on a terminal, one elsewhere
    #[arg(long, value_name = "COUNT")]
    pub(crate) count: Option<u32>,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}
