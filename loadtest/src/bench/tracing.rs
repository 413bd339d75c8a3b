//! The cost of telemetry: the same load on fleets that export nothing, one trace in a hundred, and
//! all of them, to a collector that only counts.
//!
//! All fleets are up all the time and get their load in turns, so that whatever the machine does
//! meanwhile is the same for each. The collector's own time is not counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::local::{Local, program, scenario};
use super::say;
use crate::fleet::{Given, lock};
use crate::latency::Latencies;
use crate::usage::load;
use crate::watch::Watch;

/// Names of the fleets and which part of their traces they export; the reference first.
const FLEETS: [(&str, Option<f64>); 3] =
    [("off", None), ("1 in 100", Some(0.01)), ("all", Some(1.0))];
/// Time between two validations, and how long each turn is.
const LOAD: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(10));
/// The first turn of each fleet is not counted.
const TURNS: u32 = 5;
/// After a turn: what is exported with a delay.
const REST: Duration = Duration::from_secs(6);

/// What came of one fleet.
#[derive(Debug, Default)]
struct Cost {
    latencies: Latencies,
    /// CPU seconds of its gateways and workers.
    cpu: f64,
}

/// Spans that the collector was sent.
#[derive(Debug, Clone, Default)]
struct Counter(Arc<AtomicU64>);

#[tonic::async_trait]
impl trace::trace_service_server::TraceService for Counter {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<Response<trace::ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|of| of.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(Response::new(trace::ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl metrics::metrics_service_server::MetricsService for Counter {
    async fn export(
        &self,
        _: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics::ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(metrics::ExportMetricsServiceResponse::default()))
    }
}

/// Prints CPU time and latency for each fleet, as ratios to the one that exports nothing.
pub(crate) async fn run(given: &Given, named: Option<&Path>) -> anyhow::Result<()> {
    let program = program(named)?;
    let each = 1.0 / LOAD.0.as_secs_f64();
    say(&format!("telemetry at {each:.0} validations a second (load before it {}):", load()));
    let mut fleets = Vec::new();
    for (name, part) in FLEETS {
        let (counter, otlp) = match part {
            Some(_) => collector().await.map(|(counter, at)| (counter, Some(at)))?,
            None => (Counter::default(), None),
        };
        let telemetry = match (otlp, part) {
            (Some(otlp), Some(part)) => {
                format!("otlp = \"{otlp}\"\nsampling = \"{}%\"\n", part * 100.0)
            }
            _ => String::new(),
        };
        let text = format!(
            "title = \"telemetry\"\n[fleet]\nlimit = 200\n{telemetry}[[servers]]\nname = \
             \"prompt\"\npairs = 20\n[[phase]]\nname = \"all\"\ntime = \"1s\"\n[[phase.load]]\n\
             servers = \"prompt\"\nrate = 1\n"
        );
        let local = Local::start(&scenario(&text)?, given, &program).await?;
        fleets.push((name, local, counter, Cost::default()));
    }
    for turn in 0..TURNS {
        for (_, local, counter, cost) in &mut fleets {
            if turn == 1 {
                counter.0.store(0, Ordering::Relaxed);
            }
            let (latencies, cpu) = loaded(local).await?;
            if 0 < turn {
                cost.latencies.add(&latencies);
                cost.cpu += cpu;
            }
        }
    }
    let mut off = None;
    for (name, local, counter, cost) in fleets {
        local.end().await?;
        let count = cost.latencies.count();
        let cpu = cost.cpu / count as f64 * 1e3;
        let ms =
            |quantile| cost.latencies.quantile(quantile).unwrap_or_default().as_secs_f64() * 1e3;
        let spans = counter.0.load(Ordering::Relaxed) as f64 / count as f64;
        say(&format!(
            "  {name:<9} {cpu:>6.2} ms of CPU each ({:.2} times as much), p50 {:>5.1} ms, p99 {:>6.1} \
             ms, {spans:.2} spans each",
            cpu / *off.get_or_insert(cpu),
            ms(0.5),
            ms(0.99),
        ));
    }
    say(&format!("  (load after it {})", load()));
    Ok(())
}

/// One turn: latencies, and the CPU seconds of gateways and workers until nothing is left to export.
async fn loaded(local: &Local) -> anyhow::Result<(Latencies, f64)> {
    let processes: Vec<(String, u32)> = lock(&local.fleet.watched())
        .iter()
        .filter(|(name, _)| name.starts_with("gateway") || name.starts_with("worker"))
        .cloned()
        .collect();
    let (began, mut watch) = (Instant::now(), Watch::default());
    watch.look(Duration::ZERO, &processes);
    let latencies = local.beside(0, LOAD.0, || LOAD.1 <= began.elapsed()).await?;
    tokio::time::sleep(REST).await;
    watch.look(began.elapsed(), &processes);
    let mut cpu = 0.0;
    for watched in watch.all() {
        let (first, last) = (watched.looks.first(), watched.looks.last());
        let (first, last) = first.zip(last).context("every process was looked at")?;
        cpu += last.cpu - first.cpu;
    }
    Ok((latencies, cpu))
}

/// Starts a collector, and says where.
async fn collector() -> anyhow::Result<(Counter, String)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("binding a free port")?;
    let at = listener.local_addr().context("asking for its address")?;
    let counter = Counter::default();
    let router = Server::builder()
        .add_service(trace::trace_service_server::TraceServiceServer::new(counter.clone()))
        .add_service(metrics::metrics_service_server::MetricsServiceServer::new(counter.clone()));
    // Ends with this program.
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
    Ok((counter, format!("http://{at}")))
}
