//! `mailfleet.v1.ValidationService`: takes a request, has it stored, streams what happens.
//!
//! Nothing is validated here and no report is made here.

use std::sync::Arc;

use mailfleet_api::request::{self, Request as Checked};
use mailfleet_api::v1;
use mailfleet_api::v1::submit_validation_response::Origin;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_server::ValidationService;
use mailfleet_model::JobId;
use mailfleet_model::fleet::{GatewayQueue, LegRecord, Store};
use mailfleet_remedy::Language;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::stream::{self, Answer, OnDisconnect, Stream};
use super::{Call, LANGUAGES, ascii};
use crate::compose::trace_of;
use crate::gateway::Gateway;
use crate::message::report_message;
use crate::submit::{Order, Submission};
use crate::tenants::{Caller, Role};
use crate::{deadline, status};

/// The service.
#[derive(Debug)]
pub(crate) struct Validations<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);

/// A call whose request is right.
struct CheckedCall {
    caller: Caller,
    language: Option<Language>,
    request: Checked,
}

#[tonic::async_trait]
impl<S: Store, Q: GatewayQueue> ValidationService for Validations<S, Q> {
    type ValidateStream = ReceiverStream<Answer>;

    async fn validate(
        &self,
        request: Request<v1::ValidateRequest>,
    ) -> Result<Response<Self::ValidateStream>, Status> {
        let came = Instant::now();
        let (metadata, extensions, message) = request.into_parts();
        let call = Call::begin(&extensions);
        let answer = Box::pin(self.accept(&metadata, message, &call, came));
        let answer = answer.instrument(call.span.clone()).await;
        call.answer(answer)
    }

    async fn submit_validation(
        &self,
        request: Request<v1::SubmitValidationRequest>,
    ) -> Result<Response<v1::SubmitValidationResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let call = Call::begin(&extensions);
        let answer = Box::pin(self.store_only(&metadata, message, &call));
        let answer = answer.instrument(call.span.clone()).await;
        call.answer(answer)
    }
}

impl<S: Store, Q: GatewayQueue> Validations<S, Q> {
    /// Stores the job, and starts the stream that tells of it.
    async fn accept(
        &self,
        metadata: &MetadataMap,
        request: v1::ValidateRequest,
        call: &Call,
        came: Instant,
    ) -> Result<ReceiverStream<Answer>, Status> {
        let gateway = &self.0;
        let asked = spoken(request::asked_language(&request, &LANGUAGES));
        // Counted before the look at `draining`, so that a drain never misses a stream.
        let _counted = gateway.streams.token();
        let checked =
            self.check(metadata, asked, |languages| request::parse(request, languages))?;
        let CheckedCall { caller, language, request } = checked;
        let Checked { mut validation, request_id, cancel_on_disconnect, .. } = request;
        let fields = gateway.fields(&validation);
        let callers = ascii(metadata, "grpc-timeout").and_then(deadline::parse);
        let callers = callers.map(|callers| callers.saturating_sub(came.elapsed()));
        if let Some(callers) = callers {
            deadline::shorten(&mut validation, callers);
        }
        let order = Order {
            job: call.job,
            validation,
            fields,
            request_id,
            live: true,
            trace: call.trace,
            traceparent: call.traceparent.clone(),
            within: callers.map(deadline::report_within),
        };
        // From before the job is there, so that no step of it is missed.
        let mut watch = gateway.watchers.watch(call.job);
        let submitted = gateway.submit(&caller.tenant, order).await;
        let submitted = submitted.map_err(|error| status::not_submitted(&error, language))?;
        let (answers, stream) = mpsc::channel(stream::EVENTS);
        let accepted = |job: JobId, trace| {
            let event = Event::Accepted(v1::Accepted {
                job_id: job.to_string(),
                trace_id: format!("{trace}"),
                request_id: request_id.map(|id| id.to_string()).unwrap_or_default(),
            });
            answers.try_send(stream::answer(event)).expect("the channel is empty");
        };
        let (ends_within, on_disconnect) = match submitted {
            Submission::Created(within) => {
                accepted(call.job, call.trace);
                let request = request_id.map(tracing::field::display);
                tracing::info!(request_id = request, tenant = %caller.tenant.name, "validation accepted");
                let leaving =
                    if cancel_on_disconnect { OnDisconnect::Cancel } else { OnDisconnect::GoOn };
                (Some(within), leaving)
            }
            Submission::Repeated(job) | Submission::Joined(job) => {
                watch = gateway.watchers.watch(job);
                let known = gateway.job(&caller, job, language).await?;
                let is_sent_here = |leg: &LegRecord| leg.live_to.as_ref() == Some(&gateway.id);
                let is_open = |leg: &LegRecord| !leg.state.is_final();
                if known.legs.iter().any(|row| is_open(&row.leg) && !is_sent_here(&row.leg)) {
                    watch.want_steps();
                }
                let trace = if call.is_callers { call.trace } else { trace_of(&known.job) };
                accepted(job, trace);
                tracing::info!(joined = %job, tenant = %caller.tenant.name, "validation joined another");
                // Whoever made it decides when it ends.
                (None, OnDisconnect::GoOn)
            }
            Submission::KeptBack(report, _) => {
                accepted(call.job, call.trace);
                tracing::info!(tenant = %caller.tenant.name, "login kept back, nothing is run");
                let report = report_message(&report, language);
                let sent = answers.try_send(stream::answer(Event::Report(report)));
                sent.expect("only the acceptance is in the channel");
                return Ok(ReceiverStream::new(stream));
            }
            Submission::OverQuota(_) | Submission::RequestIdReused => {
                return Err(refusal(&submitted, language));
            }
        };
        let telling = Stream {
            gateway: Arc::clone(gateway),
            caller,
            language,
            on_disconnect,
            expires: ends_within.map(|within| Instant::now() + within + stream::AFTER_DEADLINE),
            answers,
            watch,
        };
        gateway.streams.spawn(telling.run().in_current_span());
        Ok(ReceiverStream::new(stream))
    }

    /// Stores the job, and shows it.
    async fn store_only(
        &self,
        metadata: &MetadataMap,
        request: v1::SubmitValidationRequest,
        call: &Call,
    ) -> Result<v1::SubmitValidationResponse, Status> {
        let gateway = &self.0;
        let inner = request.validation.as_ref();
        let asked = spoken(inner.and_then(|inner| request::asked_language(inner, &LANGUAGES)));
        let _counted = gateway.streams.token();
        let parse = |languages: &[&str]| request::parse_submission(request, languages);
        let CheckedCall { caller, language, request } = self.check(metadata, asked, parse)?;
        let Checked { validation, request_id, .. } = request;
        let order = Order {
            job: call.job,
            fields: gateway.fields(&validation),
            validation,
            request_id,
            live: false,
            trace: call.trace,
            traceparent: call.traceparent.clone(),
            within: None,
        };
        let submitted = gateway.submit(&caller.tenant, order).await;
        let submitted = submitted.map_err(|error| status::not_submitted(&error, language))?;
        let (job, origin) = match submitted {
            Submission::Created(_) => (call.job, Origin::Created),
            Submission::Repeated(job) => (job, Origin::Repeated),
            Submission::Joined(job) => (job, Origin::Joined),
            Submission::KeptBack(..) | Submission::OverQuota(_) | Submission::RequestIdReused => {
                return Err(refusal(&submitted, language));
            }
        };
        tracing::info!(stored = %job, ?origin, tenant = %caller.tenant.name, "validation submitted");
        let view = gateway.job(&caller, job, language).await?;
        let job = gateway.message(&view, language);
        Ok(v1::SubmitValidationResponse { job: Some(job), origin: origin.into() })
    }

    /// Who calls, whether he may, and whether what he asks for makes sense.
    fn check(
        &self,
        metadata: &MetadataMap,
        language: Option<Language>,
        parse: impl FnOnce(&[&str]) -> Result<Checked, mailfleet_model::Violations>,
    ) -> Result<CheckedCall, Status> {
        let gateway = &self.0;
        let caller = gateway.caller(metadata, Role::Submitter, language)?;
        if gateway.draining.is_cancelled() {
            return Err(status::draining(language));
        }
        let request = parse(&LANGUAGES).map_err(|bad| status::invalid(&bad, language))?;
        let most = caller.tenant.quota.per_minute;
        let pace = gateway.pace.take(&caller.tenant.name, most, gateway.now());
        pace.map_err(|wait| status::too_fast(wait, language))?;
        Ok(CheckedCall { caller, language, request })
    }
}

/// What a caller is told whose request makes no job.
fn refusal(submission: &Submission, language: Option<Language>) -> Status {
    match submission {
        Submission::OverQuota(wait) => status::over_quota(*wait, language),
        Submission::KeptBack(_, wait) => status::kept_back(*wait, language),
        Submission::RequestIdReused
        | Submission::Created(_)
        | Submission::Repeated(_)
        | Submission::Joined(_) => status::request_id_reused(language),
    }
}

fn spoken(tag: Option<&str>) -> Option<Language> {
    tag?.parse().ok()
}
