//! `serve`, `gateway` and `worker`: the parts put together, from the configuration to the end.
//!
//! Nothing is decided here: which store, which broker, which keys, and in which order things
//! begin and end. Embedded mode is this wiring with both sides in one process, and nothing else.

mod embedded;
mod gateway;
mod parts;
mod worker;

pub(crate) use embedded::serve;
pub(crate) use gateway::gateway;
pub(crate) use worker::worker;

use std::net::SocketAddr;

use anyhow::Context as _;
use mailfleet_telemetry::{Guard, Service};
use tokio_util::sync::CancellationToken;

use crate::args::ServeArgs;
use crate::config::command::load;
use crate::config::{LogForm, Settings};
use crate::exit::Error;
use crate::output::print;
use crate::{logs, signals};

/// A server process while it runs: its settings, its logs, and what ends it.
struct Process {
    settings: Settings,
    /// This run's own name: of the gateway, of the worker, and in traces.
    run: String,
    logs: Guard,
    /// Cancelled by the first signal; the second one ends the process.
    shutdown: CancellationToken,
}

impl Process {
    /// `service` is how collectors know this part of the fleet.
    fn begin(args: &ServeArgs, verbose: u8, service: &'static str) -> Result<Self, Error> {
        let settings = Settings::of(&load(args.config.as_deref())?);
        let run = parts::run_name();
        let service = Service { name: service, instance: run.clone() };
        let logs = logs::for_server(verbose, &settings, service)?;
        let shutdown = signals::cancel_on_signal().context("cannot listen for signals")?;
        Ok(Self { settings, run, logs, shutdown })
    }

    /// Says that the process can be used from here on; scripts wait for this line.
    fn announce(&self, what: &str, addresses: &[(&str, SocketAddr)]) -> Result<(), Error> {
        let line = match self.settings.logs {
            LogForm::Text | LogForm::Auto => {
                let (first, rest) =
                    addresses.split_first().map_or((None, &[][..]), |(f, r)| (Some(f), r));
                let first = first.map(|(_, at)| format!(" {}", self.url(*at)));
                let rest = rest.iter().map(|(name, at)| format!("; {name} on http://{at}"));
                format!("{what}{}{}\n", first.unwrap_or_default(), rest.collect::<String>())
            }
            LogForm::Json => {
                let mut told = serde_json::Map::new();
                told.insert("message".to_owned(), what.into());
                for (index, (name, at)) in addresses.iter().enumerate() {
                    let url = if index == 0 { self.url(*at) } else { format!("http://{at}") };
                    told.insert((*name).to_owned(), url.into());
                }
                format!("{}\n", serde_json::Value::from(told))
            }
        };
        Ok(print(&line)?)
    }

    fn url(&self, at: SocketAddr) -> String {
        let scheme = if self.settings.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{at}")
    }

    async fn end(self) -> Result<(), Error> {
        let logs = self.logs;
        // Blocks while the last spans are sent.
        let ended = tokio::task::spawn_blocking(|| logs.shutdown()).await;
        Ok(ended.context("the logs were not ended")?)
    }
}
