//! Logs on standard error: on for `serve`, elsewhere only when asked for.
//!
//! Set up in every case, so that a panic is told with its place and without its text, which
//! may hold anything.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use mailfleet_telemetry::{Config, Format, Guard, Service};

use crate::config::{LogForm, Settings};

/// Starts logs for a command that people run: nothing but failures of our own, unless `-v` or
/// RUST_LOG asks for more.
///
/// # Errors
/// If RUST_LOG cannot be read as a filter.
pub(crate) fn for_command(verbose: u8) -> anyhow::Result<Guard> {
    start(Config { filter: Some(level(verbose).to_owned()), ..config() })
}

/// Starts logs, traces and metrics for a server.
///
/// # Errors
/// If RUST_LOG or the collector's address cannot be used.
pub(crate) fn for_server(
    verbose: u8,
    settings: &Settings,
    service: Service,
) -> anyhow::Result<Guard> {
    let format = match settings.logs {
        LogForm::Text => Format::Text,
        LogForm::Json => Format::Json,
        LogForm::Auto if std::io::stderr().is_terminal() => Format::Text,
        LogForm::Auto => Format::Json,
    };
    mailfleet_telemetry::set_system(match settings.broker {
        Some(_) => "rabbitmq",
        None => "in_process",
    });
    let filter = Some(level(verbose.max(1)).to_owned());
    let (otlp, sampling) = (settings.otlp.clone(), settings.sampling);
    start(Config { filter, format, service: Some(service), otlp, sampling, ..config() })
}

fn start(config: Config) -> anyhow::Result<Guard> {
    mailfleet_telemetry::init(&config).context("cannot start the logs")
}

fn config() -> Config {
    Config { version: env!("CARGO_PKG_VERSION").to_owned(), ..Config::default() }
}

fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    }
}
