//! Canonical protobuf-JSON, as `--json` prints it: one document, one line.
//!
//! Field names in lowerCamelCase, durations as `"0.123s"`, empty fields left out. Only
//! messages that can hold no secret are [`Document`]s, so a request cannot be printed here.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::{FILE_DESCRIPTOR_SET, v1};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script wrote a descriptor set")
});

/// A message that may be printed.
pub trait Document: prost::Message {
    /// Full name in the proto files.
    const NAME: &'static str;
}

impl Document for v1::Report {
    const NAME: &'static str = "mailfleet.v1.Report";
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

/// Writes the message as canonical protobuf-JSON on one line, without the line's end.
#[must_use]
pub fn to_json<M: Document>(message: &M) -> String {
    serde_json::to_string(&reflect(message)).expect(PRINTS)
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
    fn hostile_dates_still_print() {
        let mut report = fixtures::report();
        report.started = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::MAX >> 2);
        assert!(to_json(&v1::Report::from(&report)).contains("9999-12-31T23:59:59Z"));
    }
}
