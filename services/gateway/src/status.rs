//! Errors to gRPC statuses: the only place that knows how.
//!
//! Each status carries `ErrorInfo` with a stable reason and `LocalizedMessage`, as AIP-193
//! asks for. A status never holds a value of the request, only names of its fields.

use std::collections::HashMap;
use std::time::Duration;

use mailfleet_model::{JobId, Violations};
use mailfleet_remedy::Language;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

const DOMAIN: &str = "mailfleet";

/// What is said about an error, apart from its details.
struct Wording {
    code: Code,
    /// Stable, for programs.
    reason: &'static str,
    english: &'static str,
    japanese: &'static str,
}

const INVALID: Wording = Wording {
    code: Code::InvalidArgument,
    reason: "INVALID_REQUEST",
    english: "Some fields of the request are wrong.",
    japanese: "リクエストの一部の項目が正しくありません。",
};

const OVERLOADED: Wording = Wording {
    code: Code::ResourceExhausted,
    reason: "TOO_MANY_VALIDATIONS",
    english: "Too many validations are running and waiting. Please try again in a moment.",
    japanese: "実行中および待機中の検証が多すぎます。しばらくしてからもう一度お試しください。",
};

const DRAINING: Wording = Wording {
    code: Code::Unavailable,
    reason: "SHUTTING_DOWN",
    english: "The service is shutting down. Nothing was done; please call again.",
    japanese: "サービスを終了しています。検証は行われていません。もう一度呼び出してください。",
};

const GIVEN_UP: Wording = Wording {
    code: Code::Unavailable,
    reason: "GIVEN_UP_AT_SHUTDOWN",
    english: "The service is shutting down and gave the running validation up.",
    japanese: "サービスの終了に伴い、実行中の検証を中止しました。",
};

const INTERNAL: Wording = Wording {
    code: Code::Internal,
    reason: "INTERNAL",
    english: "The validation ended without a report. This is a fault of the service.",
    japanese: "検証が結果を出さずに終了しました。サービス側の不具合です。",
};

/// Fields are wrong; all of them are listed.
pub(crate) fn invalid(violations: &Violations, language: Option<Language>) -> Status {
    let mut details = ErrorDetails::new();
    let fields = violations.as_slice().iter();
    let fields: Vec<FieldViolation> =
        fields.map(|v| FieldViolation::new(v.field.as_str(), v.description.as_str())).collect();
    details.set_bad_request(fields);
    let message = format!("wrong fields: {violations}");
    status(&INVALID, message, HashMap::new(), details, language)
}

/// No place is free.
pub(crate) fn overloaded(retry_after: Duration, language: Option<Language>) -> Status {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(retry_after));
    plain(&OVERLOADED, HashMap::new(), details, language)
}

/// The service takes no more requests.
pub(crate) fn draining(language: Option<Language>) -> Status {
    plain(&DRAINING, HashMap::new(), ErrorDetails::new(), language)
}

/// A running validation was cancelled by the end of the service.
pub(crate) fn given_up(job: JobId, language: Option<Language>) -> Status {
    plain(&GIVEN_UP, about(job), ErrorDetails::new(), language)
}

/// A validation ended in a way that it never should.
pub(crate) fn internal(job: JobId, language: Option<Language>) -> Status {
    plain(&INTERNAL, about(job), ErrorDetails::new(), language)
}

fn about(job: JobId) -> HashMap<String, String> {
    HashMap::from([("job_id".to_owned(), job.to_string())])
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
        assert_eq!((local.locale.as_str(), local.message.as_str()), ("ja", INVALID.japanese));
    }

    #[test]
    fn an_overloaded_service_says_when_to_come_back() {
        let status = overloaded(Duration::from_secs(5), None);
        let details = status.get_error_details();
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(delay, Some(Duration::from_secs(5)));
        assert_eq!(status.code(), Code::ResourceExhausted);
    }
}
