//! Compares a report with what its row expects, and tells what differs.

use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{Fault, FaultCode, Report, StepKind};

use super::row::{Row, Shows};

/// What differs, one sentence each.
pub(super) fn compare(row: &Row, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    if report.verdict != row.verdict {
        wrong.push(format!("the verdict is {}, not {}", report.verdict, row.verdict));
    }
    let codes: Vec<FaultCode> = report.faults.iter().map(|fault| fault.code).collect();
    if codes.first() != row.codes.first() || sorted(&codes) != sorted(&row.codes) {
        wrong.push(format!("the faults are {codes:?}, not {:?}", row.codes));
    }
    wrong.extend(row.shows.iter().filter_map(|what| lacks(*what, report)));
    wrong
}

fn sorted(codes: &[FaultCode]) -> Vec<FaultCode> {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    codes
}

/// What is wrong, if the report does not show this.
fn lacks(what: Shows, report: &Report) -> Option<String> {
    let headline = report.faults.first();
    let shown =
        match what {
            Shows::Mechanism(name) => tried(report, name),
            Shows::Software(name) => report.legs.iter().any(|leg| {
                leg.server_software.as_ref().is_some_and(|software| software.name == name)
            }),
            Shows::Suggestion(reason) => report.suggestions.iter().any(|s| s.reason == reason),
            Shows::Fact(kind, text) => headline.is_some_and(|fault| holds(fault, kind, text)),
            Shows::Words(text) => headline
                .and_then(|fault| fault.evidence.server_text.as_deref())
                .is_some_and(|words| words.contains(text)),
            Shows::Alternative(code) => {
                headline.is_some_and(|fault| fault.alternatives.contains(&code))
            }
            Shows::TlsVersion(version) => report.legs.iter().any(|leg| {
                leg.tls.as_ref().and_then(|tls| tls.version.as_deref()) == Some(version)
            }),
            Shows::Marked(role, name) => report
                .legs
                .iter()
                .flat_map(|leg| &leg.marks.folders)
                .any(|mark| mark.role == role && mark.name == name),
            Shows::FoundIn(role) => report
                .arrival
                .as_ref()
                .and_then(|arrival| arrival.found.as_ref())
                .is_some_and(|found| found.1 == role),
            Shows::SentCopy(copy) => report.sent_copy == copy,
            Shows::NotReached(kind) => {
                report.legs.iter().flat_map(|leg| &leg.steps).all(|step| step.kind != kind)
            }
            Shows::OneLoginOnly => {
                let tried = report.legs.iter().filter(|leg| leg.login != LoginOutcome::NotTried);
                tried.count() == 1
            }
            // Looked at on the server, once the report is right.
            Shows::OnlyInTrash => true,
        };
    (!shown).then(|| format!("the report does not show {what:?}"))
}

/// Whether a leg tried to log in by this mechanism, with or without success.
fn tried(report: &Report, name: &str) -> bool {
    let mut steps = report.legs.iter().flat_map(|leg| &leg.steps);
    let mut faults = report.faults.iter();
    steps.any(|step| step.kind == StepKind::Login && step.detail.as_deref() == Some(name))
        || faults.any(|fault| fault.evidence.mechanism.as_deref() == Some(name))
}

fn holds(fault: &Fault, kind: mailfleet_model::FactKind, text: &str) -> bool {
    let mut facts = fault.evidence.facts.iter();
    facts.any(|fact| fact.kind == kind && fact.value.contains(text))
}

/// The report in short, for a person who wonders why.
pub(super) fn describe(report: &Report) -> String {
    let mut lines = Vec::new();
    for fault in &report.faults {
        let evidence = &fault.evidence;
        lines.push(format!(
            "    {} {} at {} ({:?}, maybe {:?}): {:?} {:?} mechanism {:?} facts {:?}",
            fault.leg,
            fault.code,
            fault.phase,
            fault.confidence,
            fault.alternatives,
            evidence.server_text,
            evidence.response_code,
            evidence.mechanism,
            evidence.facts,
        ));
    }
    for leg in &report.legs {
        let steps: Vec<String> = leg
            .steps
            .iter()
            .map(|step| {
                let detail = step.detail.as_deref().unwrap_or_default();
                format!(
                    "{} {} {} ms {detail:.60}",
                    step.kind,
                    step.outcome,
                    step.elapsed.as_millis()
                )
            })
            .collect();
        lines.push(format!("    {} at {}: {}", leg.leg, leg.endpoint, steps.join("; ")));
        lines.push(format!(
            "    software {:?}, suggestions {:?}, marks {:?}, arrival {:?}",
            leg.server_software, report.suggestions, leg.marks, leg.arrival
        ));
    }
    lines.join("\n")
}
