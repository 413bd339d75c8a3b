//! `fleet top`: workers and the busiest and sickest mail servers, drawn anew every few seconds.
//!
//! On a terminal each picture takes the place of the one before, until Ctrl-C; elsewhere there is
//! one, or as many as were asked for. It changes nothing.

use std::cmp::Reverse;
use std::io::IsTerminal as _;
use std::time::SystemTime;

use anyhow::Context as _;
use mailfleet_api::v1;
use mailfleet_model::Violations;

use super::args::TopArgs;
use super::{Fleet, tables};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::render::{BOLD, DIM, paint};
use crate::{signals, span};

/// Rows of mail servers where the height of the terminal is not known.
const ROWS: usize = 20;
/// Lines of a picture beside those of the mail servers and workers.
const AROUND: usize = 6;
/// Moves the cursor home and clears what is below.
const HOME: &str = "\x1b[H\x1b[J";

/// Runs the command.
pub(super) async fn run(args: &TopArgs) -> Result<Exit, Error> {
    let every = span::parse(&args.every).map_err(|error| {
        let mut wrong = Violations::default();
        wrong.add("--every", error);
        Error::Usage(wrong)
    })?;
    let mut fleet = Fleet::at(&args.gateway).await?;
    let stop = signals::cancel_on_signal().context("cannot listen for signals")?;
    let over = std::io::stdout().is_terminal();
    let mut left = args.count.or((!over).then_some(1));
    loop {
        let picture = tokio::select! {
            picture = picture(&mut fleet) => picture?,
            () = stop.cancelled() => return Ok(Exit::Good),
        };
        print(&if over { format!("{HOME}{picture}") } else { picture })?;
        left = left.map(|left| left.saturating_sub(1));
        if left == Some(0) {
            return Ok(Exit::Good);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return Ok(Exit::Good),
        }
    }
}

async fn picture(fleet: &mut Fleet) -> Result<String, Error> {
    let workers = fleet.workers().await?;
    let shards = fleet.shards().await?;
    let mut groups = fleet.groups("", &[]).await?;
    groups.sort_by_key(|group| Reverse(weight(group)));
    let free = shards.shards.iter().filter(|shard| shard.owners.is_empty()).count();
    let running: u32 = workers.iter().map(|worker| worker.running).sum();
    let capacity: u32 = workers.iter().map(|worker| worker.capacity).sum();
    let mut zones: Vec<&str> = shards.shards.iter().map(|shard| shard.zone.as_str()).collect();
    zones.dedup();
    let zone = match zones.as_slice() {
        [zone] => format!("zone {zone}"),
        zones => format!("zones {}", zones.join(", ")),
    };
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let head = format!(
        "{zone}  {} workers  {running} of {capacity} legs run  {free} of {} shards without owner",
        workers.len(),
        shards.shards.len()
    );
    let height = terminal_size::terminal_size().map_or(ROWS + AROUND, |(_, h)| h.0.into());
    let rows = height.saturating_sub(AROUND + workers.len()).max(5);
    let hidden = groups.len().saturating_sub(rows);
    groups.truncate(rows);
    let more = if hidden > 0 { format!("and {hidden} more\n") } else { String::new() };
    Ok(format!(
        "{}  {}\n\n{}\n{}{}",
        paint(BOLD, head),
        paint(DIM, now),
        tables::workers(&workers),
        tables::groups(&groups),
        paint(DIM, more)
    ))
}

/// The sickest first, then the busiest.
fn weight(group: &v1::LimitGroup) -> (bool, u32, u32) {
    let owner = group.owner.unwrap_or_default();
    let sick = owner.down_for.is_some() || owner.lowered_for.is_some() || group.paused;
    (sick, group.waiting_in_store + owner.waiting, owner.in_use)
}
