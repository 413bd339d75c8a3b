//! From TOML to a scenario: every key there is, and what must fit together.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Table;

use super::read::{Bytes, Reader, Share, Wrong};
use super::{
    Arrivals, Batch, Calibration, Counted, Fault, FaultKind, FleetSize, Given, Load, Manner, Of,
    Phase, Population, Scenario, Slo, Wait,
};

/// Pairs of one population: as many as a /16 of addresses has room for.
const MOST_PAIRS: u32 = 60_000;

impl Scenario {
    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Vec<String>> {
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| vec![error.to_string()])?;
        let wrong = Wrong::default();
        let mut reader = Reader::new(&wrong, "", table);
        let scenario = read(name, &mut reader);
        drop(reader);
        check(&scenario, &wrong);
        let wrong = wrong.into_inner();
        if wrong.is_empty() { Ok(scenario) } else { Err(wrong) }
    }
}

fn read(name: &str, reader: &mut Reader<'_>) -> Scenario {
    let title = reader.required("title", String::new());
    let about = reader.or("about", String::new());
    let seed = reader.or("seed", 1);
    let not_shown = reader.or("not_shown", Vec::new());
    let calibration = calibration(&mut reader.table("calibration"));
    let fleet = fleet(&mut reader.table("fleet"));
    let servers: Vec<Population> = reader.tables("servers").iter_mut().map(population).collect();
    if servers.is_empty() {
        reader.note("servers", "at least one is needed");
    }
    let mut phases = Vec::new();
    let mut rows = reader.tables("phase");
    for row in &mut rows {
        phase(row, &servers, &mut phases);
    }
    if rows.is_empty() {
        reader.note("phase", "at least one is needed");
    }
    let slos = slos(&mut reader.table("slo"));
    let name = name.to_owned();
    Scenario { name, title, about, seed, not_shown, calibration, fleet, servers, phases, slos }
}

fn calibration(reader: &mut Reader<'_>) -> Calibration {
    Calibration {
        capacity: reader.or("capacity", 3.0),
        lag: reader.or("lag", Duration::from_millis(5)),
        lag_under_load: reader.or("lag_under_load", Duration::from_millis(100)),
    }
}

fn fleet(reader: &mut Reader<'_>) -> FleetSize {
    let mut number = |key: &str, default: u32, from: u32, to: u32| {
        let number = reader.or(key, default);
        if !(from..=to).contains(&number) {
            reader.note(key, &format!("is not from {from} to {to}"));
        }
        number
    };
    FleetSize {
        gateways: number("gateways", 2, 1, 20),
        workers: number("workers", 3, 1, 50),
        shards: number("shards", 16, 1, 1024),
        limit: number("limit", 10, 1, 10_000),
        sources: number("sources", 4, 1, 200),
        slots: number("slots", 2_000, 1, 100_000),
        otlp: reader.optional("otlp"),
        sampling: reader.or("sampling", Share(1.0)).0,
    }
}

fn population(reader: &mut Reader<'_>) -> Population {
    let given = reader.has("imap").then(|| Given {
        imap: reader.required("imap", String::new()),
        smtp: reader.required("smtp", String::new()),
        user: reader.required("user", String::new()),
        password_env: reader.required("password_env", String::new()),
    });
    let pairs = reader.or("pairs", 1);
    if !(1..=MOST_PAIRS).contains(&pairs) {
        reader.note("pairs", &format!("is not from 1 to {MOST_PAIRS}"));
    }
    let limit = reader.optional("limit");
    if limit == Some(0) {
        reader.note("limit", "is not from 1");
    }
    let budget = reader.or("budget", Duration::from_secs(60));
    if !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&budget) {
        reader.note("budget", "is not from 1s to 300s");
    }
    Population {
        name: reader.required("name", String::new()),
        pairs,
        limit,
        login: reader.or("login", Duration::ZERO),
        manner: reader.word(
            "manner",
            &[(Manner::Prompt, "prompt"), (Manner::BlackHole, "black-hole")],
            Manner::Prompt,
        ),
        zipf: reader.or("zipf", 0.0),
        wrong: reader.or("wrong", Share(0.0)).0,
        budget,
        given,
    }
}

/// The place of a population by its name.
fn named(reader: &mut Reader<'_>, servers: &[Population]) -> usize {
    let name = reader.required("servers", String::new());
    let found = servers.iter().position(|population| population.name == name);
    if found.is_none() && !name.is_empty() {
        reader.note("servers", &format!("no [[servers]] has the name {name:?}"));
    }
    found.unwrap_or_default()
}

fn phase(reader: &mut Reader<'_>, servers: &[Population], phases: &mut Vec<Phase>) {
    let name = reader.required("name", String::new());
    let time = reader.required("time", Duration::from_secs(1));
    if time.is_zero() {
        reader.note("time", "is nothing");
    }
    let steps: Vec<f64> = reader.or("steps", Vec::new());
    let mut loads: Vec<Load> = Vec::new();
    for row in &mut reader.tables("load") {
        let rate = if steps.is_empty() { row.required("rate", 1.0) } else { 0.0 };
        if steps.is_empty() && !(0.001..=100_000.0).contains(&rate) {
            row.note("rate", "is not from 0.001 to 100000 a second");
        }
        let servers = named(row, servers);
        let words = [(Arrivals::Poisson, "poisson"), (Arrivals::Fixed, "fixed")];
        loads.push(Load { servers, rate, arrivals: row.word("arrivals", &words, words[0].0) });
    }
    let mut batch = |row: &mut Reader<'_>| Batch {
        servers: named(row, servers),
        items: row.required("items", 1),
        wait: row.word(
            "wait",
            &[(Wait::No, "no"), (Wait::Upload, "upload"), (Wait::End, "end")],
            Wait::No,
        ),
    };
    let batches: Vec<Batch> = reader.tables("batch").iter_mut().map(&mut batch).collect();
    let fault = |row: &mut Reader<'_>| {
        let what = row.word(
            "what",
            &FaultKind::ALL.map(|(kind, name)| (kind, name)),
            FaultKind::KillWorker,
        );
        let at = row.or("at", Duration::ZERO);
        if time <= at {
            row.note("at", "is after the end of the phase");
        }
        Fault { at, what, lasts: row.or("lasts", Duration::from_secs(10)) }
    };
    let faults: Vec<Fault> = reader.tables("fault").iter_mut().map(fault).collect();
    if loads.is_empty() && batches.is_empty() {
        reader.note("load", "a phase needs a load or a batch");
    }
    if steps.is_empty() {
        phases.push(Phase { name, step_of: None, time, loads, batches, faults });
        return;
    }
    if !batches.is_empty() || !faults.is_empty() || loads.len() != 1 {
        reader.note("steps", "need exactly one load, no batch and no fault");
    }
    for rate in steps {
        let loads = loads.iter().map(|load| Load { rate, ..load.clone() }).collect();
        phases.push(Phase {
            name: format!("{name} {rate}/s"),
            step_of: Some(name.clone()),
            time,
            loads,
            batches: Vec::new(),
            faults: Vec::new(),
        });
    }
}

fn slos(reader: &mut Reader<'_>) -> Vec<Slo> {
    let mut slos = Vec::new();
    for (what, key, _) in Counted::ALL {
        slos.extend(reader.optional(key).map(|most| Slo::Count { what, most }));
    }
    let repeated: Option<Share> = reader.optional("repeated_logins");
    slos.extend(repeated.map(|share| Slo::RepeatedLogins { most: share.0 }));
    slos.extend(reader.optional("batch_rate").map(|least| Slo::BatchRate { least }));
    let mut takeover = reader.table("takeover");
    for (what, name) in FaultKind::ALL.into_iter().filter(|(what, _)| what.takes_worker()) {
        slos.extend(takeover.optional(name).map(|most| Slo::Takeover { what, most }));
    }
    drop(takeover);
    if reader.has("knee") {
        let mut row = reader.table("knee");
        slos.push(Slo::Knee {
            least: row.required("least", 0.0),
            quantile: quantile(&mut row),
            most: row.or("latency", Duration::from_secs(1)),
        });
    }
    for row in &mut reader.tables("latency") {
        slos.push(Slo::Latency {
            phase: row.optional("phase"),
            servers: row.optional("servers"),
            of: row.word("of", &Of::ALL, Of::Report),
            quantile: quantile(row),
            most: row.required("most", Duration::ZERO),
        });
    }
    for row in &mut reader.tables("isolation") {
        slos.push(Slo::Isolation {
            phase: row.required("phase", String::new()),
            against: row.required("against", String::new()),
            servers: row.required("servers", String::new()),
            quantile: quantile(row),
            most: row.required("most", 1.0),
        });
    }
    for row in &mut reader.tables("growth") {
        slos.push(Slo::Growth {
            process: row.required("process", String::new()),
            most: row.required("most", Bytes(0)).0,
        });
    }
    slos
}

fn quantile(reader: &mut Reader<'_>) -> f64 {
    let quantile = reader.or("quantile", 0.99);
    if !(0.0..=1.0).contains(&quantile) {
        reader.note("quantile", "is not from 0 to 1");
    }
    quantile
}

/// What can be seen only in the whole.
fn check(scenario: &Scenario, wrong: &Wrong) {
    let note = |text: String| wrong.borrow_mut().push(text);
    let mut names = BTreeSet::new();
    for population in &scenario.servers {
        if !names.insert(&population.name) {
            note(format!("servers: two have the name {:?}", population.name));
        }
    }
    let mut phases = BTreeSet::new();
    for phase in &scenario.phases {
        if !phases.insert(&phase.name) {
            note(format!("phase: two have the name {:?}", phase.name));
        }
    }
    let known_phase = |name: &String| {
        let is_known = phases.contains(name)
            || scenario.phases.iter().any(|phase| phase.step_of.as_ref() == Some(name));
        if !is_known && !name.is_empty() {
            note(format!("slo: there is no phase {name:?}"));
        }
    };
    let known_servers = |name: &String| {
        if !names.contains(name) && !name.is_empty() {
            note(format!("slo: no [[servers]] has the name {name:?}"));
        }
    };
    for slo in &scenario.slos {
        match slo {
            Slo::Latency { phase, servers, .. } => {
                phase.iter().for_each(known_phase);
                servers.iter().for_each(known_servers);
            }
            Slo::Isolation { phase, against, servers, .. } => {
                known_phase(phase);
                known_phase(against);
                known_servers(servers);
            }
            Slo::Knee { .. } if scenario.phases.iter().all(|phase| phase.step_of.is_none()) => {
                note("slo.knee: no phase has steps".to_owned());
            }
            Slo::Takeover { what, .. } if !scenario.does(|kind| kind == *what) => {
                note(format!("slo.takeover: no phase has the fault {}", what.name()));
            }
            Slo::Knee { .. }
            | Slo::Takeover { .. }
            | Slo::Count { .. }
            | Slo::RepeatedLogins { .. }
            | Slo::Growth { .. }
            | Slo::BatchRate { .. } => {}
        }
    }
}
