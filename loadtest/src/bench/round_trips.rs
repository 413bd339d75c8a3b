//! Round trips from connect to logged in, counted on a link with a fixed delay.
//!
//! The ideal after TCP: TLS 1.3 takes one, the greeting half to one more, EHLO one (SMTP),
//! the login one. What a step costs beyond its round trips is the processing at both ends.

use std::time::Duration;

use anyhow::Context;
use mailfleet_gateway::Validator;
use mailfleet_model::{LegReport, Protocol, StepKind};
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::say;
use crate::setup::{Servers, probe, validate, validation};
use crate::simulate::Kind;

/// One way, each direction.
const DELAY: Duration = Duration::from_millis(50);
/// The least of so many runs counts: noise only ever adds.
const RUNS: u32 = 3;

/// Prints the round trips of an IMAP and an SMTP leg.
pub(crate) async fn run() -> anyhow::Result<()> {
    let servers = Servers::start(Kind::Prompt).await?;
    let validator = Validator::new(probe(servers.root.clone())?, Vec::new());
    say("round trips from connect to logged in, after TCP's own, on a link of 100 ms:");
    for (protocol, port, ideal) in
        [(Protocol::Imap, servers.imap, "2.5 to 3"), (Protocol::Smtp, servers.smtp, "3.5 to 4")]
    {
        let link = Link::start(port, DELAY).await?;
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            let asked = match protocol {
                Protocol::Smtp => validation(None, Some(link.port))?,
                Protocol::Imap | Protocol::Pop3 => validation(Some(link.port), None)?,
            };
            let report = validate(&validator, asked, CancellationToken::new()).await;
            let leg = report.legs.first().context("a report has a leg")?;
            best = best.min(until_login(leg).as_secs_f64() / (2.0 * DELAY.as_secs_f64()));
        }
        say(&format!("  {protocol:<5} {best:.2} (ideal {ideal})"));
    }
    Ok(())
}

/// Time of all steps up to and with the login.
fn until_login(leg: &LegReport) -> Duration {
    let last = leg.steps.iter().position(|step| step.kind == StepKind::Login);
    let count = last.map_or(leg.steps.len(), |index| index + 1);
    leg.steps.iter().take(count).map(|step| step.elapsed).sum()
}
