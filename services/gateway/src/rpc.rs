//! The services, and what all calls have in common: who calls, in which language, under
//! which trace.

mod batch;
mod events;
mod explain;
mod fleet;
mod job;
mod list;
mod stream;
mod validation;
mod watch;

use std::sync::Arc;

use mailfleet_model::fleet::{GatewayQueue, Store};
use mailfleet_model::{JobId, TraceId, Violations};
use mailfleet_remedy::Language;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Extensions, Response, Status};
use tracing::Span;
use uuid::Uuid;

use crate::gateway::Gateway;
use crate::server::{TRACE_ID, Traced};
use crate::status;
use crate::tenants::{Caller, Role};

pub(crate) use batch::Batches;
pub(crate) use events::Events;
pub(crate) use fleet::Fleet;
pub(crate) use job::Jobs;
pub(crate) use validation::Validations;

/// Languages that remedies exist in.
const LANGUAGES: [&str; 2] = ["en", "ja"];

/// What is known of a call that may make a job, before its request is looked at.
struct Call {
    /// The id that the job gets.
    job: JobId,
    span: Span,
    trace: TraceId,
    /// Whether the caller brought the trace along.
    is_callers: bool,
    traceparent: Option<String>,
}

impl Call {
    fn begin(extensions: &Extensions) -> Self {
        let job = JobId(Uuid::now_v7());
        let traced = extensions.get::<Traced>().cloned().unwrap_or_else(Traced::untraced);
        traced.set_job(job);
        let span = tracing::info_span!("validate", job.id = %job);
        let (trace, traceparent) = (traced.id(), Some(traced.context.to_string()));
        Self { job, span, trace, is_callers: traced.is_callers, traceparent }
    }

    /// Tells the trace id beside the answer.
    fn answer<T>(&self, answer: Result<T, Status>) -> Result<Response<T>, Status> {
        let trace_id = MetadataValue::try_from(self.trace.to_string()).ok();
        match answer {
            Ok(message) => {
                let mut response = Response::new(message);
                trace_id.map(|id| response.metadata_mut().insert(TRACE_ID, id));
                Ok(response)
            }
            Err(mut status) => {
                trace_id.map(|id| status.metadata_mut().insert(TRACE_ID, id));
                Err(status)
            }
        }
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Who calls, if he may do what `needs` this role.
    fn caller(
        self: &Arc<Self>,
        metadata: &MetadataMap,
        needs: Role,
        language: Option<Language>,
    ) -> Result<Caller, Status> {
        let caller = self.tenants.caller(ascii(metadata, "authorization"));
        let caller = caller.ok_or_else(|| status::unauthenticated(language))?;
        if caller.role < needs {
            return Err(status::role_too_low(needs, language));
        }
        Ok(caller)
    }
}

fn ascii<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}

/// The language of a request that has no other field to check it with.
fn language(tag: &str) -> Result<Option<Language>, Status> {
    if tag.is_empty() {
        return Ok(None);
    }
    let mut bad = Violations::default();
    let known = LANGUAGES.contains(&tag).then(|| tag.parse().ok()).flatten();
    let wrong = format!("is not one of {}", LANGUAGES.join(", "));
    let known = bad.check("language", known.ok_or(wrong));
    if bad.is_empty() { Ok(known) } else { Err(status::invalid(&bad, None)) }
}
