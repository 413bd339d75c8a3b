//! The report as people read it: the verdict, what is wrong and what to do about it first,
//! then how that is known.

use std::fmt::Write as _;

use mailfleet_model::suggestion::Suggestion;
use mailfleet_model::{Actor, Evidence, Fault, Leg, Report, SentCopy, Verdict};
use mailfleet_remedy::{Facts, Language, Placeholder, remark, remedy, support_block, wording};

use super::words::{self, Word, word};
use super::{BOLD, CODE, DIM, page, paint, severity_style, steps, verdict_style, wrap};
use crate::span;

/// How a report is told.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    /// The language.
    pub(crate) language: Language,
    /// Columns to fill.
    pub(crate) width: usize,
    /// Who logged in; a report does not hold it.
    pub(crate) names: Names,
    /// When the support block is shown.
    pub(crate) support: Support,
}

/// User names of the legs.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// For incoming legs.
    pub(crate) incoming: String,
    /// For the outgoing leg.
    pub(crate) outgoing: String,
}

/// When the support block is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// Where somebody else than the user must act.
    ForOthers,
    /// Always.
    Always,
}

/// Renders a report. Ends in a line break.
pub(crate) fn report(report: &Report, telling: &Telling) -> String {
    let mut text = String::new();
    let teller = Teller { report, telling };
    teller.verdict(&mut text);
    if let Some((headline, others)) = report.faults.split_first() {
        teller.headline(headline, &mut text);
        teller.others(others, &mut text);
    }
    teller.suggestions(&mut text);
    teller.steps(&mut text);
    teller.closing(&mut text);
    text
}

struct Teller<'a> {
    report: &'a Report,
    telling: &'a Telling,
}

impl Teller<'_> {
    fn word(&self, which: Word) -> &'static str {
        word(which, self.telling.language)
    }

    fn verdict(&self, text: &mut String) {
        let Report { verdict, mailbox, elapsed, .. } = self.report;
        let words = wording::verdict(*verdict, self.telling.language);
        let shown = paint(verdict_style(*verdict), format_args!("{verdict}: {words}"));
        let aside = paint(DIM, format_args!("{mailbox}, {}", span::brief(*elapsed)));
        line(text, format_args!("{shown}\n{aside}"));
    }

    fn headline(&self, fault: &Fault, text: &mut String) {
        let Telling { language, width, .. } = *self.telling;
        let page = remedy(fault.code, language, &self.facts(fault));
        text.push('\n');
        for part in wrap::lines(&page.title, width) {
            line(text, format_args!("{}", paint(BOLD, part)));
        }
        line(text, format_args!("{}", self.place(fault)));
        text.push('\n');
        text.push_str(&page::sections(&page, language, page::Parts::Body, width));
        let evidence = self.evidence(fault);
        if !evidence.is_empty() {
            line(text, format_args!("\n  {}", paint(BOLD, self.word(Word::Evidence))));
            text.push_str(&evidence);
        }
    }

    /// The code, the leg, the phase, how bad and how sure.
    fn place(&self, fault: &Fault) -> String {
        let language = self.telling.language;
        let severity = wording::severity(fault.severity, language);
        format!(
            "{}  {} · {} · {} · {}",
            paint(CODE, fault.code),
            wording::leg(fault.leg, language),
            wording::phase(fault.phase, language),
            paint(severity_style(fault.severity), severity),
            wording::confidence(fault.confidence, language),
        )
    }

    fn others(&self, faults: &[Fault], text: &mut String) {
        if faults.is_empty() {
            return;
        }
        let Telling { language, width, .. } = *self.telling;
        self.heading(Word::AlsoFound, text);
        for fault in faults {
            let page = remedy(fault.code, language, &self.facts(fault));
            line(text, format_args!("  {}", self.place(fault)));
            text.push_str(&wrap::paragraph("    ", &page.title, width));
            if let Some(first) = page.what_to_do.first() {
                text.push_str(&wrap::paragraph("    → ", first, width));
            }
            text.push_str(&self.evidence(fault));
        }
    }

    /// What the page may speak of: the report's facts and the user name.
    fn facts(&self, fault: &Fault) -> Facts {
        let names = &self.telling.names;
        let name = match fault.leg {
            Leg::Smtp => &names.outgoing,
            Leg::Imap
            | Leg::Pop3
            | Leg::Ews
            | Leg::Graph
            | Leg::Discovery
            | Leg::Roundtrip
            | Leg::System => &names.incoming,
        };
        Facts::from_report(self.report, fault).with(Placeholder::Username, name.clone())
    }

    /// What was seen, as labelled lines.
    fn evidence(&self, fault: &Fault) -> String {
        let Evidence { server_text, response_code, smtp_code, enhanced_code, .. } = &fault.evidence;
        let Evidence { command, mechanism, tls_alert, attempts, .. } = &fault.evidence;
        let response_code = response_code.as_ref().map(|code| format!("[{code}]"));
        let smtp = smtp_code.map(|code| code.to_string());
        let codes = [smtp, enhanced_code.clone(), response_code, tls_alert.map(wording::tls_alert)];
        let asked = [command.clone(), mechanism.clone()];
        let note = fault.evidence.fact(mailfleet_model::FactKind::Note);
        let others: Vec<&str> = fault.alternatives.iter().map(|code| code.name()).collect();
        let mut text = String::new();
        self.labelled(Word::ServerSaid, server_text.as_deref().unwrap_or_default(), &mut text);
        self.labelled(Word::Codes, &join(codes), &mut text);
        self.labelled(Word::InAnswerTo, &join(asked), &mut text);
        for attempt in attempts {
            let took = span::brief(attempt.elapsed);
            let tried = format!("{} {} ({took})", attempt.address, attempt.outcome);
            self.labelled(Word::Tried, &tried, &mut text);
        }
        let note = remark(note.unwrap_or_default(), self.telling.language);
        self.labelled(Word::Note, &note, &mut text);
        self.labelled(Word::MaybeAlso, &others.join(", "), &mut text);
        text
    }

    fn labelled(&self, label: Word, value: &str, text: &mut String) {
        if !value.trim().is_empty() {
            let label = format!("    {}", words::label(label, self.telling.language));
            text.push_str(&wrap::paragraph(&label, value, self.telling.width));
        }
    }

    fn suggestions(&self, text: &mut String) {
        if self.report.suggestions.is_empty() {
            return;
        }
        self.heading(Word::Suggestions, text);
        for suggestion in &self.report.suggestions {
            text.push_str(&self.suggestion(suggestion));
        }
    }

    fn suggestion(&self, suggestion: &Suggestion) -> String {
        let Telling { language, width, .. } = *self.telling;
        let leg = wording::leg(suggestion.leg, language);
        let endpoint = suggestion.endpoint.as_ref().map(|endpoint| format!("{endpoint} – "));
        let reason = words::reason(suggestion.reason, language);
        let proof = words::aside(words::proof(suggestion.proof, language), language);
        let url = suggestion.help_url.as_ref().map(|url| format!(" {url}"));
        let (endpoint, url) = (endpoint.unwrap_or_default(), url.unwrap_or_default());
        let colon = match language {
            Language::English => ": ",
            Language::Japanese => "：",
        };
        let sentence = format!("{leg}{colon}{endpoint}{reason}{proof}{url}");
        wrap::paragraph("  - ", &sentence, width)
    }

    fn steps(&self, text: &mut String) {
        let Telling { language, width, .. } = *self.telling;
        self.heading(Word::Steps, text);
        for leg in &self.report.legs {
            text.push_str(&steps::leg(leg, language, width));
        }
        let arrival = self.report.arrival.as_ref();
        if let Some(((folder, _), after)) = arrival.and_then(|a| a.found.as_ref().zip(a.after)) {
            let after = words::aside(&span::brief(after), language);
            let label = words::label(Word::Arrived, language);
            line(text, format_args!("  {label}{}{after}", wrap::clean(folder)));
        }
        if self.report.sent_copy != SentCopy::Unknown {
            let copy = wording::sent_copy(self.report.sent_copy, language);
            line(text, format_args!("  {}{copy}", words::label(Word::SentCopy, language)));
        }
    }

    /// The support block, or where to get it.
    fn closing(&self, text: &mut String) {
        let Telling { language, support, .. } = *self.telling;
        let others_must_act = match (self.report.verdict, self.report.faults.first()) {
            (Verdict::Healthy, _) | (_, None) => false,
            (Verdict::Faulty | Verdict::Inconclusive, Some(headline)) => {
                headline.actor != Actor::User
            }
        };
        let block = support == Support::Always || others_must_act;
        if block {
            let rule = paint(DIM, "─".repeat(self.telling.width.min(60)));
            let block = support_block(self.report, language);
            line(text, format_args!("\n{rule}\n{}{rule}", clean_lines(&block)));
        }
        if !self.report.faults.is_empty() {
            let hint = if block { "" } else { self.word(Word::SupportHint) };
            let hints = format!("{}\n{hint}", self.word(Word::MoreByExplain));
            line(text, format_args!("\n{}", paint(DIM, hints.trim_end())));
        }
    }

    fn heading(&self, which: Word, text: &mut String) {
        line(text, format_args!("\n{}", paint(BOLD, self.word(which))));
    }
}

/// Each line without what could move the cursor; the lines themselves stay.
fn clean_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", wrap::clean(line))).collect()
}

fn join<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests;
