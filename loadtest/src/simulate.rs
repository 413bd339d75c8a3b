//! Simulated mail servers in a process of their own.
//!
//! Prints one line `imap PORT smtp PORT` and the CA, then serves until standard input
//! ends, which happens by itself when the parent dies.

use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use mailfleet_mailsim::{Authority, Fault, Server, Step, Tls};
use tokio::io::AsyncReadExt;

use crate::setup::{ADDRESS, PASSWORD};

/// Which servers to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How the servers behave.
    #[arg(value_enum)]
    kind: Kind,
}

/// How the servers behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Answer at once.
    Prompt,
    /// Shake hands and never greet.
    Tarpit,
}

impl Kind {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Tarpit => "tarpit",
        }
    }
}

/// Runs the servers until standard input ends.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let behave = |server: Server| match arguments.kind {
        Kind::Prompt => server,
        Kind::Tarpit => server.at(Step::Greeting, Fault::Delay(Duration::from_secs(3600))),
    };
    let authority = Authority::shared().context("making the simulator's CA")?;
    let serve = |server: Server| {
        behave(server).tls(Tls::Implicit).authority(authority.clone()).mailbox(ADDRESS, PASSWORD)
    };
    let imap = serve(Server::imap()).start().await.context("starting the IMAP server")?;
    let smtp = serve(Server::smtp()).start().await.context("starting the SMTP server")?;
    announce(&format!("imap {} smtp {}", imap.port(), smtp.port()));
    announce(&authority.root_pem());
    announce("ready");
    let mut ignored = Vec::new();
    tokio::io::stdin().read_to_end(&mut ignored).await.context("waiting for the end")?;
    imap.shutdown().await.context("stopping the IMAP server")?;
    smtp.shutdown().await.context("stopping the SMTP server")?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "standard output is how the parent learns the ports")]
fn announce(line: &str) {
    println!("{line}");
}
