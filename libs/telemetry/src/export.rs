//! Where spans and metrics go: to a collector over OTLP, and to whoever scrapes.
//!
//! A collector that is away delays nobody: spans and metrics are sent by threads of their own,
//! wait in bounded queues, and are dropped when those are full. Its absence is told once.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData,
};

use crate::metrics::Scrape;
use crate::setup::{Config, Error, Service};
use crate::trace::{Ids, Tracing};
use crate::{metrics, trace};

/// Longest wait for a collector, at each export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a collector at the end, for spans and metrics together.
pub(crate) const LAST: Duration = Duration::from_secs(4);
/// How often metrics are sent.
const EVERY: Duration = Duration::from_secs(15);
/// Spans that wait for being sent, beyond which they are dropped: some seconds of a busy worker.
const WAITING: usize = 32_768;
/// Spans in one message: far below the 4 MiB that collectors take by default.
const BATCH: usize = 1_024;
/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);

/// What sends, and what is scraped.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    spans: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    pub(crate) scrape: Scrape,
}

impl Exports {
    /// Sets up what a server exports. A command exports nothing.
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        let Some(service) = &config.service else { return Ok(Self::default()) };
        let resource = resource(service, &config.version);
        let (reader, scrape) = metrics::reader().map_err(Error::Metrics)?;
        let builder =
            SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(reader);
        let Some(endpoint) = &config.otlp else {
            return Ok(Self { spans: None, metrics: Some(builder.build()), scrape });
        };
        let failed =
            |source: ExporterBuildError| Error::Exporter { endpoint: endpoint.clone(), source };
        let health = Arc::new(Health::default());
        let exporter = sent_to(endpoint, MetricExporter::builder().with_tonic()).build();
        let exporter = Told { inner: exporter.map_err(failed)?, health: Arc::clone(&health) };
        let periodic = PeriodicReader::builder(exporter).with_interval(EVERY).build();
        let exporter = sent_to(endpoint, SpanExporter::builder().with_tonic()).build();
        let exporter = Told { inner: exporter.map_err(failed)?, health };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let spans = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_id_generator(Ids::default())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                config.sampling,
            ))))
            .with_span_processor(processor)
            .build();
        let metrics = builder.with_reader(periodic).build();
        Ok(Self { spans: Some(spans), metrics: Some(metrics), scrape })
    }

    /// Makes them the process's.
    pub(crate) fn install(&self, sampling: f64) {
        if let Some(provider) = &self.metrics {
            global::set_meter_provider(provider.clone());
            metrics::begin();
        }
        if let Some(spans) = &self.spans {
            let tracer = spans.tracer("mailfleet");
            trace::turn_on(Tracing { tracer, ratio: sampling });
        }
    }

    /// Sends what was not sent yet, within [`LAST`].
    pub(crate) fn shutdown(self) {
        let began = Instant::now();
        let left = || LAST.saturating_sub(began.elapsed()).max(Duration::from_millis(100));
        let spans = self.spans.map(|spans| spans.shutdown_with_timeout(LAST / 2));
        let metrics = self.metrics.map(|metrics| metrics.shutdown_with_timeout(left()));
        for ended in [spans, metrics].into_iter().flatten() {
            if let Err(error) = ended {
                tracing::warn!(
                    error = %crate::chain(&error),
                    "the last spans or metrics were not sent"
                );
            }
        }
    }
}

/// Where and how an exporter sends.
fn sent_to<B: WithExportConfig + WithTonicConfig>(endpoint: &str, exporter: B) -> B {
    let exporter = exporter.with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT);
    // By itself the exporter trusts nobody. A machine without authorities is no fault where no
    // TLS is spoken.
    let is_tls = endpoint.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    if !is_tls {
        return exporter;
    }
    exporter.with_tls_config(ClientTlsConfig::new().with_native_roots())
}

fn resource(service: &Service, version: &str) -> Resource {
    Resource::builder()
        .with_service_name(service.name)
        .with_attribute(KeyValue::new("service.namespace", "mailfleet"))
        .with_attribute(KeyValue::new("service.instance.id", service.instance.clone()))
        .with_attribute(KeyValue::new("service.version", version.to_owned()))
        .build()
}

/// Whether the collector takes what is sent.
#[derive(Debug, Default)]
struct Health {
    away: AtomicBool,
}

impl Health {
    fn note(&self, result: &OTelSdkResult) {
        match result {
            Ok(()) if self.away.swap(false, Ordering::Relaxed) => {
                tracing::info!("the collector takes traces and metrics again");
            }
            Err(error) if !self.away.swap(true, Ordering::Relaxed) => tracing::warn!(
                error = %crate::chain(error),
                "the collector (telemetry.otlp) does not take traces and metrics, dropping them \
                 until it does"
            ),
            Ok(()) | Err(_) => {}
        }
    }
}

/// An exporter whose trouble is told once when it begins and once when it is over.
#[derive(Debug)]
struct Told<E> {
    inner: E,
    health: Arc<Health>,
}

impl opentelemetry_sdk::trace::SpanExporter for Told<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        self.health.note(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        opentelemetry_sdk::trace::SpanExporter::shutdown_with_timeout(&self.inner, timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        opentelemetry_sdk::trace::SpanExporter::force_flush(&self.inner)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl PushMetricExporter for Told<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.health.note(&result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
