//! A page about a fault: title, what happened, who can fix it, what to do.

use mailfleet_remedy::{Language, Page, wording};

use super::{BOLD, paint, wrap};

/// Which parts of a page are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// Without the sources: within a report.
    Body,
    /// All of it.
    All,
}

/// Renders the sections of a page, without its title. Ends in a line break.
pub(crate) fn sections(page: &Page, language: Language, parts: Parts, width: usize) -> String {
    let [happened, who, to_do, sources] = wording::headings(language);
    let mut text = String::new();
    for (heading, lines) in [(happened, &page.what_happened), (who, &page.who)] {
        section(&mut text, heading);
        text.push_str(&wrap::paragraph("    ", &language.paragraph(lines), width));
    }
    section(&mut text, to_do);
    for (index, line) in page.what_to_do.iter().enumerate() {
        text.push_str(&wrap::paragraph(&format!("   {:>2}. ", index + 1), line, width));
    }
    if parts == Parts::All && !page.sources.is_empty() {
        section(&mut text, sources);
        for line in &page.sources {
            text.push_str(&wrap::paragraph("    - ", line, width));
        }
    }
    text
}

fn section(text: &mut String, heading: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    text.push_str(&format!("{gap}  {}\n", paint(BOLD, heading)));
}
