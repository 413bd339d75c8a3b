//! Which broker this process uses, as spans and metrics name it.

use std::sync::OnceLock;

static SYSTEM: OnceLock<&'static str> = OnceLock::new();

/// Names the broker of the process (`messaging.system`): `rabbitmq`, or `in_process`. The first
/// word counts.
pub fn set_system(name: &'static str) {
    // Said again by a second server in one process: there is one broker a process.
    let _ = SYSTEM.set(name);
}

/// The broker of the process.
pub(crate) fn system() -> &'static str {
    SYSTEM.get().copied().unwrap_or("in_process")
}
