//! The tree of steps: each leg with what was done in it, how long it took and how it ended.

use std::net::IpAddr;

use mailfleet_model::{LegReport, Step};
use mailfleet_remedy::{Language, wording};

use super::{BOLD, CODE, DIM, mark, paint, wrap};
use crate::span;

/// Columns of a step's name.
const NAME: usize = 26;
/// Columns of a step's time.
const TIME: usize = 7;

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
    for (index, step) in leg.steps.iter().enumerate() {
        let branch = paint(DIM, if index == last { "└" } else { "├" });
        text.push_str(&format!("  {branch} {}\n", line(step, language)));
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

/// One step: mark, name, time, detail and code.
pub(super) fn line(step: &Step, language: Language) -> String {
    let name = wrap::pad(wording::step_kind(step.kind, language), NAME);
    let time = format!("{:>TIME$}", span::brief(step.elapsed));
    let detail = step.detail.as_deref().map(wrap::clean);
    let code = step.fault.map(|code| paint(CODE, code));
    let rest: Vec<String> = [detail, code].into_iter().flatten().collect();
    let line = format!("{} {name} {}  {}", mark(step.outcome), paint(DIM, time), rest.join("  "));
    line.trim_end().to_owned()
}
