//! The report as it leaves: the conversion, and the remedies in the reader's language.

use mailfleet_api::v1;
use mailfleet_model::Report;
use mailfleet_remedy::{Facts, Language, Page, remedy};

/// The report as a message, with a remedy for every fault if a language is given.
#[must_use]
pub fn report_message(report: &Report, language: Option<Language>) -> v1::Report {
    let mut message = v1::Report::from(report);
    let Some(language) = language else { return message };
    for (fault, told) in message.faults.iter_mut().zip(&report.faults) {
        let page = remedy(told.code, language, &Facts::from_report(report, told));
        fault.remedy = Some(remedy_message(page, language));
    }
    message
}

pub(crate) fn remedy_message(page: Page, language: Language) -> v1::Remedy {
    v1::Remedy {
        language: language.code().to_owned(),
        title: page.title,
        what_happened: page.what_happened,
        who_can_fix_it: page.who,
        what_to_do: page.what_to_do,
    }
}
