//! A large batch over many limit groups: how fast, how soon, at what cost, and what others notice.
//!
//! Every pair of servers has an address of its own, so that it is two groups. Beside the batch
//! somebody validates single mailboxes at other servers. The reference runs the same validations
//! in a plain loop, in this process, without a fleet.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mailfleet_gateway::Validator;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::local::{Local, program, scenario};
use super::{say, validations};
use crate::batches::{self, BatchOutcome, Plan};
use crate::fleet::Given;
use crate::latency::Latencies;
use crate::mail::{Mail, PASSWORD, Pair};
use crate::scenario::{Batch, Wait};
use crate::setup;
use crate::usage::load;
use crate::watch::{Look, Watch, Watched};

/// Populations: who is validated one by one, and the batch.
const OTHERS: usize = 0;
const BATCH: usize = 1;
/// Time between single validations, and how long they are alone.
const SINGLE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(20));
/// Validations of the plain loop at most, and at once.
const DIRECT: (u32, usize) = (3_000, 64);
/// What processes are called, by the beginnings of their names.
const PROCESSES: [&str; 4] = ["gateway", "worker", "broker", "database"];

/// Runs the batch, then the loop, and prints both.
pub(crate) async fn run(
    items: u32,
    groups: u32,
    given: &Given,
    named: Option<&Path>,
) -> anyhow::Result<()> {
    ensure!(2 <= groups && 10 <= items, "at least 2 groups and 10 items");
    let pairs = groups / 2;
    let program = program(named)?;
    let text = format!(
        "title = \"batch\"\n[fleet]\nshards = 64\n[[servers]]\nname = \"others\"\npairs = 10\n\
         [[servers]]\nname = \"batch\"\npairs = {pairs}\n[[phase]]\nname = \"all\"\ntime = \"1s\"\n\
         [[phase.load]]\nservers = \"others\"\nrate = 1\n"
    );
    say(&format!(
        "a batch of {items} items over {} limit groups (load before it {}):",
        pairs * 2,
        load()
    ));
    let local = Local::start(&scenario(&text)?, given, &program).await?;
    let rate = direct(&local.mail, items).await?;
    say(&format!("  plain loop    {rate:>7.1} a second in one process, without the fleet"));
    let alone = Instant::now();
    let calm = local.beside(OTHERS, SINGLE.0, || SINGLE.1 <= alone.elapsed()).await?;
    let (outcome, meanwhile, processes) = batch(&local, items, pairs).await?;
    local.end().await?;
    ensure!(
        outcome.healthy == u64::from(items),
        "{} of {items} items were healthy, {} faulty, {} inconclusive",
        outcome.healthy,
        outcome.faulty,
        outcome.inconclusive
    );
    tell(&outcome, &processes, rate)?;
    let ms = |latencies: &Latencies, quantile| {
        let span = latencies.quantile(quantile).unwrap_or_default();
        format!("{:.0} ms", span.as_secs_f64() * 1e3)
    };
    say(&format!(
        "  single validations, 2 a second: p50 {} and p99 {} before the batch, p50 {} and p99 {} \
         beside it (load after it {})",
        ms(&calm, 0.5),
        ms(&calm, 0.99),
        ms(&meanwhile, 0.5),
        ms(&meanwhile, 0.99),
        load()
    ));
    Ok(())
}

/// The batch, with everything that goes on beside it.
async fn batch(
    local: &Local,
    items: u32,
    pairs: u32,
) -> anyhow::Result<(BatchOutcome, Latencies, Vec<Watched>)> {
    let plan = Arc::new(Plan {
        batch: Batch { servers: BATCH, items, wait: Wait::End },
        from: 1_000_000_000,
        servers: "batch".to_owned(),
        n_pairs: pairs,
        began: 0.0,
    });
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let (gateways, requests) = (local.gateways.clone(), Arc::clone(&local.requests));
    let running = async {
        let (uploaded, _) = tokio::sync::oneshot::channel();
        let outcome = batches::run(gateways, requests, plan, uploaded, || false).await;
        is_over.store(true, Ordering::Relaxed);
        outcome
    };
    let beside = local.beside(OTHERS, SINGLE.0, || is_over.load(Ordering::Relaxed));
    let watched = local.fleet.watched();
    let watching = async {
        let (mut watch, mut turns) = (Watch::default(), interval(Duration::from_secs(1)));
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !is_over.load(Ordering::Relaxed) {
            turns.tick().await;
            let processes = crate::fleet::lock(&watched).clone();
            watch.look(began.elapsed(), &processes);
        }
        watch.all()
    };
    let (outcome, meanwhile, processes) = tokio::join!(running, beside, watching);
    Ok((outcome?, meanwhile?, processes))
}

/// One tenth of the items.
#[derive(Debug, Clone, PartialEq)]
struct Tenth {
    number: u32,
    /// Items a second in it.
    rate: f64,
    /// CPU time of all processes of the fleet for each item, in milliseconds.
    cpu_ms: f64,
    /// Bytes at its end, by kind of process.
    memory: Vec<u64>,
}

/// Cuts the batch into tenths of its items. A tenth that ended between two looks is part of the
/// next one.
fn tenths(outcome: &BatchOutcome, processes: &[Watched]) -> Vec<Tenth> {
    let mut all = Vec::new();
    let mut before = (outcome.first.unwrap_or_default(), 0.0_f64);
    for number in 1..=10_u32 {
        let wanted = outcome.items * u64::from(number) / 10;
        let look = outcome.looks.iter().find(|(_, ended)| wanted <= *ended);
        let Some((at, ended)) = look.map(|(at, ended)| (*at, *ended as f64)) else { continue };
        let (time, items) = (at - before.0, ended - before.1);
        if time <= 0.0 || items <= 0.0 {
            continue;
        }
        let used = processes.iter().map(|it| cpu_at(it, at) - cpu_at(it, before.0)).sum::<f64>();
        let memory = |kind: &&str| {
            let of_kind = processes.iter().filter(|process| process.name.starts_with(kind));
            of_kind.filter_map(|it| look_at(it, at)).map(|look| look.memory).sum()
        };
        all.push(Tenth {
            number,
            rate: items / time,
            cpu_ms: used * 1e3 / items,
            memory: PROCESSES.iter().map(memory).collect(),
        });
        before = (at, ended);
    }
    all
}

/// Prints the batch, tenth by tenth.
fn tell(outcome: &BatchOutcome, processes: &[Watched], direct: f64) -> anyhow::Result<()> {
    let rate = outcome.rate().context("the batch had results")?;
    say(&format!(
        "  batch         {rate:>7.1} items a second: {:.1} % of the plain loop; uploaded in {:.1} \
         s, first result after {:.1} s, last after {:.1} s",
        rate / direct * 100.0,
        outcome.uploaded,
        outcome.first.unwrap_or_default(),
        outcome.ended.unwrap_or_default()
    ));
    let names: String = PROCESSES.iter().map(|name| format!("{name:>10}")).collect();
    say(&format!("  tenth   items/s   CPU each{names}   (MiB, the sum of all of a kind)"));
    for Tenth { number, rate, cpu_ms, memory } in tenths(outcome, processes) {
        let memory: String = memory.iter().map(|bytes| format!("{:>10}", bytes >> 20)).collect();
        say(&format!("  {number:>5}  {rate:>8.1}  {cpu_ms:>6.2} ms{memory}"));
    }
    Ok(())
}

/// The last look before a moment.
fn look_at(process: &Watched, at: f64) -> Option<&Look> {
    let before = process.looks.iter().take_while(|look| look.at <= at).last();
    before.or(process.looks.first())
}

fn cpu_at(process: &Watched, at: f64) -> f64 {
    look_at(process, at).map_or(0.0, |look| look.cpu)
}

/// The same validations in a plain loop; gives how many a second.
async fn direct(mail: &Mail, items: u32) -> anyhow::Result<f64> {
    let pem = mail.roots.as_bytes();
    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow::anyhow!("the simulators' CAs cannot be read: {error}"))?;
    let validator = Validator::new(setup::probe_trusting(roots)?, Vec::new());
    let pairs: &[Pair] = mail.pairs.get(BATCH).context("the batch has servers")?;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let once = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let pair = pairs.get(number % pairs.len()).cloned();
        let validator = validator.clone();
        async move {
            let pair = pair.context("a pair")?;
            let asked = setup::validation_at(&pair.host, pair.port, PASSWORD)?;
            let report = setup::validate(&validator, asked, CancellationToken::new()).await;
            let verdict = report.verdict;
            ensure!(verdict == mailfleet_model::Verdict::Healthy, "a validation was {verdict:?}");
            Ok(())
        }
    };
    let (most, open) = DIRECT;
    let count = items.min(most);
    validations::many(count.min(300), open, &once).await?;
    let cost = validations::many(count, open, &once).await?;
    Ok(f64::from(count) / cost.wall.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_into_tenths_with_their_cost_and_memory() {
        // A hundred items, ten a second, from the second second on; half a processor.
        let outcome = BatchOutcome {
            items: 100,
            first: Some(2.0),
            looks: (0..=12)
                .map(|at| (f64::from(at), u64::from(10 * (at.max(2) - 2_u32))))
                .collect(),
            ..Default::default()
        };
        let look = |at: u32| Look {
            at: f64::from(at),
            memory: 100 + u64::from(at),
            cpu: f64::from(at) / 2.0,
            files: None,
        };
        let looks = || (0..=12).map(look).collect();
        let processes = ["gateway 1", "gateway 2", "worker 1"]
            .map(|name| Watched { name: name.to_owned(), looks: looks() });
        let all = tenths(&outcome, &processes);
        assert_eq!(all.len(), 10);
        assert_eq!((all[0].rate, all[9].rate), (10.0, 10.0));
        assert!((all[4].cpu_ms - 150.0).abs() < 1e-6, "three halves of a processor for ten items");
        assert_eq!(all[9].memory, [224, 112, 0, 0]);
    }
}
