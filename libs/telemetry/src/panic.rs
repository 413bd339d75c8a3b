//! The panic hook: a panic is logged with its place, never with a text that was put together
//! at run time.
//!
//! `expect` on an error and `panic!` with arguments format values, and a value may be a
//! password. A literal cannot hold one, so a literal is shown.

use std::any::Any;
use std::panic::{self, PanicHookInfo};

/// Replaces the hook of the process.
pub(crate) fn install() {
    panic::set_hook(Box::new(log));
}

fn log(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, ToString::to_string);
    let thread = std::thread::current();
    tracing::error!(
        panic.location = place,
        panic.thread = thread.name().unwrap_or_default(),
        "panic: {}",
        literal(info.payload()).unwrap_or("(text withheld, it may hold a secret)"),
    );
}

/// The message of the panic if it stands in the source code as it is.
fn literal(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(panic: impl FnOnce() + panic::UnwindSafe, expect: Option<&str>) {
        let payload = panic::catch_unwind(panic).expect_err("it panics");
        assert_eq!(literal(payload.as_ref()), expect);
    }

    #[test]
    fn only_literals_are_shown() {
        check(|| panic!("a literal"), Some("a literal"));
        let secret = std::hint::black_box("hunter2".to_owned());
        check(move || panic!("the password is {secret}"), None);
        check(|| panic::panic_any(7_u8), None);
    }
}
