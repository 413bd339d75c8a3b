//! The admin port: whether the process lives (`/healthz`), whether it can work (`/readyz`), and
//! what it has counted (`/metrics`).
//!
//! Plain HTTP for orchestrators, Prometheus and people with curl. Says nothing about single jobs
//! or mailboxes, and takes no orders.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use mailfleet_engine::fence::Standing;
use mailfleet_telemetry::metrics::Scrape;
use mailfleet_worker::{Health, State};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// One thing that must work before the process can.
pub(crate) struct Part {
    /// What it is, such as `store`.
    pub(crate) name: &'static str,
    /// Why it does not work; `None` if it does. Cheap: it is asked at every request.
    pub(crate) trouble: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Serves until `stop`.
///
/// # Errors
/// If the connection to the listener is lost.
pub(crate) async fn serve(
    listener: TcpListener,
    parts: Vec<Part>,
    scrape: Scrape,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || metrics(scrape.clone())))
        .with_state(Arc::new(parts));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// The part of a gateway.
pub(crate) fn gateway(is_ready: impl Fn() -> bool + Send + Sync + 'static) -> Part {
    let trouble = move || {
        let why = "the store or the broker does not answer, or the end has begun";
        (!is_ready()).then(|| why.to_owned())
    };
    Part { name: "gateway", trouble: Box::new(trouble) }
}

/// The part of a worker.
pub(crate) fn worker(health: Health) -> Part {
    let trouble = move || match health.state() {
        _ if health.is_ready() => None,
        State { load, .. } if load.draining => Some("draining".to_owned()),
        State { standing: Standing::Lost, .. } => Some("no connection to the broker".to_owned()),
        State { standing: Standing::Sure, .. } => {
            Some("it has just begun, or no gateway has sent it the settings yet".to_owned())
        }
        State { .. } => Some("the broker has not answered for a while".to_owned()),
    };
    Part { name: "worker", trouble: Box::new(trouble) }
}

/// Takes the address.
///
/// # Errors
/// If it is taken or not ours.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context as _;
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (admin.listen)"))
}

async fn metrics(scrape: Scrape) -> impl IntoResponse {
    ([(CONTENT_TYPE, Scrape::CONTENT_TYPE)], scrape.text())
}

async fn ready(extract::State(parts): extract::State<Arc<Vec<Part>>>) -> impl IntoResponse {
    let mut good = true;
    let mut told = serde_json::Map::new();
    for part in parts.iter() {
        let trouble = (part.trouble)();
        good &= trouble.is_none();
        told.insert(part.name.to_owned(), trouble.unwrap_or_else(|| "ok".to_owned()).into());
    }
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = format!("{}\n", json!({ "ready": good, "parts": told }));
    (status, [(CONTENT_TYPE, "application/json")], body)
}
