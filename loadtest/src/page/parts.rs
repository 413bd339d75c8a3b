//! The words and tables of the page.

use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use maud::{Markup, html};

use super::section;
use crate::result::{LoadResult, PhaseResult, RunResult};
use crate::scenario::Of;

/// What it was, and whether everything held.
pub(super) fn head(run: &RunResult) -> Markup {
    let began = SystemTime::UNIX_EPOCH + Duration::from_micros(run.began_us);
    let met = run.slos.iter().filter(|slo| slo.is_met).count();
    html! {
        h1 { (run.title) }
        p.quiet { "mailfleet load test · scenario " (run.scenario) " · "
            (format_rfc3339_seconds(began)) " · " (length(run.seconds)) " · seed " (run.seed) }
        @if !run.void.is_empty() {
            div.verdict.bad { "void" }
            p { "The run means nothing:" }
            ul { @for why in &run.void { li { (why) } } }
        } @else if run.is_met() {
            div.verdict.good { "all " (run.slos.len()) " objectives met" }
        } @else {
            div.verdict.bad { (run.slos.len() - met) " of " (run.slos.len()) " objectives missed" }
        }
        @for part in run.about.split("\n\n").filter(|part| !part.trim().is_empty()) {
            p { (part) }
        }
    }
}

/// Every objective.
pub(super) fn slos(run: &RunResult) -> Markup {
    section(
        "Objectives",
        html! {
            @if run.slos.is_empty() { p.quiet { "The scenario has none: it only measures." } }
            @else {
                div.scroll { table {
                    tr { th {} th { "what" } th { "wanted" } th { "measured" } }
                    @for slo in &run.slos {
                        tr {
                            @if slo.is_met { td.good { "✓ met" } } @else { td.bad { "✗ missed" } }
                            td { (slo.what) } td { (slo.wanted) } td { (slo.got) }
                        }
                    }
                } }
            }
        },
    )
}

/// Every phase in numbers.
pub(super) fn phases(run: &RunResult) -> Markup {
    if run.phases.iter().all(|phase| phase.all.due == 0) {
        return html! {};
    }
    section(
        "Phases",
        html! {
            p.quiet { "Times from when a validation was due: until its job was stored (accepted) and \
                until its report was there. Queue: from the job's start until its last leg began." }
            div.scroll { table {
                tr {
                    th { "phase" } th { "servers" } th.n { "due/s" } th.n { "right answers/s" }
                    th.n { "accepted p50" } th.n { "p99" } th.n { "queue p99" }
                    th.n { "report p50" } th.n { "p99" } th.n { "p99.9" } th { "went wrong" }
                }
                @for phase in run.phases.iter().filter(|phase| 0 < phase.all.due) {
                    (row(phase, &phase.all, "all"))
                    @if 1 < phase.by_servers.len() {
                        @for load in &phase.by_servers { (row(phase, load, &load.servers)) }
                    }
                }
            } }
        },
    )
}

fn row(phase: &PhaseResult, load: &LoadResult, servers: &str) -> Markup {
    let wrong = [
        (load.missed, "missed"),
        (load.failed, "failed"),
        (load.lost, "lost"),
        (load.wrong_verdicts, "wrong verdicts"),
        (load.unclear, "inconclusive"),
    ];
    let wrong: Vec<String> = wrong
        .iter()
        .filter(|(count, _)| 0 < *count)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    html! {
        tr {
            td { @if servers == "all" { (phase.name) } }
            td.quiet { (servers) }
            td.n { (format!("{:.1}", load.offered)) }
            td.n { (format!("{:.1}", load.goodput)) }
            td.n { (ms(load.quantile(Of::Accepted, 0.5))) }
            td.n { (ms(load.quantile(Of::Accepted, 0.99))) }
            td.n { (ms(load.quantile(Of::Queue, 0.99))) }
            td.n { (ms(load.quantile(Of::Report, 0.5))) }
            td.n { (ms(load.quantile(Of::Report, 0.99))) }
            td.n { (ms(load.quantile(Of::Report, 0.999))) }
            @if wrong.is_empty() { td.quiet { "nothing" } } @else { td.bad { (wrong.join(", ")) } }
        }
    }
}

/// What was done to the fleet.
pub(super) fn faults(run: &RunResult) -> Markup {
    if run.faults.is_empty() {
        return html! {};
    }
    let seconds = |span: Option<f64>| span.map_or("–".to_owned(), |span| format!("{span:.2} s"));
    section(
        "Faults and takeovers",
        html! {
            p.quiet { "Takeover: until a session began again at the slowest of the mail servers that \
                the worker owned, which includes the time until it was asked for; for a worker that was cut off, and goes on for a while, the longest \
                pause between two sessions. Longest wait: of any caller from then until the next \
                fault, from when the validation was due." }
            div.scroll { table {
                tr { th { "fault" } th { "of" } th.n { "at" } th.n { "over after" }
                    th.n { "servers served again" } th.n { "takeover" } th.n { "longest wait" } }
                @for fault in &run.faults {
                    tr {
                        td { (fault.what) } td { (fault.subject) }
                        td.n { (format!("{:.1} s", fault.at)) }
                        td.n { (format!("{:.1} s", fault.until - fault.at)) }
                        @if fault.takes_worker {
                            td.n { (fault.served_again) } td.n { (seconds(fault.takeover)) }
                        } @else { td.n { "–" } td.n { "–" } }
                        td.n { (seconds(fault.longest_wait)) }
                    }
                }
            } }
        },
    )
}

/// Where connections came from.
pub(super) fn sources(run: &RunResult) -> Markup {
    if run.sources.is_empty() {
        return html! {};
    }
    section(
        "Source addresses",
        html! {
            p.quiet { "Every address that a mail server saw." }
            table {
                tr { th { "address" } th.n { "sessions" } th.n { "most at once" } th { "in the pool" } }
                @for source in &run.sources {
                    tr {
                        td { code { (source.address) } } td.n { (source.sessions) } td.n { (source.most) }
                        @match source.is_ours {
                            Some(true) => { td.good { "yes" } }
                            Some(false) => { td.bad { "no" } }
                            None => { td.quiet { "not known" } }
                        }
                    }
                }
            }
        },
    )
}

/// Some of what went wrong.
pub(super) fn troubles(run: &RunResult) -> Markup {
    if run.troubles.is_empty() {
        return html! {};
    }
    section(
        "What went wrong",
        html! {
            p.quiet { "Some of it, word by word." }
            ul { @for trouble in &run.troubles { li { code { (trouble) } } } }
        },
    )
}

/// Where it took place.
pub(super) fn environment(run: &RunResult) -> Markup {
    section(
        "Environment",
        html! {
            table { @for (name, value) in &run.environment {
                tr { th { (name) } td { (value) } }
            } }
        },
    )
}

/// How it was measured.
pub(super) fn method(run: &RunResult) -> Markup {
    let calibration = &run.calibration;
    section(
        "Method",
        html! {
            p { "An open loop: every validation has its time, worked out beforehand from the seed, and \
                is sent then, whether those before are answered or not. Latency counts from that time, \
                so that a fleet that stalls is charged with everything that had to wait. A call that no \
                gateway accepted is repeated with the same request id; the clock goes on." }
            p { "The generator was measured first: against a process that answers at once it sends "
                (format!("{:.0}", calibration.capacity)) " a second; the scenario wants "
                (format!("{:.0}", calibration.highest_rate)) ". It began validations "
                (ms(calibration.lag.quantile(0.99))) " late (p99) with nothing else to do, and "
                (ms(run.lag.quantile(0.99))) " late while the fleet ran." }
            p { "The mail servers are simulated, in processes of their own. They write every session \
                down; limits, addresses and repeated logins are judged from that afterwards, without \
                asking the fleet. " (run.counts.sessions) " sessions for " (run.counts.asked)
                " validations were judged; " (run.counts.repeated_logins) " logins came twice, "
                (run.counts.retries) " calls were repeated." }
        },
    )
}

/// What must not be read into it.
pub(super) fn not_shown(run: &RunResult) -> Markup {
    section(
        "What this does not show",
        html! {
            ul {
                li { "Real mail servers: simulated ones are prompt, near and of one mind." }
                li { "Networks: everything talks over loopback, without delay or loss." }
                li { "A machine each: generator, mail servers, broker, database and fleet share the \
                    processors, so that throughput here is that of all of them together." }
                @if !run.counts.is_pool_known {
                    li { "The fleet itself: it was there before the run and is known by its gateways \
                        alone. How large it is, which limits, quotas and source addresses it has, what \
                        else it had to do, and what its processes used was not seen." }
                }
                @for line in &run.not_shown { li { (line) } }
            }
        },
    )
}

/// A span as people write it.
pub(super) fn ms(span: Option<Duration>) -> String {
    match span.map(|span| span.as_secs_f64()) {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) if seconds < 10.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

fn length(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.1} min", seconds / 60.0) }
}
