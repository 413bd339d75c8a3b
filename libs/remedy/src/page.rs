//! Pages: read from Markdown, filled with facts.
//!
//! The form is fixed: a title, four headings in order, one sentence a line. A line that names
//! a placeholder without a value is left out. Values are put in once and never read again for
//! placeholders, so a server cannot write into the page around its words.

use mailfleet_model::FaultCode;

use crate::facts::Facts;
use crate::language::Language;
use crate::library;
use crate::placeholder::Placeholder;
use crate::wording;

/// One page, ready to be shown. Every list holds one sentence an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The trouble in a few words.
    pub title: String,
    /// What happened.
    pub what_happened: Vec<String>,
    /// Who can fix it.
    pub who: Vec<String>,
    /// What to do, in order, without numbers.
    pub what_to_do: Vec<String>,
    /// Where this is known from.
    pub sources: Vec<String>,
}

/// The page of a code as general knowledge, without a report: only the lines that hold for
/// every case.
#[must_use]
pub fn page(code: FaultCode, language: Language) -> Page {
    remedy(code, language, &Facts::default())
}

/// The page of a code in terms of a report's facts.
#[must_use]
pub fn remedy(code: FaultCode, language: Language, facts: &Facts) -> Page {
    let template = parse(library::text(code, language), language)
        .expect("the tests parse every page that is compiled in");
    let fill = |lines: &[&str]| -> Vec<String> {
        lines.iter().filter_map(|line| render(line, language, facts)).collect()
    };
    Page {
        title: template.title.to_owned(),
        what_happened: fill(&template.sections[0]),
        who: fill(&template.sections[1]),
        what_to_do: fill(&template.sections[2]),
        sources: fill(&template.sections[3]),
    }
}

/// A page as written: title and the lines of the four sections, without numbers and bullets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template<'a> {
    pub(crate) title: &'a str,
    pub(crate) sections: [Vec<&'a str>; 4],
}

/// Why a text is not a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed<'a> {
    /// The first line is not `# Title`.
    Title,
    /// A heading is missing, unknown or out of order.
    Heading(&'a str),
    /// A line stands outside the sections, or without its number or bullet.
    Line(&'a str),
    /// Braces that hold no known placeholder.
    Placeholder(&'a str),
}

/// Reads a page, strictly.
pub(crate) fn parse(text: &str, language: Language) -> Result<Template<'_>, Malformed<'_>> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let title = lines.next().and_then(|l| l.strip_prefix("# ")).ok_or(Malformed::Title)?;
    let headings = wording::headings(language);
    let mut sections: [Vec<&str>; 4] = Default::default();
    let mut seen = 0;
    for line in lines {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim_start();
            if headings.get(seen) != Some(&heading) {
                return Err(Malformed::Heading(line));
            }
            seen += 1;
            continue;
        }
        let section = seen.checked_sub(1).and_then(|index| sections.get_mut(index));
        let section = section.ok_or(Malformed::Line(line))?;
        let bare = strip_marker(line, seen, section.len() + 1).ok_or(Malformed::Line(line))?;
        pieces(bare)?;
        section.push(bare);
    }
    if seen != headings.len() {
        return Err(Malformed::Heading(""));
    }
    Ok(Template { title, sections })
}

/// Takes the number off a step and the bullet off a source.
fn strip_marker(line: &str, section: usize, number: usize) -> Option<&str> {
    match section {
        3 => line.strip_prefix(&format!("{number}. ")),
        4 => line.strip_prefix("- "),
        _ => Some(line),
    }
}

/// A stretch of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Plain(&'a str),
    Place(Placeholder),
}

/// Splits a line at its placeholders.
pub(crate) fn pieces(line: &str) -> Result<Vec<Piece<'_>>, Malformed<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((plain, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').ok_or(Malformed::Placeholder(line))?;
        let place = name.parse().map_err(|_| Malformed::Placeholder(line))?;
        found.push(Piece::Plain(plain));
        found.push(Piece::Place(place));
        rest = tail;
    }
    found.push(Piece::Plain(rest));
    Ok(found)
}

/// The line with its values, or nothing if one of them is missing.
fn render(line: &str, language: Language, facts: &Facts) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    for piece in pieces(line).expect("parse has read this line") {
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Place(place) => text.push_str(&facts.text(place, language)?),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests;
