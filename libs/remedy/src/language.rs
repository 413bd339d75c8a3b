//! The languages that reports are written in.

use std::fmt;
use std::str::FromStr;

use strum::EnumIter;

/// A language that every page and word exists in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, EnumIter)]
pub enum Language {
    /// English, `en`.
    #[default]
    English,
    /// Japanese, `ja`.
    Japanese,
}

/// The text names no language that pages exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownLanguage;

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the language is not one of en, ja")
    }
}

impl std::error::Error for UnknownLanguage {}

impl Language {
    /// The ISO 639-1 code, as accepted by `from_str`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// Joins sentences to a paragraph: with spaces in English, without in Japanese.
    #[must_use]
    pub fn paragraph(self, sentences: &[String]) -> String {
        match self {
            Self::English => sentences.join(" "),
            Self::Japanese => sentences.concat(),
        }
    }

    /// What stands between the items of a list within a sentence.
    pub(crate) fn list_separator(self) -> &'static str {
        match self {
            Self::English => ", ",
            Self::Japanese => "、",
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// Takes exactly `en` and `ja`.
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        match text {
            "en" => Ok(Self::English),
            "ja" => Ok(Self::Japanese),
            _ => Err(UnknownLanguage),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn codes_round_trip_and_others_are_refused() {
        for language in Language::iter() {
            assert_eq!(language.code().parse(), Ok(language));
        }
        assert_eq!("fr".parse::<Language>(), Err(UnknownLanguage));
        assert_eq!("".parse::<Language>(), Err(UnknownLanguage));
    }
}
