//! 1, 2 and 4 workers where the servers' latency is the bound: does twice as many do twice as
//! much?
//!
//! Logins take a second and a worker has few slots, so that a worker spends its time waiting and
//! not computing. More legs are open than there are slots, by the same factor for each fleet.

use std::path::Path;
use std::time::Duration;

use super::local::{Local, program, scenario};
use super::say;
use crate::fleet::Given;
use crate::usage::load;

/// How many workers, the reference first.
const WORKERS: [u32; 3] = [1, 2, 4];
/// Legs at once of each. At a second each, so many legs a second.
const SLOTS: u32 = 16;
/// Validations that are open for each worker: enough to keep its slots busy, and the same backlog
/// for everybody. Far more of them would measure something else: outgoing legs then hold slots
/// while their incoming legs are queued (DECISIONS.md, 33).
const OPEN: u32 = 24;
/// How long each fleet is loaded, after some time to fill up. An owner that has just taken a
/// shard asks before each start, for a minute.
const TIMES: (Duration, Duration) = (Duration::from_secs(65), Duration::from_secs(30));

/// Prints validations a second for each number of workers.
pub(crate) async fn run(given: &Given, named: Option<&Path>) -> anyhow::Result<()> {
    let program = program(named)?;
    say(&format!(
        "workers of {SLOTS} slots, logins of 1 s, 120 limit groups (load before it {}):",
        load()
    ));
    let mut first = None;
    for workers in WORKERS {
        let text = format!(
            "title = \"scale\"\n[fleet]\nworkers = {workers}\nslots = {SLOTS}\nlimit = 20\n\
             shards = 64\n[[servers]]\nname = \"slow\"\npairs = 60\nlogin = \"1s\"\n\
             budget = \"300s\"\n[[phase]]\nname = \"all\"\ntime = \"1s\"\n[[phase.load]]\n\
             servers = \"slow\"\nrate = 1\n"
        );
        let local = Local::start(&scenario(&text)?, given, &program).await?;
        let rate = local.closed(0, usize::try_from(OPEN * workers)?, TIMES.0, TIMES.1).await?;
        local.end().await?;
        let ratio = rate / *first.get_or_insert(rate);
        let bound = f64::from(workers * SLOTS) / 2.0;
        say(&format!(
            "  {workers} workers  {rate:>6.1} validations a second, {ratio:.2} times as many as \
             one; {:.0} % of what the slots allow (load {})",
            rate / bound * 100.0,
            load()
        ));
    }
    Ok(())
}
