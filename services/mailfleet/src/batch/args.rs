//! The options of `batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::args::{ServerArgs, TrustArgs};
use crate::client::GatewayArgs;
use crate::job::AtArgs;

/// What to do with batches.
#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Upload mailboxes from a file and follow the batch; Ctrl-C leaves it running
    Submit(Box<SubmitArgs>),
    /// List batches, the newest first
    List(ListArgs),
    /// Show a batch
    Show(OneArgs),
    /// Follow a batch to its end or pause; Ctrl-C leaves it running
    Watch(OneArgs),
    /// List what came of the mailboxes
    Results(ResultsArgs),
    /// Sum up what is wrong, by domain and mail server, and what to do about it
    Summary(OneArgs),
    /// Pause a batch: what runs comes to its end, nothing more is started
    Pause(PauseArgs),
    /// Go on with a paused batch
    Resume(ResumeArgs),
    /// Cancel a batch
    Cancel(OneArgs),
    /// Validate mailboxes anew that failed; refused passwords are left out
    Redrive(RedriveArgs),
}

const SUBMIT_HELP: &str = "\
FILE is CSV with a heading, or JSON lines with an object a line (FILE.jsonl); - reads standard
input, as JSON lines if it begins with {. Columns, or keys of the objects:

  address         the mailbox; required
  password        its password (--password-column names another column)
  username        user name, where it is not the address
  imap pop3 smtp  servers of this mailbox, HOST[:PORT][/tls|/starttls|/plain]; with any of them
                  the servers of the command line do not count
  smtp_username   user name for SMTP, where it is another one
  smtp_password   password for SMTP, where it is another one
  token           OAuth 2.0 access token, instead of a password
  key             name of the row in the results; the address without it

Nothing is sent unless every row is right. Passwords are sent to the gateway, which seals them,
and are never printed or written.

Example:
  mailfleet batch submit people.csv --imap imap.example.com --smtp smtp.example.com

Exit status: 0 all healthy, 1 some are faulty, 2 wrong usage, 3 a failure of our own,
4 some are inconclusive, or the batch was paused, cancelled or left running, or Ctrl-C ended
the upload.";

/// What to upload, and how the batch goes about it.
#[derive(Debug, Args)]
#[command(after_help = SUBMIT_HELP)]
pub(crate) struct SubmitArgs {
    /// CSV or JSON lines file; - for standard input
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) servers: ServerArgs,

    /// Column of the passwords
    #[arg(long, value_name = "NAME", default_value = "password", help_heading = "Login")]
    pub(crate) password_column: String,
    /// Password of rows without one, in this environment variable
    #[arg(long, value_name = "VAR", help_heading = "Login")]
    pub(crate) password_env: Option<String>,
    /// User name of rows without one is what stands before the @
    #[arg(long, help_heading = "Login")]
    pub(crate) local_part: bool,

    /// Name of the batch for people
    #[arg(long, value_name = "TEXT", help_heading = "Batch")]
    pub(crate) name: Option<String>,
    /// Go on with an upload that broke off
    #[arg(long, value_name = "UUID", help_heading = "Batch")]
    pub(crate) request_id: Option<Uuid>,
    /// Mailboxes that are open at once at most [default: 1000]
    #[arg(long, value_name = "COUNT", help_heading = "Batch")]
    pub(crate) max_open: Option<u32>,
    /// Mailboxes of each domain that go ahead [default: 3]
    #[arg(long, value_name = "COUNT", help_heading = "Batch")]
    pub(crate) canaries: Option<u32>,
    /// Pause after so many refused passwords in a row; 0 for never [default: 20]
    #[arg(long, value_name = "COUNT", help_heading = "Batch")]
    pub(crate) stop_when: Option<u32>,
    /// Give up what has not ended by then [default: 7days]
    #[arg(long, value_name = "TIME", help_heading = "Batch")]
    pub(crate) deadline: Option<String>,
    /// Let other batches go first
    #[arg(long, help_heading = "Batch")]
    pub(crate) background: bool,
    /// Do not follow the batch
    #[arg(long, help_heading = "Batch")]
    pub(crate) detach: bool,

    /// End the SMTP check after the login, without naming sender and recipient
    #[arg(long, help_heading = "Connection")]
    pub(crate) login_only: bool,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Time for each connection [default: 60s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(crate) timeout: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// Which batch.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Id of the batch, as `batch submit` and `batch list` show it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// How many batches to list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Show at most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// Which results to list.
#[derive(Debug, Args)]
pub(crate) struct ResultsArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = ["held", "open", "done", "cancelled"])]
    pub(crate) state: Option<String>,
    /// Print CSV with a heading
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) csv: bool,
}

/// Which mailboxes.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Only with this fault as the weightiest
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only with this verdict
    #[arg(long, value_name = "VERDICT", value_parser = ["healthy", "faulty", "inconclusive"])]
    pub(crate) verdict: Option<String>,
    /// Only of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
}

/// Which batch to pause, and why.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// Which batch to resume, and how.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    /// Never pause it again for refused passwords
    #[arg(long)]
    pub(crate) lift_guard: bool,
}

/// Which mailboxes to validate anew.
#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
}

impl OneArgs {
    /// The name of the batch; the bare id is taken as well.
    pub(super) fn name(&self) -> String {
        format!("batches/{}", self.id.strip_prefix("batches/").unwrap_or(&self.id))
    }

    pub(super) fn gateway(&self) -> &GatewayArgs {
        &self.at.gateway
    }
}
