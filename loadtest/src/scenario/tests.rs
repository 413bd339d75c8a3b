//! Scenarios as people write them, right and wrong.

use std::path::Path;
use std::time::Duration;

use super::{Arrivals, FaultKind, Scenario, Slo};

const SMALL: &str = r#"
title = "small"
[[servers]]
name = "many"
pairs = 8
login = "20ms"
wrong = "10%"
[[phase]]
name = "ramp"
time = "5s"
steps = [10, 20.5]
[[phase.load]]
servers = "many"
arrivals = "fixed"
[[phase]]
name = "faults"
time = "1m"
[[phase.load]]
servers = "many"
rate = 4
[[phase.fault]]
at = "10s"
what = "freeze-worker"
lasts = "20s"
[slo]
lost = 0
takeover = { freeze-worker = "10s" }
repeated_logins = "0.1%"
knee = { least = 15 }
[[slo.latency]]
phase = "ramp"
most = "1s"
"#;

#[test]
fn a_scenario_is_read_with_its_steps_as_phases() {
    let scenario = Scenario::parse("small", SMALL).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let names: Vec<&str> = scenario.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["ramp 10/s", "ramp 20.5/s", "faults"]);
    assert_eq!(scenario.time(), Duration::from_secs(70));
    assert_eq!(scenario.highest_rate(), 20.5);
    assert_eq!(scenario.phases[0].loads[0].arrivals, Arrivals::Fixed);
    assert_eq!(scenario.phases[2].faults[0].what, FaultKind::FreezeWorker);
    assert!((scenario.servers[0].wrong - 0.1).abs() < 1e-9);
    assert!(
        scenario.slos.contains(&Slo::Takeover {
            what: FaultKind::FreezeWorker,
            most: Duration::from_secs(10)
        })
    );
}

#[track_caller]
fn wrong(text: &str) -> String {
    Scenario::parse("wrong", text).expect_err("it is wrong").join("\n")
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let told = wrong(
        r#"
titel = "a slip"
[fleet]
workers = 0
[[servers]]
name = "many"
login = 20
[[phase]]
name = "one"
time = "5"
[[phase.load]]
servers = "few"
rate = -1
[[phase.fault]]
what = "sell-worker"
[slo]
lost = "none"
[[slo.latency]]
phase = "two"
most = "1s"
"#,
    );
    for part in [
        "titel: unknown key",
        "title: is missing",
        "fleet.workers: is not from 1 to 50",
        "servers[1].login: is not a span of time",
        "phase[1].time: \"5\" is not a span of time",
        "phase[1].load[1].servers: no [[servers]] has the name \"few\"",
        "phase[1].load[1].rate: is not a number from 0",
        "phase[1].fault[1].what: \"sell-worker\" is not one of kill-worker,",
        "slo.lost: is not a whole number",
        "slo: there is no phase \"two\"",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let calm = SMALL
        .replace("[[phase.fault]]\nat = \"10s\"\nwhat = \"freeze-worker\"\nlasts = \"20s\"\n", "");
    assert!(wrong(&calm).contains("no phase has the fault freeze-worker"));
    let flat = SMALL.replace("steps = [10, 20.5]", "").replace("arrivals = \"fixed\"", "rate = 3");
    assert!(wrong(&flat).contains("slo.knee: no phase has steps"));
}

#[test]
fn every_scenario_of_the_folder_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        Scenario::read(&path).unwrap_or_else(|error| panic!("{error:#}"));
        count += 1;
    }
    assert!(count >= 7, "only {count} scenarios");
}
