//! Around every call: its span, the trace id in its answer, and how long it took.
//!
//! The caller's `traceparent` is honoured, and the services find the context among the
//! request's extensions. Health checks and reflection are counted and not traced.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Turn, Poll, ready};

use http_body::Frame;
use mailfleet_model::{JobId, TraceId};
use mailfleet_telemetry::metrics::{self, Clock};
use mailfleet_telemetry::spans;
use mailfleet_telemetry::trace::{Context, Span, sampled_root};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response};
use tonic::codegen::{Body as HttpBody, BoxFuture, Service};
use tower::Layer;
use tracing::Instrument as _;

/// Where the caller finds the trace id, also beside an error.
pub(crate) const TRACE_ID: &str = "trace-id";
/// Services of ours begin with it.
const OURS: &str = "mailfleet.";
/// What calls are counted as whose method nobody knows.
const OTHER: &str = "other";

/// The trace of a call, for whoever serves it.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    /// What goes on from here.
    pub(crate) context: Context,
    /// Whether the caller brought it along.
    pub(crate) is_callers: bool,
    span: Arc<Mutex<Option<Span>>>,
}

impl Traced {
    fn begin(path: &str, headers: &HeaderMap) -> Self {
        let callers = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let callers: Option<Context> = callers.and_then(|text| text.parse().ok());
        let is_callers = callers.is_some();
        if !path.starts_with(OURS) {
            let context = callers.unwrap_or_else(sampled_root);
            return Self { context, is_callers, span: Arc::default() };
        }
        let span = spans::call(path, callers);
        let context = span.context();
        Self { context, is_callers, span: Arc::new(Mutex::new(Some(span))) }
    }

    /// A call that came without the layer.
    pub(crate) fn untraced() -> Self {
        Self { context: sampled_root(), is_callers: false, span: Arc::default() }
    }

    /// The trace.
    pub(crate) fn id(&self) -> TraceId {
        self.context.trace_id()
    }

    /// Says which job it makes.
    pub(crate) fn set_job(&self, job: JobId) {
        if let Some(span) = &mut *self.span.lock().unwrap_or_else(PoisonError::into_inner) {
            spans::set_job(span, job);
        }
    }

    fn end(&self, code: Code) {
        let span = self.span.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut span) = span else { return };
        span.set("rpc.response.status_code", name(code));
        // The caller's mistakes are no failures of the server (semantic conventions for gRPC).
        if matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            span.fail(name(code));
        }
    }
}

/// Puts [`Calls`] around a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallsLayer;

impl<S> Layer<S> for CallsLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner }
    }
}

/// A service all of whose calls are traced and counted.
#[derive(Debug, Clone)]
pub(super) struct Calls<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, turn: &mut Turn<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(turn)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let traced = Traced::begin(&path, request.headers());
        let id = traced.id();
        let span = tracing::info_span!("rpc", trace_id = %id, span_id = traced.context.span_id());
        request.extensions_mut().insert(traced.clone());
        metrics::call_opened();
        let mut open = Open { path, traced, clock: Clock::new(), code: None };
        let answer = self.inner.call(request).instrument(span);
        Box::pin(async move {
            let mut answer = answer.await?;
            let headers = answer.headers_mut();
            if !headers.contains_key(TRACE_ID)
                && let Ok(id) = HeaderValue::from_str(&id.to_string())
            {
                headers.insert(TRACE_ID, id);
            }
            open.look(headers);
            let (parts, inner) = answer.into_parts();
            Ok(Response::from_parts(parts, Body::new(Counted { inner, open })))
        })
    }
}

/// A call that is open. Over when dropped: cancelled, unless it said how it ended.
struct Open {
    path: String,
    traced: Traced,
    clock: Clock,
    code: Option<Code>,
}

impl Open {
    /// Takes the status out of headers or trailers, if it is there.
    fn look(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        // Whoever calls what does not exist must not make labels.
        let method = if code == Code::Unimplemented { OTHER } else { self.path.as_str() };
        metrics::called(method, name(code), self.clock.elapsed());
        self.traced.end(code);
    }
}

/// An answer's body that tells how the call ended.
struct Counted {
    inner: Body,
    open: Open,
}

impl HttpBody for Counted {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        turn: &mut Turn<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(turn));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.open.look(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// The name that the specification of gRPC gives a status code.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
