//! The gateway of mailfleet: takes requests, runs validations, answers with reports.

pub mod validate;

pub use validate::{Run, Validator};
