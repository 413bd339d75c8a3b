//! What operators get in `deploy/observe`: alerts, runbook and dashboard fit each other and what
//! the processes tell.

use std::collections::BTreeSet;

use mailfleet_telemetry::metrics::{ALL, Kind};
use serde_json::Value;

const ALERTS: &str = include_str!("../../../../deploy/observe/alerts.yml");
const TESTS: &str = include_str!("../../../../deploy/observe/alerts.test.yml");
const RUNBOOK: &str = include_str!("../../../../deploy/observe/RUNBOOK.md");
const DASHBOARD: &str = include_str!("../../../../deploy/observe/dashboard.json");

/// How names of metrics of ours begin.
const OURS: [&str; 4] = ["mailfleet_", "messaging_", "rpc_", "db_"];

/// Labels, which look like metrics.
const LABELS: [&str; 19] = [
    "db_client_connection_pool_name",
    "db_client_connection_state",
    "mailfleet_batch_item_state",
    "mailfleet_event",
    "mailfleet_fault_code",
    "mailfleet_held_by",
    "mailfleet_job_class",
    "mailfleet_job_state",
    "mailfleet_operation",
    "mailfleet_outcome",
    "mailfleet_protocol",
    "mailfleet_provider",
    "mailfleet_reason",
    "mailfleet_step",
    "mailfleet_verdict",
    "messaging_destination_template",
    "messaging_system",
    "rpc_method",
    "rpc_response_status_code",
];

/// Every alert, in its order.
fn alerts() -> Vec<&'static str> {
    let lines = ALERTS.lines().map(str::trim_start);
    lines.filter_map(|line| line.strip_prefix("- alert: ")).collect()
}

/// The series that processes may tell.
fn series() -> BTreeSet<String> {
    let of = |spec: &mailfleet_telemetry::metrics::Spec| {
        let name = spec.prometheus_name();
        match spec.kind {
            Kind::Histogram => {
                ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")).to_vec()
            }
            Kind::Counter | Kind::UpDownCounter | Kind::Gauge => vec![name],
        }
    };
    ALL.iter().flat_map(of).collect()
}

/// Words of an expression that may be metrics of ours.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| OURS.iter().any(|start| word.starts_with(start)));
    ours.filter(|word| !LABELS.contains(word)).map(ToOwned::to_owned).collect()
}

#[track_caller]
fn known(what: &str, text: &str) {
    let unknown: Vec<String> = words(text).difference(&series()).cloned().collect();
    assert!(unknown.is_empty(), "{what} names what nobody tells: {unknown:?}");
}

#[test]
fn rules_and_dashboard_name_only_what_processes_tell() {
    let expressions: String = ALERTS.lines().filter(|line| !line.contains("runbook:")).collect();
    known("alerts.yml", &expressions.replace("summary:", "\n"));
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut shown = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            known(panel["title"].as_str().unwrap_or_default(), expression);
            shown.extend(words(expression));
        }
    }
    // And the other way round: what is told is shown.
    for spec in ALL {
        let name = spec.prometheus_name();
        let is_shown = shown.iter().any(|word| word.starts_with(&name));
        assert!(is_shown, "no panel shows {}", spec.name);
    }
}

#[test]
fn every_alert_has_a_runbook_entry_and_a_test_that_makes_it_fire() {
    let alerts = alerts();
    assert!(20 <= alerts.len(), "{alerts:?}");
    for alert in &alerts {
        assert!(RUNBOOK.contains(&format!("\n## {alert}\n")), "no entry for {alert}");
        let anchor = format!("runbook: RUNBOOK.md#{}", alert.to_lowercase());
        assert!(ALERTS.contains(&anchor), "{alert} does not name its entry");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(TESTS.contains(&fires), "no test makes {alert} fire");
    }
    let entries = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
    let left: Vec<&str> = entries.filter(|entry| !alerts.contains(entry)).collect();
    assert!(left.is_empty(), "entries without an alert: {left:?}");
}

#[test]
fn labels_that_are_excused_are_no_metrics() {
    let series = series();
    assert!(LABELS.iter().all(|label| !series.contains(*label)));
}
