//! Canonical protobuf-JSON, as `--json` prints it: one document, one line.
//!
//! Field names in lowerCamelCase, durations as `"0.123s"`, empty fields left out but for
//! the lists that scripts loop over. Only messages that can hold no secret are [`Document`]s, so a request cannot be printed here.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _};

use crate::{FILE_DESCRIPTOR_SET, v1};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script wrote a descriptor set")
});

/// A message that may be printed.
pub trait Document: prost::Message {
    /// Full name in the proto files.
    const NAME: &'static str;
    /// Lists that are printed also when they are empty, by their JSON names.
    const LISTS: &'static [&'static str] = &[];
}

impl Document for v1::Report {
    const NAME: &'static str = "mailfleet.v1.Report";
    const LISTS: &'static [&'static str] = &["faults", "legs", "suggestedSettings"];
}

impl Document for v1::ValidateResponse {
    const NAME: &'static str = "mailfleet.v1.ValidateResponse";
}

impl Document for v1::Job {
    const NAME: &'static str = "mailfleet.v1.Job";
}

impl Document for v1::ExplainJobResponse {
    const NAME: &'static str = "mailfleet.v1.ExplainJobResponse";
}

impl Document for v1::Batch {
    const NAME: &'static str = "mailfleet.v1.Batch";
}

impl Document for v1::BatchItemResult {
    const NAME: &'static str = "mailfleet.v1.BatchItemResult";
}

impl Document for v1::BatchCause {
    const NAME: &'static str = "mailfleet.v1.BatchCause";
}

impl Document for crate::events::v1::Event {
    const NAME: &'static str = "mailfleet.events.v1.Event";
}

impl Document for v1::Worker {
    const NAME: &'static str = "mailfleet.v1.Worker";
}

impl Document for v1::ListShardsResponse {
    const NAME: &'static str = "mailfleet.v1.ListShardsResponse";
}

impl Document for v1::GetFleetSummaryResponse {
    const NAME: &'static str = "mailfleet.v1.GetFleetSummaryResponse";
    const LISTS: &'static [&'static str] = &["ended", "causes", "workers", "groups"];
}

impl Document for v1::LimitGroup {
    const NAME: &'static str = "mailfleet.v1.LimitGroup";
}

/// Writes the message as canonical protobuf-JSON on one line, without the line's end.
#[must_use]
pub fn to_json<M: Document>(message: &M) -> String {
    let message = reflect(message);
    let mut text = serde_json::to_string(&message).expect(PRINTS);
    for name in M::LISTS {
        let field = message.descriptor().get_field_by_json_name(name);
        let is_missing = field.is_some_and(|field| !message.has_field(&field));
        if is_missing && text.ends_with('}') {
            text.pop();
            let comma = if text.ends_with('{') { "" } else { "," };
            text.push_str(&format!("{comma}\"{name}\":[]}}"));
        }
    }
    text
}

const PRINTS: &str = "times are within protobuf's range, and keys are texts";

fn reflect<M: Document>(message: &M) -> DynamicMessage {
    let descriptor = POOL.get_message_by_name(M::NAME).expect("documents stand in the proto files");
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .expect("a message reads back what it wrote")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_report_prints_as_published() {
        let report = v1::Report::from(&fixtures::report());
        assert!(!to_json(&report).contains('\n'));
        insta::assert_snapshot!(serde_json::to_string_pretty(&reflect(&report)).expect(PRINTS));
    }

    #[test]
    fn the_names_of_the_command_line_contract_are_there() {
        let line = to_json(&v1::Report::from(&fixtures::report()));
        for part in [
            r#""verdict":"FAULTY""#,
            r#""code":"TLS_CERT_EXPIRED""#,
            r#""kind":"LOGIN""#,
            r#""elapsed":"0.123s""#,
            r#""elapsed":"0s""#,
            r#""sentCopy":"UNKNOWN""#,
            r#""retryDelay":"900s""#,
            r#""egressIp":"203.0.113.5""#,
            r#""verified":false"#,
            r#""serverSoftware":"#,
            r#""suggestedSettings":"#,
            r#""traceId":"#,
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn lists_to_loop_over_are_there_even_if_they_are_empty() {
        let text = to_json(&v1::Report::default());
        assert_eq!(text, r#"{"faults":[],"legs":[],"suggestedSettings":[]}"#);
        let mut report = v1::Report::from(&fixtures::report());
        report.faults.clear();
        let read: serde_json::Value = serde_json::from_str(&to_json(&report)).expect("JSON");
        assert_eq!(read["faults"], serde_json::json!([]));
        assert_eq!(read["legs"].as_array().map(Vec::len), Some(report.legs.len()));
    }

    #[test]
    fn hostile_dates_still_print() {
        let mut report = fixtures::report();
        report.started = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::MAX >> 2);
        assert!(to_json(&v1::Report::from(&report)).contains("9999-12-31T23:59:59Z"));
    }
}
