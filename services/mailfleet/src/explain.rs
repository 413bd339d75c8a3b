//! `explain CODE` and `faults`: the knowledge about faults, without a check.

use std::fmt::Write as _;

use anstyle::Style;
use mailfleet_model::FaultCode;
use mailfleet_model::fault::Retry;
use mailfleet_remedy::{Language, Page, page, wording};
use serde_json::{Value, json};

use crate::args::{ExplainArgs, FaultsArgs};
use crate::exit::{Error, Exit};
use crate::nearest::nearest;
use crate::output::print;
use crate::render::columns::{self, Cell, cell};
use crate::render::page::{Parts, sections};
use crate::render::{BOLD, CODE, DIM, paint, severity_style, width, wrap};
use crate::span;

/// Explains one code.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit, Error> {
    let code = find(&args.code)?;
    let language = args.output.lang.into();
    let page = page(code, language);
    let text = if args.output.json {
        format!("{}\n", json_of(code, language, &page))
    } else {
        rendered(code, language, &page, width())
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// Lists all codes.
pub(crate) fn faults(args: &FaultsArgs) -> Result<Exit, Error> {
    let language = args.output.lang.into();
    let text = if args.output.json {
        let lines = FaultCode::all().map(|code| json_of(code, language, &page(code, language)));
        lines.map(|line| format!("{line}\n")).collect()
    } else {
        table(language)
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// The code of a name, in any case, with hyphens or underscores.
pub(crate) fn find(given: &str) -> Result<FaultCode, Error> {
    let name = given.trim().to_ascii_uppercase().replace(['-', ' '], "_");
    name.parse().map_err(|_| {
        let close = nearest(&name, FaultCode::all().map(FaultCode::name));
        let mut text = format!("there is no fault code {:?}\n", wrap::clean(given));
        if !close.is_empty() {
            let list = close.iter().map(|name| format!("  {name}\n")).collect::<String>();
            text.push_str(&format!("\nDid you mean:\n{list}"));
        }
        text.push_str("\n'mailfleet faults' lists them all.");
        Error::Request(text)
    })
}

fn rendered(code: FaultCode, language: Language, page: &Page, width: usize) -> String {
    let mut text = format!("{}\n", paint(CODE, code));
    for line in wrap::lines(&page.title, width) {
        writeln!(text, "{}", paint(BOLD, line)).expect("writing to a String cannot fail");
    }
    let actor = wording::actor(code.actor(), language);
    let severity = wording::severity(code.severity(), language);
    let phase = wording::phase(code.phase(), language);
    let retry = retry_words(code.retry(), language);
    format!("{text}{severity} · {phase} · {actor} · {retry}\n\n{}", {
        sections(page, language, Parts::All, width)
    })
}

fn json_of(code: FaultCode, language: Language, page: &Page) -> Value {
    json!({
        "code": code.name(),
        "phase": code.phase().to_string(),
        "severity": code.severity().to_string(),
        "actor": code.actor().to_string(),
        "retry": retry_name(code.retry()),
        "language": language.code(),
        "title": page.title,
        "whatHappened": page.what_happened,
        "who": page.who,
        "whatToDo": page.what_to_do,
        "sources": page.sources,
    })
}

fn table(language: Language) -> String {
    let headings = match language {
        Language::English => ["Code", "Phase", "Severity", "Who acts", "Retry", "Meaning"],
        Language::Japanese => ["コード", "段階", "重大度", "対応する人", "再試行", "意味"],
    };
    let mut rows: Vec<[Cell; 6]> = vec![headings.map(|text| cell(BOLD, text))];
    rows.extend(FaultCode::all().map(|code| {
        let severity = wording::severity(code.severity(), language);
        [
            cell(CODE, code),
            cell(Style::new(), wording::phase(code.phase(), language)),
            cell(severity_style(code.severity()), severity),
            cell(Style::new(), wording::actor(code.actor(), language)),
            cell(DIM, retry_words(code.retry(), language)),
            cell(Style::new(), page(code, language).title),
        ]
    }));
    let width = |column: usize| columns::widest(rows.iter().filter_map(|row| row.get(column)));
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    rows.iter().map(|row| columns::row(row, &widths)).collect()
}

/// The retry class as reports name it.
fn retry_name(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "NEVER",
        Retry::AfterFix => "AFTER_FIX",
        Retry::Backoff { .. } => "BACKOFF",
        Retry::ServerHint(_) => "SERVER_HINT",
    }
}

fn retry_words(retry: Retry, language: Language) -> String {
    let (english, japanese) = match retry {
        Retry::Never => ("no use trying again".to_owned(), "再試行しても解決しません".to_owned()),
        Retry::AfterFix => ("after a fix".to_owned(), "修正後".to_owned()),
        Retry::Backoff { min, max } => {
            let (min, max) = (minutes(min), minutes(max));
            (format!("after {min} to {max} min"), format!("{min}～{max}分後"))
        }
        Retry::ServerHint(wait) => {
            let wait = span::brief(wait);
            (format!("after {wait}"), format!("{wait}後"))
        }
    };
    match language {
        Language::English => english,
        Language::Japanese => japanese,
    }
}

fn minutes(span: std::time::Duration) -> u64 {
    span.as_secs().div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_typed() {
        for given in ["TLS_CERT_EXPIRED", "tls-cert-expired", " tls cert expired "] {
            assert_eq!(find(given).ok(), Some(FaultCode::TlsCertExpired), "{given}");
        }
    }

    #[test]
    fn an_unknown_code_comes_with_suggestions() {
        let error = find("CERT_EXPIRED").expect_err("there is no such code");
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.text().contains("Did you mean:\n  TLS_CERT_EXPIRED\n"), "{}", error.text());
        assert!(!find("\u{1b}[2J").expect_err("no code").text().contains('\u{1b}'));
    }

    #[test]
    fn an_explanation_reads_well_in_both_languages() {
        for language in [Language::English, Language::Japanese] {
            let code = FaultCode::TlsCertNameMismatch;
            let text = rendered(code, language, &page(code, language), 80);
            let plain = anstream::adapter::strip_str(&text).to_string();
            insta::assert_snapshot!(format!("explain_{language}"), plain);
        }
    }
}
