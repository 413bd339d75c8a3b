//! Values of placeholders before a language is chosen.
//!
//! Kept apart from text so that one set of facts can be told in every language: durations,
//! times, steps and modes are worded when a page is rendered.

use std::time::{Duration, SystemTime};

use mailfleet_model::{Security, StepKind};

use crate::format;
use crate::language::Language;
use crate::wording;

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// The same in every language.
    Text(String),
    /// Items of a list.
    List(Vec<String>),
    /// A span of time.
    Span(Duration),
    /// A moment.
    Moment(SystemTime),
    /// A step of a leg.
    Step(StepKind),
    /// How a connection becomes confidential.
    Security(Security),
}

impl Value {
    /// The value in words, on one line.
    pub(crate) fn render(&self, language: Language) -> String {
        match self {
            Self::Text(text) => one_line(text),
            Self::List(items) => one_line(&items.join(language.list_separator())),
            Self::Span(span) => format::span(*span, language),
            Self::Moment(moment) => format::moment(*moment),
            Self::Step(kind) => wording::step_kind(*kind, language).to_owned(),
            Self::Security(security) => wording::security(*security, language).to_owned(),
        }
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Span(_) | Self::Moment(_) | Self::Step(_) | Self::Security(_) => false,
        }
    }
}

/// Keeps a value within its sentence: a line break in a certificate's name or a server's words
/// must not look like a line of the page, nor move a terminal's cursor.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
