//! What each fault means and what to do about it, for people, in English and Japanese.
//!
//! One Markdown page for every code and language, under `pages/`; a code without both pages
//! does not compile. A page speaks in terms of a report's evidence through placeholders; a
//! line whose placeholders have no value is left out, so no page ever shows a gap.
//! Apart from the rest because texts are reviewed by other eyes than code. Never decides
//! anything: who must act and whether to retry is `mailfleet_model`'s.

mod facts;
mod format;
mod language;
mod library;
mod page;
mod placeholder;
mod remark;
mod support;
mod value;
pub mod wording;

#[cfg(test)]
mod fixtures;

pub use facts::Facts;
pub use language::{Language, UnknownLanguage};
pub use page::{Page, page, remedy};
pub use placeholder::Placeholder;
pub use remark::remark;
pub use support::support_block;
