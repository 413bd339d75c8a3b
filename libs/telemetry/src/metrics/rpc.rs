//! Calls of our gRPC services.

use std::time::Duration;

use opentelemetry::KeyValue;

use super::instruments::of;

/// A call is open; say [`called`] when it is over.
pub fn open() {
    of().rpc_active.add(1, &[]);
}

/// A call is over. `method` is one that the server knows (`package.Service/Method`), `code` the
/// name of its gRPC status, such as `NOT_FOUND`.
pub fn called(method: &str, code: &'static str, took: Duration) {
    let method = KeyValue::new("rpc.method", method.to_owned());
    of().rpc_active.add(-1, &[]);
    let system = KeyValue::new("rpc.system.name", "grpc");
    let status = KeyValue::new("rpc.response.status_code", code);
    of().rpc_duration.record(took.as_secs_f64(), &[system, method, status]);
}
