//! Reports survive the wire, whatever they hold, and reports of a later version can be read.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use mailfleet_model::evidence::AddressAttempt;
use mailfleet_model::fault::Retry;
use mailfleet_model::leg::{Arrival, FolderRole};
use mailfleet_model::{
    Actor, Confidence, Evidence, Fact, FactKind, Fault, FaultCode, Leg, LegReport, Phase, Severity,
    Step, StepKind, StepOutcome, TraceId,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strum::IntoEnumIterator;

use super::*;
use crate::fixtures;

fn any_of<T: IntoEnumIterator + Clone + std::fmt::Debug + 'static>() -> impl Strategy<Value = T> {
    prop::sample::select(T::iter().collect::<Vec<T>>())
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("\\PC{1,40}")
}

/// In microseconds, since finer parts do not travel.
fn span() -> impl Strategy<Value = Duration> {
    (0..u64::from(u32::MAX)).prop_map(Duration::from_micros)
}

fn retry() -> impl Strategy<Value = Retry> {
    prop_oneof![
        Just(Retry::Never),
        Just(Retry::AfterFix),
        span().prop_map(Retry::ServerHint),
        (span(), span()).prop_map(|(min, more)| Retry::Backoff { min, max: min + more }),
    ]
}

fn attempt() -> impl Strategy<Value = AddressAttempt> {
    (any::<SocketAddr>(), "[a-z ]{0,20}", span()).prop_map(|(address, outcome, elapsed)| {
        // Flow and scope are no part of an address that was tried.
        let address = SocketAddr::new(address.ip(), address.port());
        AddressAttempt { address, outcome, elapsed }
    })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let fact = (any_of::<FactKind>(), "\\PC{0,20}").prop_map(|(kind, value)| Fact { kind, value });
    let texts = (text(), text(), text(), text(), text());
    let numbers = (option::of(any::<u16>()), option::of(any::<u8>()));
    (texts, numbers, vec(attempt(), 0..3), vec(fact, 0..3)).prop_map(
        |(
            (server_text, response_code, enhanced_code, command, mechanism),
            numbers,
            tried,
            facts,
        )| {
            Evidence {
                server_text,
                response_code,
                smtp_code: numbers.0,
                enhanced_code,
                command,
                mechanism,
                tls_alert: numbers.1,
                attempts: tried,
                facts,
            }
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    let what = (any_of::<FaultCode>(), any_of::<Leg>(), any_of::<Phase>());
    let how = (any_of::<Severity>(), any_of::<Confidence>(), any_of::<Actor>(), retry());
    (what, how, vec(any_of::<FaultCode>(), 0..4), evidence()).prop_map(
        |((code, leg, phase), (severity, confidence, actor, retry), alternatives, evidence)| {
            Fault { code, leg, phase, severity, confidence, actor, retry, alternatives, evidence }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let what = (any_of::<StepKind>(), any_of::<StepOutcome>(), option::of(any_of::<FaultCode>()));
    (what, span(), span(), text()).prop_map(|((kind, outcome, fault), started, elapsed, detail)| {
        Step { kind, outcome, started, elapsed, fault, detail }
    })
}

fn leg() -> impl Strategy<Value = LegReport> {
    let addresses = (option::of(any::<IpAddr>()), option::of(any::<IpAddr>()));
    (any_of::<Leg>(), addresses, vec(step(), 0..5), span()).prop_map(
        |(leg, (egress_ip, remote_ip), steps, elapsed)| LegReport {
            leg,
            egress_ip,
            remote_ip,
            steps,
            elapsed,
            ..fixtures::report().legs.remove(0)
        },
    )
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let found = option::of(("\\PC{0,20}", any_of::<FolderRole>()));
    (found, option::of(span()), option::of(any::<bool>()))
        .prop_map(|(found, after, sent_copy)| Arrival { found, after, sent_copy })
}

fn report() -> impl Strategy<Value = Report> {
    let outcome = (any_of::<Verdict>(), any_of::<SentCopy>(), option::of(arrival()));
    let lists = (vec(fault(), 0..4), vec(leg(), 0..3), vec(any::<IpAddr>(), 0..3));
    let trace = option::of((1..=u128::MAX).prop_map(|id| TraceId(id.to_be_bytes())));
    (outcome, lists, trace, span(), span()).prop_map(
        |((verdict, sent_copy, arrival), (faults, legs, addresses), trace_id, began, elapsed)| {
            Report {
                verdict,
                faults,
                legs,
                sent_copy,
                arrival,
                egress_addresses: addresses,
                started: UNIX_EPOCH + began,
                elapsed,
                trace_id,
                ..fixtures::report()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_survives_the_way_there_and_back(report in report()) {
        let wire = v1::Report::from(&report);
        let bytes = prost::Message::encode_to_vec(&wire);
        let decoded = <v1::Report as prost::Message>::decode(bytes.as_slice());
        let back = Report::try_from(decoded.expect("it reads back what it wrote"));
        // Reports compare by what they print: they have no equality of their own.
        prop_assert_eq!(format!("{:?}", back.expect("it is a report")), format!("{report:?}"));
    }
}

#[test]
fn values_of_a_later_version_are_shown_as_what_promises_least() {
    let mut wire = v1::Report::from(&fixtures::report());
    wire.verdict = 99;
    wire.faults[0].code = 9_999;
    wire.faults[0].confidence = 99;
    wire.legs[0].steps[0].kind = 99;
    wire.legs.push(v1::LegReport {
        endpoint: Some(v1::Endpoint { protocol: 99, ..Default::default() }),
        ..wire.legs[0].clone()
    });
    wire.suggested_settings[0].reason = 99;
    let report = Report::try_from(wire).expect("it is still a report");
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(report.faults[0].code, FaultCode::Unknown);
    assert_eq!(report.faults[0].confidence, Confidence::Ambiguous);
    assert_eq!((report.legs.len(), report.legs[0].steps.len()), (1, 2));
    assert!(report.suggestions.is_empty());
}

#[test]
fn what_is_no_report_is_refused_with_the_field() {
    let error = Report::try_from(v1::Report::default()).expect_err("nothing is set");
    assert_eq!(error, Error { field: "job_id" });
    let wire = v1::Report { start_time: None, ..v1::Report::from(&fixtures::report()) };
    assert_eq!(Report::try_from(wire).expect_err("no time"), Error { field: "start_time" });
}
