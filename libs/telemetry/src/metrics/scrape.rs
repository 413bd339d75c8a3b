//! The text that Prometheus reads.

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::error::OTelSdkError;
use prometheus::{Registry, TextEncoder};

/// A handle on the metrics of the process, as text. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Scrape(Registry);

impl Scrape {
    /// The content type of [`Scrape::text`].
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

    /// Everything that was recorded so far, in the text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        let families = self.0.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(error = %crate::chain(&error), "metrics cannot be written");
            String::new()
        })
    }
}

/// What a meter provider is read by, and the handle on it.
pub(crate) fn reader() -> Result<(PrometheusExporter, Scrape), OTelSdkError> {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone());
    // One scope makes every line longer and tells nothing.
    let exporter = exporter.scope_info_enabled(false);
    Ok((exporter.build()?, Scrape(registry)))
}
