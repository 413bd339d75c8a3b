//! What libraries log in this process, and that the password is not in it.
//!
//! The probe logs nothing itself; what it is built on does, through `log`. In one binary all tests
//! share one logger, which hears all of them.

use std::sync::{Mutex, Once};

/// Everything that was logged.
struct Logged(Mutex<String>);

static LOGGED: Logged = Logged(Mutex::new(String::new()));
static INSTALL: Once = Once::new();

impl log::Log for Logged {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}\n", record.level(), record.target(), record.args());
        self.0.lock().expect("no panic while logging").push_str(&line);
    }

    fn flush(&self) {}
}

/// Hears what is logged from now on, at every level.
pub(crate) fn listen() {
    INSTALL.call_once(|| {
        log::set_logger(&LOGGED).expect("no other logger in this process");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// TLS was heard at work, and the password was not.
#[track_caller]
pub(crate) fn holds_no_secret() {
    let logged = LOGGED.0.lock().expect("no panic while logging").clone();
    assert!(logged.contains("DEBUG rustls::"), "nobody listened");
    // The password, and its base64 at each of the three offsets.
    for leak in ["CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"] {
        let line = logged.lines().find(|line| line.contains(leak));
        assert_eq!(line, None, "{leak} was logged");
    }
}
