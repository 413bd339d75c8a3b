//! The knee: up to which load answers keep coming in time.

use std::sync::Arc;
use std::time::Duration;

use super::say;
use crate::offer::Offer;
use crate::usage::cpu_time_of;

/// Validations that are kept open to find out how fast they are answered at most.
const OPEN: usize = 64;
/// For a minute after an owner has taken a shard over it asks before every leg: what is measured is
/// what comes after it. Validations a second meanwhile, and for how long.
const WARM_UP: (f64, Duration) = (10.0, Duration::from_secs(65));
/// How long the load lasts whose quantile has a target: upkeep that happens once a minute counts.
const HALF: Duration = Duration::from_secs(60);
/// What the load beyond the knee has left behind is worked off before that.
const SETTLE: Duration = Duration::from_secs(5);
/// How long each other load lasts.
const EACH: Duration = Duration::from_secs(6);
/// The loads, as parts of what was answered at most. The half comes last, for itself.
const PARTS: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 1.05];
/// A load is borne if nearly everything is answered within its time, and hardly anybody waits
/// longer. The last answers come after that time, hence no more than this part.
const BORNE: (f64, f64) = (0.95, 1_000.0);

/// What was found.
pub(crate) struct Knee {
    /// Answers a second at most.
    pub(crate) most: f64,
    /// CPU time of each process for one validation at that speed.
    pub(crate) cpu: Vec<(String, Duration)>,
    /// The largest load that was borne, in validations a second.
    pub(crate) knee: f64,
}

/// Loads the gateways step by step, and prints each. `processes` are those whose CPU time is
/// told.
pub(crate) async fn find(offer: &Arc<Offer>, processes: &[(String, u32)]) -> anyhow::Result<Knee> {
    offer.open(WARM_UP.0, WARM_UP.1).await?;
    offer.closed(OPEN, Duration::from_secs(3)).await?;
    let before = used(processes)?;
    let most = offer.closed(OPEN, EACH).await?;
    let after = used(processes)?;
    let each = u32::try_from(most.done.max(1)).unwrap_or(u32::MAX);
    let cpu = processes.iter().zip(before.iter().zip(&after));
    let cpu = cpu
        .map(|((name, _), (before, after))| (name.clone(), after.saturating_sub(*before) / each));
    let cpu: Vec<_> = cpu.collect();
    let (p50, p99) = (most.quantile(0.5), most.quantile(0.99));
    let most = most.rate();
    say(&format!("  {OPEN} at a time  {most:>7.0} a second, p50 {p50:.1} ms, p99 {p99:.1} ms"));
    let mut knee = 0.0_f64;
    for part in PARTS {
        let rate = most * part;
        let outcome = offer.open(rate, EACH).await?;
        let (p50, p99) = (outcome.quantile(0.5), outcome.quantile(0.99));
        let borne = outcome.rate() >= rate * BORNE.0 && p99 <= BORNE.1 && outcome.missed == 0;
        let word = if borne { "" } else { "  beyond the knee" };
        say(&format!(
            "  offered     {rate:>7.0} a second, {:.0} answered, p50 {p50:.1} ms, p99 {p99:.1} \
             ms, {} missed{word}",
            outcome.rate(),
            outcome.missed
        ));
        if borne {
            knee = knee.max(rate);
        }
    }
    let rate = (knee / 2.0).max(1.0);
    offer.open(rate, SETTLE).await?;
    let half = offer.open(rate, HALF).await?;
    say(&format!(
        "  half the knee  {:>4.0} a second, p50 {:.1} ms, p99 {:.1} ms",
        knee / 2.0,
        half.quantile(0.5),
        half.quantile(0.99)
    ));
    Ok(Knee { most, cpu, knee })
}

fn used(processes: &[(String, u32)]) -> anyhow::Result<Vec<Duration>> {
    processes.iter().map(|(_, pid)| cpu_time_of(*pid)).collect()
}
