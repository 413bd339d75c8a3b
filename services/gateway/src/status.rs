//! Errors to gRPC statuses: the only place that knows how.
//!
//! Each status carries `ErrorInfo` with a stable reason and `LocalizedMessage`, as AIP-193
//! asks for. A status never holds a value of the request, only names of its fields.

mod words;

use std::collections::HashMap;
use std::time::Duration;

use mailfleet_model::fleet::{BatchState, StoreError};
use mailfleet_model::{JobId, Violations};
use mailfleet_remedy::Language;
use mailfleet_telemetry::chain;
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::submit::SubmitError;
use crate::tenants::Role;
use words::Wording;

const DOMAIN: &str = "mailfleet";
/// What a caller is told to wait for a store that does not answer, or a gateway that ends.
const SOON: Duration = Duration::from_secs(2);

/// Fields are wrong; all of them are listed.
pub(crate) fn invalid(violations: &Violations, language: Option<Language>) -> Status {
    let mut details = ErrorDetails::new();
    let fields = violations.as_slice().iter();
    let fields: Vec<FieldViolation> =
        fields.map(|v| FieldViolation::new(v.field.as_str(), v.description.as_str())).collect();
    details.set_bad_request(fields);
    let message = format!("wrong fields: {violations}");
    status(&words::INVALID, message, HashMap::new(), details, language)
}

/// The request id belongs to another request.
pub(crate) fn request_id_reused(language: Option<Language>) -> Status {
    let mut details = ErrorDetails::new();
    let description = "was used for another request";
    details.set_bad_request(vec![FieldViolation::new("request_id", description)]);
    plain(&words::REQUEST_ID_REUSED, HashMap::new(), details, language)
}

/// The tenant has too many open jobs.
pub(crate) fn over_quota(retry_after: Duration, language: Option<Language>) -> Status {
    plain(&words::TOO_MANY_JOBS, HashMap::new(), retry_in(retry_after), language)
}

/// The tenant submits too fast.
pub(crate) fn too_fast(retry_after: Duration, language: Option<Language>) -> Status {
    plain(&words::TOO_FAST, HashMap::new(), retry_in(retry_after), language)
}

/// The secret was refused a short while ago.
pub(crate) fn kept_back(wait: Option<Duration>, language: Option<Language>) -> Status {
    let details = wait.map_or_else(ErrorDetails::new, retry_in);
    plain(&words::KEPT_BACK, HashMap::new(), details, language)
}

/// No token, or an unknown one.
pub(crate) fn unauthenticated(language: Option<Language>) -> Status {
    plain(&words::UNAUTHENTICATED, HashMap::new(), ErrorDetails::new(), language)
}

/// The token's role is not enough.
pub(crate) fn role_too_low(needs: Role, language: Option<Language>) -> Status {
    let metadata = HashMap::from([("needs".to_owned(), needs.to_string())]);
    plain(&words::ROLE_TOO_LOW, metadata, ErrorDetails::new(), language)
}

/// There is no such job for this tenant.
pub(crate) fn no_such_job(language: Option<Language>) -> Status {
    plain(&words::JOB_NOT_FOUND, HashMap::new(), ErrorDetails::new(), language)
}

/// There is no such batch for this tenant.
pub(crate) fn no_such_batch(language: Option<Language>) -> Status {
    plain(&words::BATCH_NOT_FOUND, HashMap::new(), ErrorDetails::new(), language)
}

/// The events behind the caller's token are not all kept.
pub(crate) fn events_forgotten(language: Option<Language>) -> Status {
    plain(&words::EVENTS_FORGOTTEN, HashMap::new(), ErrorDetails::new(), language)
}

/// The batch is in no state for it.
pub(crate) fn batch_state(state: BatchState, language: Option<Language>) -> Status {
    let metadata = HashMap::from([("state".to_owned(), state.to_string())]);
    plain(&words::BATCH_STATE, metadata, ErrorDetails::new(), language)
}

/// There is no such worker.
pub(crate) fn no_such_worker(language: Option<Language>) -> Status {
    plain(&words::WORKER_NOT_FOUND, HashMap::new(), ErrorDetails::new(), language)
}

/// The service takes no more requests.
pub(crate) fn draining(language: Option<Language>) -> Status {
    plain(&words::DRAINING, HashMap::new(), retry_in(SOON), language)
}

/// The service ends while the job goes on.
pub(crate) fn job_goes_on(job: JobId, language: Option<Language>) -> Status {
    plain(&words::JOB_GOES_ON, about(job), retry_in(SOON), language)
}

/// The stored report makes no sense.
pub(crate) fn unreadable(job: JobId, language: Option<Language>) -> Status {
    plain(&words::INTERNAL, about(job), ErrorDetails::new(), language)
}

/// The store did not do it. Told to the log here, once, with all its causes.
pub(crate) fn store(error: &StoreError, language: Option<Language>) -> Status {
    match error {
        StoreError::Unavailable { .. } | StoreError::NotWritable { .. } => {
            tracing::warn!(error = %chain(error), "a call found no store");
            plain(&words::STORE_UNAVAILABLE, HashMap::new(), retry_in(SOON), language)
        }
        StoreError::Corrupt { .. } => {
            tracing::error!(error = %chain(error), "a call met something impossible");
            plain(&words::INTERNAL, HashMap::new(), ErrorDetails::new(), language)
        }
    }
}

/// A job could not be submitted.
pub(crate) fn not_submitted(error: &SubmitError, language: Option<Language>) -> Status {
    match error {
        SubmitError::Store(error) => store(error, language),
        SubmitError::Seal(_) => {
            tracing::error!(error = %chain(error), "a job cannot be submitted");
            plain(&words::INTERNAL, HashMap::new(), ErrorDetails::new(), language)
        }
    }
}

fn about(job: JobId) -> HashMap<String, String> {
    HashMap::from([("job_id".to_owned(), job.to_string())])
}

fn retry_in(pause: Duration) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(pause));
    details
}

fn plain(
    wording: &Wording,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
    language: Option<Language>,
) -> Status {
    status(wording, wording.english.to_owned(), metadata, details, language)
}

fn status(
    wording: &Wording,
    message: String,
    metadata: HashMap<String, String>,
    mut details: ErrorDetails,
    language: Option<Language>,
) -> Status {
    let language = language.unwrap_or(Language::English);
    let text = match language {
        Language::English => wording.english,
        Language::Japanese => wording.japanese,
    };
    details.set_error_info(wording.reason, DOMAIN, metadata);
    details.set_localized_message(language.code(), text);
    Status::with_error_details(wording.code, message, details)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_bad_request_lists_its_fields_and_speaks_the_callers_language() {
        let mut violations = Violations::default();
        violations.add("address", "is required");
        violations.add("incoming", "is required");
        let status = invalid(&violations, Some(Language::Japanese));
        let details = status.get_error_details();
        let fields = details.bad_request().expect("it lists them").field_violations.len();
        assert_eq!((status.code(), fields), (Code::InvalidArgument, 2));
        let info = details.error_info().expect("every status has one");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_REQUEST", "mailfleet"));
        let local = details.localized_message().expect("every status has one");
        assert_eq!(
            (local.locale.as_str(), local.message.as_str()),
            ("ja", words::INVALID.japanese)
        );
    }

    #[test]
    fn whoever_is_refused_is_told_when_to_come_back() {
        let status = over_quota(Duration::from_secs(5), None);
        let details = status.get_error_details();
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(delay, Some(Duration::from_secs(5)));
        assert_eq!(status.code(), Code::ResourceExhausted);
    }

    #[test]
    fn only_a_store_that_may_come_back_is_worth_a_retry() {
        let source = || Box::new(std::io::Error::other("gone"));
        let away = StoreError::Unavailable { operation: "submit a job", source: source() };
        let full = StoreError::NotWritable { operation: "submit a job", source: source() };
        let odd = StoreError::Corrupt { operation: "submit a job", what: "a row".to_owned() };
        for (error, code) in
            [(away, Code::Unavailable), (full, Code::Unavailable), (odd, Code::Internal)]
        {
            let status = store(&error, None);
            let retries = status.get_error_details().retry_info().is_some();
            assert_eq!((status.code(), retries), (code, code == Code::Unavailable), "{error}");
            assert!(!status.message().contains("gone"), "inner words stay inside");
        }
    }
}
