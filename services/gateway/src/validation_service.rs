//! `mailfleet.v1.ValidationService`: takes a request, admits it, streams what happens.
//!
//! Nothing is validated here and no report is made here; see `job`.

use std::time::Duration;

use mailfleet_api::request::{self, Request as Checked};
use mailfleet_api::v1;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_server::ValidationService;
use mailfleet_model::{JobId, TraceId};
use mailfleet_remedy::Language;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};
use tracing::Instrument;
use uuid::Uuid;

use crate::admission::Admission;
use crate::config::Config;
use crate::job::{self, Answer, Job, OnDisconnect};
use crate::validate::Validator;
use crate::{deadline, status};

/// Where the caller finds the trace id, also beside an error.
const TRACE_ID: &str = "trace-id";

/// Languages that remedies exist in.
const LANGUAGES: [&str; 2] = ["en", "ja"];

/// The service and what its calls share.
#[derive(Debug, Clone)]
pub(crate) struct Validations {
    validator: Validator,
    admission: Admission,
    retry_after: Duration,
    /// Every accepted validation.
    pub(crate) running: TaskTracker,
    /// Cancelled when no more requests are taken.
    pub(crate) draining: CancellationToken,
    /// Cancelled when running validations must end.
    pub(crate) stop: CancellationToken,
}

impl Validations {
    pub(crate) fn new(config: &Config, validator: Validator) -> Self {
        Self {
            validator,
            admission: Admission::new(config),
            retry_after: config.retry_after,
            running: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Checks and admits the request, and starts the job in a task of its own.
    fn accept(
        &self,
        metadata: &MetadataMap,
        request: v1::ValidateRequest,
        call: &Call,
    ) -> Result<ReceiverStream<Answer>, Status> {
        let language = language(request::asked_language(&request, &LANGUAGES));
        // Counted before the look at `draining`, so that a drain never misses a job.
        let _counted = self.running.token();
        if self.draining.is_cancelled() {
            return Err(status::draining(language));
        }
        let Checked { mut validation, request_id, cancel_on_disconnect, .. } =
            request::parse(request, &LANGUAGES).map_err(|bad| status::invalid(&bad, language))?;
        let place = self.admission.enter();
        let place = place.ok_or_else(|| status::overloaded(self.retry_after, language))?;
        if let Some(callers) = ascii(metadata, "grpc-timeout").and_then(deadline::parse) {
            deadline::shorten(&mut validation, callers);
        }
        let (answers, stream) = mpsc::channel(job::EVENTS);
        let accepted = v1::Accepted {
            job_id: call.job.to_string(),
            trace_id: call.trace.to_string(),
            request_id: request_id.map(|id| id.to_string()).unwrap_or_default(),
        };
        answers.try_send(job::answer(Event::Accepted(accepted))).expect("the channel is empty");
        tracing::info!(request_id = ?request_id, "validation accepted");
        let job = Job {
            id: call.job,
            trace: Some(call.trace),
            language,
            on_disconnect: if cancel_on_disconnect {
                OnDisconnect::Cancel
            } else {
                OnDisconnect::GoOn
            },
            stop: self.stop.clone(),
            answers,
        };
        let work = job.run(place, self.validator.clone(), validation);
        self.running.spawn(work.in_current_span());
        Ok(ReceiverStream::new(stream))
    }
}

/// What is known of a call before its request is looked at.
struct Call {
    job: JobId,
    trace: TraceId,
}

#[tonic::async_trait]
impl ValidationService for Validations {
    type ValidateStream = ReceiverStream<Answer>;

    async fn validate(
        &self,
        request: Request<v1::ValidateRequest>,
    ) -> Result<Response<Self::ValidateStream>, Status> {
        let (metadata, _, message) = request.into_parts();
        let job = JobId(Uuid::now_v7());
        let span = tracing::info_span!("validate", job_id = %job, trace_id = tracing::field::Empty);
        let trace = mailfleet_telemetry::continue_trace(&span, |name| ascii(&metadata, name))
            .unwrap_or_else(|| job.into());
        span.record("trace_id", tracing::field::display(trace));
        let call = Call { job, trace };
        let answer = span.in_scope(|| self.accept(&metadata, message, &call));
        let trace_id = MetadataValue::try_from(trace.to_string()).ok();
        match (answer, trace_id) {
            (Ok(stream), trace_id) => {
                let mut response = Response::new(stream);
                trace_id.map(|id| response.metadata_mut().insert(TRACE_ID, id));
                Ok(response)
            }
            (Err(mut status), trace_id) => {
                trace_id.map(|id| status.metadata_mut().insert(TRACE_ID, id));
                Err(status)
            }
        }
    }
}

fn ascii<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}

fn language(tag: Option<&str>) -> Option<Language> {
    tag?.parse().ok()
}
