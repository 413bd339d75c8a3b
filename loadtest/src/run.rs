//! `run`: a scenario from its file to its page.
//!
//! Calibrates, starts what is to be started, goes through the phases, ends everything, lets the
//! judge read the histories, and writes the result. What has gone wrong in here is our own
//! failure; what has gone wrong in the fleet is a result.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::sync::{Mutex, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::batches::{self, BatchOutcome, Plan};
use crate::calibrate::{Calibrated, calibrate};
use crate::caller::Gateways;
use crate::environment;
use crate::faults::{Done, Hands, settled};
use crate::fleet::{Fleet, Given, sources};
use crate::generate::{Generator, Requests, Sample, now_us};
use crate::history::{self, Facts, Judgement, Session};
use crate::latency::Latencies;
use crate::mail::Mail;
use crate::progress::Progress;
use crate::result::{FORMAT, Gathered, PhaseResult, RunResult, gather, judge};
use crate::scenario::{Manner, Scenario, Wait};
use crate::schedule::schedule;
use crate::usage;
use crate::watch::{Watch, Watched};

/// Longest wait until every shard has an owner.
const SETTLING: Duration = Duration::from_secs(60);
/// A busy mail server notices the end of a session so much later at most.
const CLOSING: Duration = Duration::from_millis(150);
/// The latency by which a step of a ramp is said to be borne.
const SECOND: Duration = Duration::from_secs(1);
/// Tries to calibrate: another program may have been busy for a moment.
const CALIBRATIONS: usize = 3;

/// How to run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The scenario: a file such as loadtest/scenarios/ramp.toml.
    #[arg(value_name = "SCENARIO.toml")]
    scenario: PathBuf,
    /// Where the result goes: result.json, page.html, and logs of the fleet. A folder named after the scenario and
    /// the time if not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Runs it so often, each into a folder of its own below DIR; `compare` needs at least four.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// The mailfleet program of a local fleet; the one beside this program if not given.
    #[arg(long, value_name = "PATH", conflicts_with = "gateway")]
    mailfleet: Option<PathBuf>,
    /// Drive this fleet instead of starting one; may be repeated. Its token: MAILFLEET_TOKEN.
    ///
    /// The scenario then cannot do anything to the fleet. Simulated mail servers still run on
    /// this machine, so the fleet must run here too, or the scenario must name its servers.
    #[arg(long, value_name = "URL")]
    gateway: Vec<String>,
    /// Run although the generator is too slow or too late, on a busy machine perhaps. The result
    /// is void and says so; the exit status is 3.
    #[arg(long)]
    anyway: bool,
    /// A process whose memory and CPU time are told, as NAME=PID; may be repeated.
    #[arg(long, value_name = "NAME=PID", value_parser = crate::bench::process)]
    process: Vec<(String, u32)>,
    #[command(flatten)]
    given: Given,
}

/// Reads the scenario, runs it as often as wanted, and says whether all of it was met.
pub(crate) async fn run(arguments: &Arguments, scenario: &Scenario) -> anyhow::Result<bool> {
    let out = arguments.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!("loadtest-{}-{}", scenario.name, now_us() / 1_000_000))
    });
    let mut is_met = true;
    for number in 1..=arguments.repeat {
        let folder = if arguments.repeat == 1 { out.clone() } else { out.join(number.to_string()) };
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let result = once(arguments, scenario, &folder).await?;
        let path = folder.join("result.json");
        let text = serde_json::to_string(&result).context("writing the result")?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        let page = folder.join("page.html");
        std::fs::write(&page, crate::page::page(&result))
            .with_context(|| format!("writing {}", page.display()))?;
        crate::summary::print(&result, &page);
        ensure!(result.void.is_empty(), "the run is void: {}", result.void.join("; "));
        is_met &= result.is_met();
    }
    Ok(is_met)
}

/// Reads the scenario of the command line. An error is wrong usage.
pub(crate) fn scenario(arguments: &Arguments) -> anyhow::Result<Scenario> {
    let scenario = Scenario::read(&arguments.scenario)?;
    let is_remote = !arguments.gateway.is_empty();
    ensure!(
        !is_remote || !scenario.does(|_| true),
        "the scenario does something to the fleet: it cannot drive a given one (--gateway)"
    );
    for given in scenario.servers.iter().filter_map(|population| population.given.as_ref()) {
        given.password()?;
    }
    Ok(scenario)
}

async fn once(arguments: &Arguments, scenario: &Scenario, out: &Path) -> anyhow::Result<RunResult> {
    let progress = Arc::new(Progress::new());
    let time = humantime::format_duration(scenario.time());
    progress.say(&format!("{}: {} phases, {time}", scenario.title, scenario.phases.len()));
    progress.doing("calibrating the generator");
    let (calibration, objections) = calibrated(scenario, &progress).await?;
    ensure!(
        objections.is_empty() || arguments.anyway,
        "the run would be void: {} (--anyway runs it all the same)",
        objections.join("; ")
    );
    let folder = tempfile::Builder::new().prefix("mailfleet-loadtest.").tempdir()?;
    progress.doing("starting mail servers");
    let mail = Mail::start(&scenario.servers, folder.path()).await?;
    let mut ground =
        Ground::prepare(arguments, scenario, &mail, [folder.path(), out], &progress).await?;
    let environment = ground.environment(scenario).await;
    settled(&ground.gateways, SETTLING).await?;
    let seen = ground.phases(scenario, &mail, &progress).await?;
    progress.doing("ending everything");
    let load_after = usage::load();
    if let Some(fleet) = ground.fleet.take() {
        let fleet = Arc::into_inner(fleet).context("somebody still holds the fleet")?;
        fleet.into_inner().end().await?;
    }
    let mut sessions = mail.end().await?;
    sessions.sort_by_key(|session| session.opened);
    progress.end();
    let judgement = history::judge(sessions.clone(), &facts(scenario, arguments, &seen));
    let is_given = !arguments.gateway.is_empty();
    let result = put_together(scenario, calibration, seen, &sessions, &judgement, is_given);
    let mut environment = environment;
    if is_given {
        environment.push(("given fleet".to_owned(), arguments.gateway.join(", ")));
    }
    environment.push(("load average after".to_owned(), load_after));
    let mut result = RunResult { environment, ..result };
    result.slos = judge(scenario, &result);
    result.void.splice(0..0, objections);
    Ok(result)
}

/// Measures the generator, and gives what is wrong with it, if it stays so.
async fn calibrated(
    scenario: &Scenario,
    progress: &Progress,
) -> anyhow::Result<(Calibrated, Vec<String>)> {
    let mut tries = 1..=CALIBRATIONS;
    loop {
        let is_last = tries.next().is_none_or(|number| number == CALIBRATIONS);
        let calibration = calibrate(scenario).await?;
        let objections = calibration.objections(scenario);
        if objections.is_empty() {
            let lag = calibration.lag.quantile(0.99).unwrap_or_default();
            progress.say(&format!(
                "generator: {:.0} a second at most, begins {:.1} ms late (p99)",
                calibration.capacity,
                lag.as_secs_f64() * 1e3
            ));
            return Ok((calibration, objections));
        }
        progress.say(&format!("calibration: {}", objections.join("; ")));
        if is_last {
            return Ok((calibration, objections));
        }
    }
}

/// What a run stands on.
struct Ground {
    fleet: Option<Arc<Mutex<Fleet>>>,
    gateways: Gateways,
    watched: crate::fleet::Watched,
    program: Option<PathBuf>,
    roots: Option<String>,
}

/// What was seen while it ran.
struct Seen {
    samples: Vec<Sample>,
    phases: Vec<(u64, u64)>,
    faults: Vec<Done>,
    batches: Vec<(Arc<Plan>, BatchOutcome)>,
    processes: Vec<Watched>,
    requests: Arc<Requests>,
}

impl Ground {
    async fn prepare(
        arguments: &Arguments,
        scenario: &Scenario,
        mail: &Mail,
        [folder, out]: [&Path; 2],
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let ours = [("load test".to_owned(), std::process::id())];
        let beside = ours.into_iter().chain(mail.processes.clone());
        let beside = beside.chain(arguments.process.clone());
        if !arguments.gateway.is_empty() {
            let token = std::env::var("MAILFLEET_TOKEN").ok();
            return Ok(Self {
                fleet: None,
                gateways: Gateways::at(&arguments.gateway, token.as_deref())?,
                watched: Arc::new(std::sync::Mutex::new(beside.collect())),
                program: None,
                roots: (!mail.roots.is_empty()).then(|| mail.roots.clone()),
            });
        }
        let program = match &arguments.mailfleet {
            Some(program) => program.clone(),
            None => {
                let ours = std::env::current_exe().context("finding this program")?;
                ours.with_file_name("mailfleet")
            }
        };
        progress.doing("starting a broker, a database and a fleet");
        let logs = out.join("logs");
        std::fs::create_dir_all(&logs).context("making a place for logs")?;
        let places = [folder, &logs];
        let fleet = Fleet::start(scenario, mail, &arguments.given, &program, places).await?;
        let watched = fleet.watched();
        crate::fleet::lock(&watched).extend(beside);
        Ok(Self {
            gateways: Gateways::at(&fleet.urls(), None)?,
            fleet: Some(Arc::new(Mutex::new(fleet))),
            watched,
            program: Some(program),
            roots: None,
        })
    }

    async fn environment(&self, scenario: &Scenario) -> Vec<(String, String)> {
        let fleet = match &self.fleet {
            Some(fleet) => Some(fleet.lock().await),
            None => None,
        };
        let lab = fleet.as_ref().map(|fleet| &fleet.lab);
        environment::describe(scenario, self.program.as_deref(), lab).await
    }

    /// Goes through the phases, and waits for everything that was begun.
    async fn phases(
        &self,
        scenario: &Scenario,
        mail: &Mail,
        progress: &Arc<Progress>,
    ) -> anyhow::Result<Seen> {
        let requests = Requests::new(&scenario.servers, mail.pairs.clone(), self.roots.clone())?;
        let requests = Arc::new(requests);
        let mut generator =
            Generator::new(self.gateways.clone(), Arc::clone(&requests), Arc::clone(progress));
        let began = Instant::now();
        let (watching, stop) = self.watch(began, Arc::clone(progress));
        let is_over = Arc::new(AtomicBool::new(false));
        let mut running: JoinSet<anyhow::Result<(Arc<Plan>, BatchOutcome)>> = JoinSet::new();
        let (mut phases, mut faults, mut n_items) = (Vec::new(), Vec::new(), 0);
        let mut batches = Vec::new();
        for (index, phase) in scenario.phases.iter().enumerate() {
            let due = schedule(phase, &scenario.servers, scenario.seed, index);
            progress.phase(&phase.name, phase.time);
            let (at, at_us) = (Instant::now(), now_us());
            let is_waited_for = phase.batches.iter().any(|batch| batch.wait == Wait::End);
            let mut uploads = Vec::new();
            for batch in &phase.batches {
                let population = scenario.servers.get(batch.servers).context("a population")?;
                // Far above what the generator numbers.
                let from = 1_000_000_000 + n_items;
                n_items += usize::try_from(batch.items)?;
                let plan = Arc::new(Plan {
                    batch: batch.clone(),
                    from,
                    servers: population.name.clone(),
                    n_pairs: population.pairs,
                    began: began.elapsed().as_secs_f64(),
                });
                let (gateways, requests) = (self.gateways.clone(), Arc::clone(&requests));
                let is_over = Arc::clone(&is_over);
                let (uploaded, uploading) = oneshot::channel();
                if batch.wait == Wait::Upload {
                    uploads.push(uploading);
                }
                running.spawn(async move {
                    let is_over = || is_over.load(Ordering::Relaxed);
                    let batch = Arc::clone(&plan);
                    let outcome = batches::run(gateways, requests, batch, uploaded, is_over);
                    Ok((plan, outcome.await?))
                });
            }
            let harm = async {
                match self.hands(scenario, mail, progress) {
                    Some(hands) if !phase.faults.is_empty() => hands?.all(&phase.faults).await,
                    _ => Ok(Vec::new()),
                }
            };
            let (sent, done) = tokio::join!(generator.phase(index, &due), harm);
            sent?;
            faults.extend(done?);
            sleep_until((at + phase.time).into()).await;
            for uploading in uploads {
                // Where it fails, the batch itself says why.
                drop(uploading.await);
            }
            while is_waited_for && !running.is_empty() {
                let ended = running.join_next().await.context("a batch")?;
                batches.push(ended.context("a batch panicked")??);
            }
            generator.collect()?;
            phases.push((at_us, now_us() - at_us));
        }
        is_over.store(true, Ordering::Relaxed);
        progress.phase("waiting for the last answers", Duration::from_secs(1));
        let samples = generator.finish().await?;
        while let Some(ended) = running.join_next().await {
            batches.push(ended.context("a batch panicked")??);
        }
        drop(stop);
        let processes = watching.await.context("watching panicked")?;
        Ok(Seen { samples, phases, faults, batches, processes, requests })
    }

    fn hands(
        &self,
        scenario: &Scenario,
        mail: &Mail,
        progress: &Arc<Progress>,
    ) -> Option<anyhow::Result<Hands>> {
        let fleet = Arc::clone(self.fleet.as_ref()?);
        let addresses = mail.pairs.iter().flatten().filter_map(|pair| pair.address);
        let servers = addresses
            .flat_map(|address| ["imap", "smtp"].map(|protocol| format!("{protocol}:{address}")));
        let servers = Arc::new(servers.collect());
        let shards = u16::try_from(scenario.fleet.shards).ok().and_then(NonZeroU16::new);
        let (gateways, progress) = (self.gateways.clone(), Arc::clone(progress));
        let hands = |shards| Hands { fleet, gateways, servers, shards, progress };
        Some(shards.map(hands).context("a fleet has shards"))
    }

    /// Looks at the processes once a second, and draws the progress, until the other half of the
    /// pair is dropped.
    fn watch(
        &self,
        began: Instant,
        progress: Arc<Progress>,
    ) -> (JoinHandle<Vec<Watched>>, oneshot::Sender<()>) {
        let watched = Arc::clone(&self.watched);
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let mut watch = Watch::default();
            let mut turns = interval(Duration::from_secs(1));
            turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    _ = &mut stopped => break,
                    _ = turns.tick() => {
                        let processes = crate::fleet::lock(&watched).clone();
                        watch.look(began.elapsed(), &processes);
                        progress.tick("");
                    }
                }
            }
            watch.all()
        });
        (watching, stop)
    }
}

/// What the judge must know.
fn facts(scenario: &Scenario, arguments: &Arguments, seen: &Seen) -> Facts {
    let mut facts = Facts { closing: CLOSING, ..Facts::default() };
    for (population, pairs) in scenario.servers.iter().zip(&seen.requests.pairs) {
        for address in pairs.iter().filter_map(|pair| pair.address) {
            for protocol in ["imap", "smtp"] {
                let limit = scenario.limit(population);
                facts.limits.insert(format!("{protocol}:{address}"), limit);
            }
        }
    }
    // Whatever pool a given fleet has, we do not know it.
    if arguments.gateway.is_empty() {
        facts.pool = sources(scenario).into_iter().collect();
    }
    for sample in seen.samples.iter().filter(|sample| sample.outcome.is_some()) {
        *facts.asked.entry(sample.mailbox.clone()).or_default() += 1;
    }
    for (plan, _) in &seen.batches {
        for item in 0..plan.batch.items {
            *facts.asked.entry(plan.mailbox(&seen.requests, item)).or_default() += 1;
        }
    }
    facts
}

fn put_together(
    scenario: &Scenario,
    calibration: Calibrated,
    seen: Seen,
    sessions: &[Session],
    judgement: &Judgement,
    is_given: bool,
) -> RunResult {
    let parts = gather(&Gathered {
        scenario,
        samples: &seen.samples,
        phases: &seen.phases,
        faults: &seen.faults,
        sessions,
        judgement,
        is_given,
    });
    let mut counts = parts.counts;
    for (plan, outcome) in &seen.batches {
        let population = scenario.servers.get(plan.batch.servers);
        let answers = population.is_some_and(|it| it.manner == Manner::Prompt);
        let ended = outcome.looks.last().map_or(0, |(_, ended)| *ended);
        counts.asked += outcome.items;
        if answers {
            counts.wrong_verdicts += outcome.faulty;
            counts.unclear += outcome.inconclusive;
        }
        if plan.batch.wait == Wait::End {
            counts.lost += outcome.items.saturating_sub(ended);
        }
    }
    let is_beyond = |phase: &PhaseResult| phase.step_of.is_some() && !phase.is_borne(0.99, SECOND);
    let beyond = parts.phases.iter().position(is_beyond).unwrap_or(usize::MAX);
    let counted = seen.samples.iter().filter(|sample| sample.phase < beyond);
    let lag: Latencies = counted.map(|sample| sample.lag).collect();
    let mut void = Vec::new();
    let most = scenario.calibration.lag_under_load;
    if let Some(late) = lag.quantile(0.99).filter(|late| most < *late) {
        void.push(format!(
            "the generator began {:.0} ms late (p99) while the fleet ran, more than {:.0} ms",
            late.as_secs_f64() * 1e3,
            most.as_secs_f64() * 1e3
        ));
    }
    let began_us = seen.phases.first().map_or(0, |(began, _)| *began);
    let end = seen.phases.last().map_or(began_us, |(began, length)| began + length);
    RunResult {
        format: FORMAT,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        seed: scenario.seed,
        began_us,
        seconds: Duration::from_micros(end - began_us).as_secs_f64(),
        environment: Vec::new(),
        calibration,
        lag,
        void,
        slos: Vec::new(),
        counts,
        troubles: parts.troubles,
        phases: parts.phases,
        series: parts.series,
        faults: parts.faults,
        batches: seen.batches.into_iter().map(|(_, outcome)| outcome).collect(),
        servers: parts.servers,
        sources: parts.sources,
        processes: seen.processes,
        not_shown: scenario.not_shown.clone(),
    }
}
