//! A collector: takes what processes send over OTLP, and shows it as trees.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// A span as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// The part of the fleet that it is of.
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty: none.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Trace and span of each link.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) failed: bool,
}

/// Everything that was received.
#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    /// Names of metrics.
    metrics: Vec<String>,
    /// All of it, as text.
    raw: String,
}

/// A collector that runs.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) at: SocketAddr,
    /// How it is reached, without the port.
    host: &'static str,
    received: Arc<Mutex<Received>>,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Debug, Clone)]
struct Receiver(Arc<Mutex<Received>>);

impl Receiver {
    fn received(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Receiver {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        let message = request.into_inner();
        let mut received = self.received();
        received.raw.push_str(&format!("{message:?}\n"));
        for of_process in message.resource_spans {
            let resource = of_process.resource.unwrap_or_default();
            let service = pairs(&resource.attributes).remove("service.name").unwrap_or_default();
            for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let kind = span.kind();
                received.spans.push(Span {
                    service: service.clone(),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    kind,
                    start: span.start_time_unix_nano,
                    end: span.end_time_unix_nano,
                    links: span
                        .links
                        .iter()
                        .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                        .collect(),
                    attributes: pairs(&span.attributes),
                    failed: span.status.as_ref().is_some_and(|status| status.code == 2),
                    name: span.name,
                });
            }
        }
        Ok(Response::new(trace::ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        let message = request.into_inner();
        let mut received = self.received();
        received.raw.push_str(&format!("{message:?}\n"));
        let scopes = message.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
        let names = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name);
        received.metrics.extend(names);
        Ok(Response::new(metrics::ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one at a free port.
    pub(crate) async fn start() -> Self {
        Self::start_with(Server::builder(), "http://127.0.0.1").await
    }

    /// Starts one that speaks TLS, and gives its certificate as PEM.
    pub(crate) async fn start_tls() -> (Self, String) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(&certificate, key));
        let server = Server::builder().tls_config(tls).expect("the certificate fits the key");
        (Self::start_with(server, "https://localhost").await, certificate)
    }

    async fn start_with(mut server: Server, host: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let at = listener.local_addr().expect("an address");
        let received = Arc::<Mutex<Received>>::default();
        let receiver = Receiver(Arc::clone(&received));
        let router = server
            .add_service(trace::trace_service_server::TraceServiceServer::new(receiver.clone()))
            .add_service(metrics::metrics_service_server::MetricsServiceServer::new(receiver));
        let serving = tokio::spawn(async move {
            router.serve_with_incoming(TcpIncoming::from(listener)).await.expect("it serves");
        });
        Self { at, host, received, serving }
    }

    /// What processes need to know.
    pub(crate) fn environment(&self) -> (String, String) {
        ("MAILFLEET_TELEMETRY__OTLP".to_owned(), format!("{}:{}", self.host, self.at.port()))
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received().spans.clone()
    }

    /// The spans of a trace.
    pub(crate) fn trace(&self, id: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace == id).collect()
    }

    /// Names of the metrics so far.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.received().metrics.clone()
    }

    /// Everything so far, as text.
    pub(crate) fn raw(&self) -> String {
        self.received().raw.clone()
    }
}

impl Span {
    pub(crate) fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pairs(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}
