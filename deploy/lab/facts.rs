//! What tests read of the lab: `lab.json`, as README.md describes it, and when a test may be skipped.
//!
//! Each test binary takes this file in by its path (`#[path]`), so that no crate is there for tests
//! alone. It starts nothing and knows no server; what is in the facts is for the test to say.

use std::path::Path;

use serde_json::Value;

/// The facts of the lab that the environment names; `None`, said aloud, if it names none.
///
/// # Panics
/// If a lab is required and there is none, or if its description cannot be read.
pub(crate) fn from_environment() -> Option<Value> {
    let Ok(path) = std::env::var("MAILFLEET_LAB") else {
        return skipped("no lab (deploy/lab/up DIR; export MAILFLEET_LAB=DIR/lab.json)");
    };
    Some(read(Path::new(&path)))
}

/// The facts in a `lab.json`.
///
/// # Panics
/// If it cannot be read.
pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("lab.json can be read");
    serde_json::from_str(&text).expect("lab.json is JSON")
}

/// Says that a test is skipped, and why.
///
/// # Panics
/// If nothing may be missing.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn skipped<T>(why: &str) -> Option<T> {
    assert!(!is_required(), "MAILFLEET_LAB_REQUIRED is set: {why}");
    eprintln!("SKIPPED: {why}");
    None
}

/// Whether a test fails where it lacks something, as in CI.
pub(crate) fn is_required() -> bool {
    std::env::var_os("MAILFLEET_LAB_REQUIRED").is_some()
}
