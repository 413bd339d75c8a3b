//! The tree of steps: each leg with what was done in it, how long it took and how it ended.

use std::net::IpAddr;

use mailfleet_model::{LegReport, Step};
use mailfleet_remedy::{Language, remark, wording};

use super::{BOLD, DIM, mark, paint, wrap};
use crate::span;

/// Columns of a step's name.
const NAME: usize = 26;
/// Columns of a step's time.
const TIME: usize = 7;
/// Columns before a step's detail: branch, mark, name and time, with what stands between.
const DETAIL: usize = 4 + 2 + NAME + 1 + TIME + 2;

/// Renders one leg. Ends in a line break.
pub(super) fn leg(leg: &LegReport, language: Language, width: usize) -> String {
    let name = wording::leg(leg.leg, language);
    let took = paint(DIM, span::brief(leg.elapsed));
    let mut text = format!("  {}  {}  {took}\n", paint(BOLD, name), leg.endpoint);
    let about = about(leg);
    if !about.is_empty() {
        for line in wrap::lines(&about, width.saturating_sub(4)) {
            text.push_str(&format!("  {} {}\n", paint(DIM, "│"), paint(DIM, line)));
        }
    }
    let last = leg.steps.len().saturating_sub(1);
    let room = width.saturating_sub(DETAIL);
    for (index, step) in leg.steps.iter().enumerate() {
        let (branch, below) = if index == last { ("└", " ") } else { ("├", "│") };
        let mut details = wrap::lines(&detail(step, language), room).into_iter();
        let first = details.next().unwrap_or_default();
        let line = format!("  {} {}  {}", paint(DIM, branch), start(step, language), first);
        text.push_str(&format!("{}\n", line.trim_end()));
        for more in details {
            let margin = " ".repeat(DETAIL - 3);
            text.push_str(&format!("  {}{margin}{more}\n", paint(DIM, below)));
        }
    }
    text
}

/// Where the leg went and what it met: addresses, software, TLS.
fn about(leg: &LegReport) -> String {
    let address = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string());
    let route = match (address(leg.egress_ip), address(leg.remote_ip)) {
        (Some(from), Some(to)) => Some(format!("{from} → {to}")),
        (None, Some(to)) => Some(to),
        (_, None) => None,
    };
    let software = leg.server_software.as_ref().map(wording::server_software);
    let tls = leg.tls.as_ref().map(|tls| {
        let parts = [tls.version.as_deref(), tls.cipher.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let all = [route, software, tls.filter(|tls| !tls.is_empty())];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One step on one line, whatever it has to tell.
pub(super) fn line(step: &Step, language: Language, width: usize) -> String {
    let first =
        wrap::lines(&detail(step, language), width.saturating_sub(DETAIL)).into_iter().next();
    let line = format!("{}  {}", start(step, language), first.unwrap_or_default());
    line.trim_end().to_owned()
}

/// Mark, name and time.
fn start(step: &Step, language: Language) -> String {
    let name = wrap::pad(wording::step_kind(step.kind, language), NAME);
    let time = format!("{:>TIME$}", span::brief(step.elapsed));
    format!("{} {name} {}", mark(step.outcome), paint(DIM, time))
}

/// What was found, and the code of the fault.
fn detail(step: &Step, language: Language) -> String {
    let code = step.fault.map(|code| code.name().to_owned());
    let found = step.detail.as_deref().map(|detail| remark(detail, language).into_owned());
    let parts: Vec<String> = [code, found].into_iter().flatten().collect();
    parts.join("  ")
}
