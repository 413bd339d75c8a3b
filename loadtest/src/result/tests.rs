//! Results as tests need them, and what is judged about them.

use std::time::Duration;

use super::*;
use crate::scenario::{Counted, FaultKind, Scenario, Slo};
use crate::watch::Look;

fn load(servers: &str, rate: f64, millis: u64) -> LoadResult {
    let due = 1_000;
    LoadResult {
        servers: servers.to_owned(),
        due,
        answered: due,
        offered: rate,
        goodput: rate * if millis < 500 { 1.0 } else { 0.7 },
        accepted: (1..=due).map(|n| n * millis / 3).collect(),
        report: (1..=due).map(|n| n * millis).collect(),
        queue: (1..=due).map(|n| n * millis / 2).collect(),
        ..Default::default()
    }
}

fn phase(name: &str, step_of: Option<&str>, rate: f64, millis: u64) -> PhaseResult {
    PhaseResult {
        name: name.to_owned(),
        step_of: step_of.map(str::to_owned),
        began: 0.0,
        seconds: 10.0,
        all: load("", rate, millis),
        by_servers: vec![load("many", rate, millis)],
    }
}

/// A run in which everything was measured: a ramp with its knee at 40 a second, and a fault.
pub(crate) fn run() -> RunResult {
    let looks = (0..100).map(|at| Look {
        at: f64::from(at),
        memory: (100 << 20) + u64::try_from(at).unwrap_or_default() * (1 << 18),
        cpu: f64::from(at) / 2.0,
        files: Some(30),
    });
    RunResult {
        format: FORMAT,
        scenario: "ramp".to_owned(),
        title: "a <ramp> & more".to_owned(),
        about: "what it is about".to_owned(),
        seed: 1,
        began_us: 1_800_000_000_000_000,
        seconds: 100.0,
        environment: vec![("kernel".to_owned(), "Linux 6.1".to_owned())],
        calibration: Calibrated { capacity: 5_000.0, highest_rate: 80.0, lag: (1..100).collect() },
        lag: (1..1_000).collect(),
        void: Vec::new(),
        slos: vec![Judged {
            what: "accepted jobs without a report".to_owned(),
            wanted: "none".to_owned(),
            got: "0".to_owned(),
            is_met: true,
        }],
        counts: Counts {
            due: 4_000,
            answered: 4_000,
            asked: 4_000,
            sessions: 8_004,
            repeated_logins: 4,
            is_watched: true,
            is_pool_known: true,
            ..Default::default()
        },
        troubles: Vec::new(),
        phases: vec![
            phase("calm", None, 20.0, 100),
            phase("ramp 20/s", Some("ramp"), 20.0, 100),
            phase("ramp 40/s", Some("ramp"), 40.0, 200),
            phase("ramp 80/s", Some("ramp"), 80.0, 900),
        ],
        series: Series {
            width: 1.0,
            points: (0..100)
                .map(|at| Point {
                    at: f64::from(at),
                    due: 40.0,
                    answered: 39.0,
                    without: 0.0,
                    p50: Some(0.05),
                    p99: Some(0.2),
                    longest: Some(0.3),
                })
                .collect(),
            p99: Vec::new(),
        },
        faults: vec![FaultResult {
            what: "kill-worker".to_owned(),
            subject: "worker 2".to_owned(),
            at: 30.0,
            until: 40.0,
            takes_worker: true,
            served_again: 7,
            takeover: Some(4.25),
            longest_wait: Some(4.75),
        }],
        batches: Vec::new(),
        servers: vec![ServerResult {
            name: "imap:127.10.0.1".to_owned(),
            population: "many".to_owned(),
            limit: 10,
            sessions: 4_002,
            most: 10,
            surely: 9,
        }],
        sources: vec![SourceResult {
            address: "127.2.0.1".to_owned(),
            is_ours: Some(true),
            sessions: 8_004,
            most: 30,
        }],
        processes: vec![Watched { name: "gateway 1".to_owned(), looks: looks.collect() }],
        not_shown: vec!["Nothing is said about networks.".to_owned()],
    }
}

/// A scenario that wants only this.
fn with(slo: Slo) -> Scenario {
    let text = "title = \"t\"\n[[servers]]\nname = \"many\"\n[[phase]]\nname = \"calm\"\n\
                time = \"1s\"\n[[phase.load]]\nservers = \"many\"\nrate = 1\n";
    let scenario = Scenario::parse("t", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    Scenario { slos: vec![slo], ..scenario }
}

#[track_caller]
fn judged(slo: Slo) -> Judged {
    let all = judge(&with(slo), &run());
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().expect("one")
}

#[test]
fn the_knee_is_the_last_step_that_was_borne() {
    let run = run();
    let knee = |most| run.knee(0.99, Duration::from_millis(most)).map(|it| it.name.as_str());
    assert_eq!(knee(1_000), Some("ramp 40/s"), "above it goodput falls behind");
    assert_eq!(knee(150), Some("ramp 20/s"), "above it the latency is too high");
    assert_eq!(knee(50), None);
    let knee = |least| Slo::Knee { least, quantile: 0.99, most: Duration::from_secs(1) };
    assert!(judged(knee(40.0)).is_met);
    assert!(!judged(knee(41.0)).is_met);
}

#[test]
fn counts_latencies_and_waits_are_held_against_what_is_wanted() {
    assert!(judged(Slo::Count { what: Counted::Lost, most: 0 }).is_met);
    let parts = |most| judged(Slo::RepeatedLogins { most });
    assert!(parts(0.001).is_met && !parts(0.0009).is_met);
    let latency = |of, most| {
        judged(Slo::Latency {
            phase: Some("calm".to_owned()),
            servers: Some("many".to_owned()),
            of,
            quantile: 0.99,
            most: Duration::from_millis(most),
        })
    };
    assert!(latency(Of::Report, 100).is_met && !latency(Of::Report, 98).is_met);
    assert!(latency(Of::Queue, 50).is_met, "half of it was spent in the queue");
    let takeover = |most| {
        let what = FaultKind::KillWorker;
        judged(Slo::Takeover { what, most: Duration::from_millis(most) })
    };
    assert!(takeover(4_750).is_met && !takeover(4_700).is_met);
}

#[test]
fn isolation_is_a_ratio_of_the_same_servers_in_two_phases() {
    let ratio = |most| {
        judged(Slo::Isolation {
            phase: "ramp 40/s".to_owned(),
            against: "calm".to_owned(),
            servers: "many".to_owned(),
            quantile: 0.99,
            most,
        })
    };
    assert!(ratio(2.01).is_met, "{:?}", ratio(2.01));
    assert!(!ratio(1.99).is_met);
}

#[test]
fn growth_is_the_line_through_the_memory() {
    // A quarter of a MiB a second, a hundred seconds.
    let growth = |process: &str, mib: u64| {
        judged(Slo::Growth { process: process.to_owned(), most: mib << 20 })
    };
    assert!(growth("gateway", 26).is_met, "{:?}", growth("gateway", 26));
    assert!(!growth("gateway", 24).is_met);
    assert!(!growth("worker", 24).is_met, "who was not watched is not flat");
}

#[test]
fn what_was_not_measured_is_not_met() {
    let none = Slo::Latency {
        phase: Some("calm".to_owned()),
        servers: Some("few".to_owned()),
        of: Of::Report,
        quantile: 0.99,
        most: Duration::from_secs(9),
    };
    assert!(!judged(none).is_met);
    let foreign = Slo::Count { what: Counted::ForeignAddresses, most: 0 };
    assert!(judged(foreign.clone()).is_met);
    let mut given = run();
    given.counts.is_pool_known = false;
    let judged = judge(&with(foreign), &given);
    assert!(judged.iter().all(|it| !it.is_met && it.got.contains("not known")), "{judged:?}");
}

#[test]
fn a_result_is_read_as_it_was_written() {
    let text = serde_json::to_string(&run()).expect("it can be written");
    assert_eq!(serde_json::from_str::<RunResult>(&text).expect("it can be read"), run());
}
