//! Sets up the subscriber: text for people, JSON for machines, spans for a collector.

use std::io::IsTerminal;
use std::time::Duration;
use std::{env, io};

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use crate::{filter, panic};

/// Longest wait for a collector, at each export and at the end.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, with the fields of the spans around an event, `trace_id` and
    /// `job_id` among them.
    Json,
}

/// What to log and where to send traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Levels in the syntax of `RUST_LOG`, such as `info,mailfleet_probe=debug`. The
    /// environment variable wins over it. Defaults to `info`.
    pub filter: Option<String>,
    /// How lines look. Defaults to text.
    pub format: Format,
    /// Address of an OTLP collector over gRPC, such as `http://127.0.0.1:4317`. Unset: spans
    /// are not sent anywhere. Defaults to unset.
    pub otlp: Option<String>,
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
    #[error("cannot send traces to {endpoint}")]
    Exporter {
        /// The address.
        endpoint: String,
        /// Why.
        #[source]
        source: ExporterBuildError,
    },
    /// Somebody set up telemetry before.
    #[error("telemetry is already set up")]
    Installed(#[source] TryInitError),
}

/// Ends telemetry in an orderly way.
#[derive(Debug)]
#[must_use = "spans that were not sent yet are lost without `shutdown`"]
pub struct Guard(SdkTracerProvider);

impl Guard {
    /// Sends what was not sent yet; takes at most about three seconds.
    ///
    /// Blocks: inside a runtime call it through `spawn_blocking`.
    pub fn shutdown(self) {
        if let Err(error) = self.0.shutdown_with_timeout(EXPORT_TIMEOUT) {
            tracing::warn!(error = %crate::chain(&error), "the last spans were not sent");
        }
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
    let provider = provider(config)?;
    let lines = Lines { format: config.format, colour: colour() };
    subscriber(lines, chosen, &provider, io::stderr).try_init().map_err(Error::Installed)?;
    panic::install();
    Ok(Guard(provider))
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

fn provider(config: &Config) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder()
        .with_service_name("mailfleet")
        .with_attribute(KeyValue::new("service.version", config.version.clone()))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp else { return Ok(builder.build()) };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|source| Error::Exporter { endpoint: endpoint.clone(), source })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

fn subscriber<W>(
    lines: Lines,
    chosen: EnvFilter,
    provider: &SdkTracerProvider,
    writer: W,
) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a> + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Spans are made without an exporter, too: the report's trace id comes from them.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("mailfleet"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter::wire());
    let plain = tracing_subscriber::fmt::layer().with_writer(writer);
    let written = match lines.format {
        Format::Text => plain.with_ansi(matches!(lines.colour, Colour::On)).boxed(),
        Format::Json => plain.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(spans).with(written.with_filter(chosen.and(filter::wire())))
}

#[cfg(test)]
mod tests;
