//! What may be logged at all.
//!
//! The level is the operator's choice, but libraries that see the wire are never heard below
//! INFO: at DEBUG and TRACE they write out what they read and send, passwords included.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::{Context, Filter};

/// Level when neither the environment nor the configuration names one.
const DEFAULT: &str = "info";

/// Libraries that see bytes of mail servers, of TLS, of the store, of the broker or of our
/// callers.
const WIRE: [&str; 17] = [
    "amq_protocol",
    "async_imap",
    "h2",
    "hickory_proto",
    "hickory_resolver",
    "hyper",
    "hyper_util",
    "imap_proto",
    "lapin",
    "mail_send",
    "rustls",
    "smtp_proto",
    "tokio_postgres",
    "tokio_rustls",
    "tokio_util",
    "tonic",
    "tower",
];

/// Told by `export`, once: the library repeats it at every try.
const REPEATED: &str = "opentelemetry";

/// Libraries that tell at INFO what is nobody's news.
const TALKATIVE: [&str; 1] = ["refinery_core"];

/// The operator's choice: `RUST_LOG`, then the configuration, then INFO.
pub(crate) fn chosen(
    environment: Option<&str>,
    configured: Option<&str>,
) -> Result<EnvFilter, ParseError> {
    let environment = environment.filter(|text| !text.is_empty());
    EnvFilter::builder().parse(environment.or(configured).unwrap_or(DEFAULT))
}

/// The rule that no choice lifts.
pub(crate) fn wire() -> Targets {
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(WIRE.map(|target| (target, LevelFilter::INFO)))
        .with_target(REPEATED, LevelFilter::OFF)
        .with_targets(TALKATIVE.map(|target| (target, LevelFilter::WARN)))
}

/// Passes all but one thing that `lapin` takes for an error: a claim on a shard that another
/// worker holds. The broker answers it by closing the channel, which is an answer here. Missing
/// permissions have the same code and are heard: only the broker's words tell them apart.
pub(crate) struct Claims;

impl<S> Filter<S> for Claims {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let from = event.metadata();
        if *from.level() != Level::ERROR || from.target() != "lapin::channel" {
            return true;
        }
        let mut told = Told::default();
        event.record(&mut told);
        !told.is_refused_claim()
    }
}

/// What an event of `lapin` tells.
#[derive(Default)]
struct Told {
    message: String,
    method: String,
}

impl Told {
    fn is_refused_claim(&self) -> bool {
        self.message == "Channel closed"
            && self.method.contains("ACCESS_REFUSED")
            && self.method.contains("in exclusive use")
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let kept = match field.name() {
            "message" => &mut self.message,
            "method" => &mut self.method,
            _ => return,
        };
        // Writing to memory does not fail.
        write!(kept, "{value:?}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_libraries_are_never_heard_below_info() {
        let rule = wire();
        for target in ["rustls::client::hs", "async_imap", "h2::codec::framed_read"] {
            assert!(!rule.would_enable(target, &Level::DEBUG), "{target}");
            assert!(rule.would_enable(target, &Level::WARN), "{target}");
        }
        assert!(rule.would_enable("mailfleet_probe::leg", &Level::TRACE));
    }

    #[test]
    fn the_environment_wins_over_the_configuration() {
        let shown = |environment, configured| {
            chosen(environment, configured).map(|filter| filter.to_string()).ok()
        };
        assert_eq!(shown(Some("debug"), Some("warn")).as_deref(), Some("debug"));
        assert_eq!(shown(Some(""), Some("warn")).as_deref(), Some("warn"));
        assert_eq!(shown(None, None).as_deref(), Some("info"));
        assert_eq!(shown(None, Some("a=b=c")), None);
    }
}
