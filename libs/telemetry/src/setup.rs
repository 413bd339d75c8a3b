//! Sets up the subscriber: text for people, JSON for machines.

use std::io::IsTerminal;
use std::{env, io};

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::OTelSdkError;
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use crate::export::Exports;
use crate::json::Flat;
use crate::metrics::Scrape;
use crate::{filter, panic};

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, with the fields of the spans around an event, `trace_id`,
    /// `span_id` and `job.id` among them.
    Json,
}

/// Which part of the fleet a process is, as collectors show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `service.name`, such as `mailfleet-worker`.
    pub name: &'static str,
    /// `service.instance.id`: this run's own name.
    pub instance: String,
}

/// What to log and where to send traces and metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Levels in the syntax of `RUST_LOG`, such as `info,mailfleet_probe=debug`. The
    /// environment variable wins over it. Defaults to `info`.
    pub filter: Option<String>,
    /// How lines look. Defaults to text.
    pub format: Format,
    /// Which server this is; `None` for a command, which exports nothing.
    pub service: Option<Service>,
    /// Address of an OTLP collector over gRPC, such as `http://127.0.0.1:4317`. With `https://`
    /// its certificate must come from an authority that the system trusts. Unset: nothing is
    /// sent anywhere. Defaults to unset.
    pub otlp: Option<String>,
    /// The share of new traces that is recorded, from 0 to 1. Callers who bring a trace decide
    /// for themselves.
    pub sampling: f64,
    /// The program's version, as the collector shows it.
    pub version: String,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not in the syntax of `RUST_LOG`.
    #[error("cannot read the log filter")]
    Filter(#[source] ParseError),
    /// The collector's address cannot be used.
    #[error("cannot send traces and metrics to {endpoint}")]
    Exporter {
        /// The address.
        endpoint: String,
        /// Why.
        #[source]
        source: ExporterBuildError,
    },
    /// Metrics cannot be read out.
    #[error("cannot offer metrics")]
    Metrics(#[source] OTelSdkError),
    /// Somebody set up telemetry before.
    #[error("telemetry is already set up")]
    Installed(#[source] TryInitError),
}

/// Ends telemetry in an orderly way.
#[derive(Debug)]
#[must_use = "what was not sent yet is lost without `shutdown`"]
pub struct Guard(Exports);

impl Guard {
    /// A handle on the metrics, for `/metrics`.
    #[must_use]
    pub fn scrape(&self) -> Scrape {
        self.0.scrape.clone()
    }

    /// Sends what was not sent yet; takes at most about four seconds.
    ///
    /// Blocks: inside a runtime call it through `spawn_blocking`.
    pub fn shutdown(self) {
        self.0.shutdown();
    }
}

/// Installs the subscriber and the panic hook for the whole process. Logs go to stderr, in
/// colours only on a terminal and never where `NO_COLOR` is set.
///
/// With `otlp` it must be called inside a tokio runtime.
///
/// # Errors
/// If the filter or the collector's address is wrong, or if called twice.
pub fn init(config: &Config) -> Result<Guard, Error> {
    let environment = env::var(EnvFilter::DEFAULT_ENV).ok();
    let chosen = filter::chosen(environment.as_deref(), config.filter.as_deref());
    let chosen = chosen.map_err(Error::Filter)?;
    let exports = Exports::of(config)?;
    let lines = Lines { format: config.format, colour: colour() };
    subscriber(lines, chosen, io::stderr).try_init().map_err(Error::Installed)?;
    exports.install(config.sampling);
    panic::install();
    Ok(Guard(exports))
}

#[derive(Debug, Clone, Copy)]
enum Colour {
    On,
    Off,
}

struct Lines {
    format: Format,
    colour: Colour,
}

fn colour() -> Colour {
    let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stderr().is_terminal() && !is_refused { Colour::On } else { Colour::Off }
}

fn subscriber<W>(
    lines: Lines,
    chosen: EnvFilter,
    writer: W,
) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let plain = tracing_subscriber::fmt::layer().with_writer(writer);
    let written = match lines.format {
        Format::Text => plain.with_ansi(matches!(lines.colour, Colour::On)).boxed(),
        Format::Json => plain.fmt_fields(JsonFields::new()).event_format(Flat).boxed(),
    };
    let heard = chosen.and(filter::wire()).and(filter::Claims);
    tracing_subscriber::registry().with(written.with_filter(heard))
}

#[cfg(test)]
mod tests;
