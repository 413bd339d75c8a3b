//! The command line: commands and options, as clap reads them, with their help texts.
//!
//! Values that can be wrong in more than one place at once (servers, durations, addresses) stay
//! texts here and are judged together by `check::plan`. No option ever takes a password.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mailfleet_remedy::Language;

use crate::batch::BatchCommand;
use crate::client::CallerArgs;
use crate::events::EventsCommand;
use crate::fleet::FleetCommand;
use crate::job::JobCommand;
use crate::keys::KeysCommand;

const AFTER_HELP: &str = "\
Examples:
  mailfleet demo                       see it at work, without any mail server
  mailfleet check taro@example.com --imap imap.example.com --smtp smtp.example.com
  mailfleet explain TLS_CERT_EXPIRED --lang ja

Exit status: 0 healthy, 1 the mailbox has a blocking fault, 2 wrong usage,
3 a failure of our own, 4 inconclusive.";

/// Says whether a mailbox can be used in both directions, and if not, exactly why.
#[derive(Debug, Parser)]
#[command(name = "mailfleet", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log to standard error: -v info, -vv debug, -vvv trace; RUST_LOG chooses finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a mailbox: connect, log in, open it, try to send
    Check(Box<CheckArgs>),
    /// See the check at work on simulated mail servers; needs nothing else
    Demo(DemoArgs),
    /// Explain a fault code: what happened, who can fix it, what to do
    Explain(ExplainArgs),
    /// List every fault code
    Faults(FaultsArgs),
    /// Run everything in one process: gateway, worker, queue and an SQLite store
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Run a gateway of a fleet; needs RabbitMQ and a store
    #[command(after_help = GATEWAY_HELP)]
    Gateway(ServeArgs),
    /// Run a worker of a fleet; needs RabbitMQ
    #[command(after_help = WORKER_HELP)]
    Worker(ServeArgs),
    /// Show, list, follow, explain and cancel jobs of a gateway
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// Revalidate many mailboxes at once: upload, follow, sum up, pause, cancel, redrive
    Batch {
        #[command(subcommand)]
        command: BatchCommand,
    },
    /// Follow what has ended, as other services do
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// See workers, shards and limit groups; set, pause and resume limits; drain workers
    Fleet {
        #[command(subcommand)]
        command: FleetCommand,
    },
    /// Check or show the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make, rotate and list the keys that seal stored credentials
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Print a completion script for a shell
    #[command(
        after_help = "Example: mailfleet completions bash > /etc/bash_completion.d/mailfleet"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

const CHECK_HELP: &str = "\
Servers are written HOST[:PORT][/tls|/starttls|/plain]; what is left out follows from
the rest: imap.example.com means port 993 with TLS, smtp.example.com:587 STARTTLS.
Only the servers that are named are checked.

Examples:
  # Ask for the password, check receiving and sending; nothing is sent
  mailfleet check taro@example.com --imap imap.example.com --smtp smtp.example.com

  # Send one test mail to the mailbox itself and see where it arrives
  mailfleet check taro@example.com --imap imap.example.com --smtp smtp.example.com \\
      --password-env MAIL_PASSWORD --test-mail self

  # For scripts: one JSON document, and the verdict as exit status
  pass show mail | mailfleet check taro@example.com --pop3 pop.example.com/starttls \\
      --password-stdin --json

Exit status: 0 healthy, 1 the mailbox has a blocking fault, 2 wrong usage,
3 a failure of our own, 4 inconclusive.";

/// What to check, and how.
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(crate) struct CheckArgs {
    /// Address of the mailbox
    pub(crate) address: String,

    #[command(flatten)]
    pub(crate) servers: ServerArgs,

    /// User name, where it is not the address
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    pub(crate) username: Option<String>,
    /// Read the password from standard input; one line break at its end is left out
    #[arg(long, help_heading = "Login")]
    pub(crate) password_stdin: bool,
    /// Read the password from this environment variable
    #[arg(long, value_name = "VAR", help_heading = "Login")]
    pub(crate) password_env: Option<String>,
    /// User name for SMTP, where it is another one
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    pub(crate) smtp_username: Option<String>,
    /// Read the password for SMTP from this environment variable, where it is another one
    #[arg(long, value_name = "VAR", help_heading = "Login")]
    pub(crate) smtp_password_env: Option<String>,
    /// Log in with the OAuth 2.0 access token in this environment variable, not with a password
    #[arg(long, value_name = "VAR", help_heading = "Login")]
    pub(crate) oauth_token_env: Option<String>,
    /// Refused with an explanation: other users can see the arguments of a process.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = false)]
    pub(crate) password: Option<Option<String>>,

    /// Send one test mail to this address, or to the mailbox itself (self), and look for it
    #[arg(
        long,
        value_name = "TO|self",
        help_heading = "Test mail",
        conflicts_with = "no_test_mail"
    )]
    pub(crate) test_mail: Option<String>,
    /// End the SMTP check after the login, without naming sender and recipient
    #[arg(long, help_heading = "Test mail")]
    pub(crate) no_test_mail: bool,
    /// How long to look for the test mail [default: 120s]
    #[arg(long, value_name = "TIME", help_heading = "Test mail")]
    pub(crate) arrival_timeout: Option<String>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Allow private or local servers in this network, on any port; may be repeated
    #[arg(long, value_name = "CIDR", help_heading = "Connection")]
    pub(crate) allow_target: Vec<String>,
    /// Connect from this address of ours; may be repeated
    #[arg(long, value_name = "IP", help_heading = "Connection")]
    pub(crate) egress: Vec<String>,
    /// Time for the whole check, without the search for the test mail [default: 60s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(crate) timeout: Option<String>,
    /// Let this gateway do the check, such as http://127.0.0.1:7443
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    pub(crate) gateway: Option<String>,
    #[command(flatten)]
    pub(crate) caller: CallerArgs,
    /// Configuration file, for checks in this process
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) config: Option<PathBuf>,

    /// Always print the block to copy into a mail to an administrator
    #[arg(long, help_heading = "Output", conflicts_with = "json")]
    pub(crate) support: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which servers to check.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// IMAP server: HOST[:PORT][/tls|/starttls|/plain]
    #[arg(long, value_name = "SERVER", help_heading = "Servers")]
    pub(crate) imap: Option<String>,
    /// POP3 server, written likewise
    #[arg(long, value_name = "SERVER", help_heading = "Servers")]
    pub(crate) pop3: Option<String>,
    /// SMTP server, written likewise
    #[arg(long, value_name = "SERVER", help_heading = "Servers")]
    pub(crate) smtp: Option<String>,
}

/// Whose certificates are good.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Go on when the certificate is bad, and report its faults as warnings
    #[arg(long, help_heading = "Connection")]
    pub(crate) allow_insecure_cert: bool,
    /// Trust the authorities in this PEM file beside the system's; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca: Vec<PathBuf>,
}

/// How results are told.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Language of the explanations
    #[arg(long, value_enum, default_value_t = Lang::En, help_heading = "Output")]
    pub(crate) lang: Lang,
    /// Print JSON, one document a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// A language on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    // No doc comments: clap would turn the help page into its long form for them.
    En,
    Ja,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::English,
            Lang::Ja => Self::Japanese,
        }
    }
}

/// How the demonstration is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts simulated mail servers on loopback, each with its own trouble, and runs the real
check against all of them at once. Needs no network, no files and no accounts, and takes
a few seconds.")]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What to explain.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mailfleet explain AUTH_INVALID_CREDENTIALS
  mailfleet explain tls-cert-expired --lang ja")]
pub(crate) struct ExplainArgs {
    /// A fault code, such as TLS_CERT_EXPIRED; `mailfleet faults` lists them all
    pub(crate) code: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How the list is told.
#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const SERVE_HELP: &str = "\
Ends on SIGTERM or Ctrl-C: takes no more requests, lets running checks finish for as long
as gateway.drain says, then ends. A second signal ends at once. Jobs that were not finished
go on after the next start.

Example:
  mailfleet serve --config mailfleet.toml
  mailfleet check taro@example.com --imap imap.example.com --gateway http://127.0.0.1:7443";

const GATEWAY_HELP: &str = "\
Any number of gateways may share one Postgres (store.url) and one RabbitMQ (broker.url).
vault.key_file holds the public half of the keys: 'mailfleet keys public FILE' writes it.

Example:
  MAILFLEET_STORE__URL=postgres://... MAILFLEET_BROKER__URL=amqps://... \\
      mailfleet gateway --config mailfleet.toml";

const WORKER_HELP: &str = "\
Any number of workers may share one RabbitMQ (broker.url); they divide the shards among
themselves. vault.key_file holds the private keys. On SIGTERM a worker lets its legs end and
hands its shards over.

Example:
  MAILFLEET_BROKER__URL=amqps://... mailfleet worker --config mailfleet.toml";

/// How to run a server.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file; the environment (MAILFLEET_GATEWAY__LISTEN) has the last word
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every error of the configuration at once
    Check(ConfigArgs),
    /// Print the values that hold, with where each one comes from
    Show(ConfigArgs),
    /// Print every key with its meaning and default, as a file to start from
    Reference,
}

/// Which configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file; the environment (MAILFLEET_GATEWAY__LISTEN) has the last word
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
