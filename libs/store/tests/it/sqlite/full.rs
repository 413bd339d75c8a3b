//! A file that cannot grow: said, and over as soon as there is room.
//!
//! The limit is that of a process, so this runs in one of its own: this test binary,
//! started again with another task.

use std::process::Command;

use mailfleet_model::fleet::{LegDraft, Payload, Store, StoreError};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use crate::conformance::{Place, read, submit};
use crate::decisions::accept;
use crate::samples::{self, crm, leg_draft};
use crate::sqlite::File;

/// Says to the child that it is one.
const CHILD: &str = "MAILFLEET_TEST_SMALL_FILES";

/// Longest file while there is no room, in bytes.
const LONGEST: u64 = 2 * 1024 * 1024;

/// Not a test by itself.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    // The system tells a writer by a signal, and by an error once that is blocked. Threads
    // that are started later block it too.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill());
}

async fn fill() {
    let file = File::new();
    let store = file.open().await;
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, LONGEST, hard).unwrap();
    let large = |number| {
        let payload = Payload(vec![7; 100_000]);
        samples::with_legs(number, vec![LegDraft { payload, ..leg_draft() }])
    };
    let mut stored = 0;
    let error = loop {
        match store.submit(&large(stored + 1), accept).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "the limit does not hold");
    };
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
    assert!(1 < stored);
    // Reading goes on, and the job that found no room has left nothing.
    assert_eq!(read(&store, stored).await.legs.len(), 1);
    assert_eq!(store.job(&crm(), samples::job(stored + 1)).await.unwrap(), None);
    assert_eq!(u128::from(store.usage(&crm()).await.unwrap().interactive), stored);
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    submit(&store, &large(stored + 1)).await;
    assert_eq!(read(&store, stored + 1).await.legs[0].leg.payload.0.len(), 100_000);
}

#[test]
fn a_full_disk_is_said_and_ends() {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::full::child", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
