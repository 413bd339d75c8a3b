//! The canary in a gateway's files: a password is in none of them, sealed or not at all.

use std::path::Path;

use base64::Engine as _;
use mailfleet_mailsim::{Fault, Recorder, Server, Step};

use crate::check::{ADDRESS, start};
use crate::command::PASSWORD;
use crate::place::{PATIENCE, Place};

/// The password as it could be written: plain, in the encodings of mail, as hexadecimal digits.
fn forms() -> Vec<Vec<u8>> {
    let base64 = base64::engine::general_purpose::STANDARD;
    let plain = format!("\0{ADDRESS}\0{PASSWORD}");
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = [PASSWORD.to_owned(), base64.encode(PASSWORD), base64.encode(plain), hex];
    texts.into_iter().map(String::into_bytes).chain([b"CANARY".to_vec(), wide]).collect()
}

/// Looks through every file of the place, and gives the names of those that are there.
#[track_caller]
fn searched(folder: &Path, when: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a readable file");
        for form in forms() {
            let found = bytes.windows(form.len()).any(|window| window == form);
            assert!(!found, "{when}: {} in {}", String::from_utf8_lossy(&form), path.display());
        }
        names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_file_and_no_output_of_a_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::at(folder.path()).with("RUST_LOG", "trace").with("RUST_BACKTRACE", "full");
    let gateway = place.start().await;
    let wrong =
        |server: Server| server.mailbox(ADDRESS, "another").at(Step::Login, Fault::EchoPassword);
    let mut ends = Vec::new();
    for server in [Server::imap(), Server::pop3(), Server::smtp()] {
        let right = start(server.clone()).await;
        ends.push((gateway.check(&right, &["--json"]).await, 0));
        let wrong = wrong(server).start().await.expect("the server starts");
        ends.push((gateway.check(&wrong, &["--json"]).await, 1));
    }
    // While jobs are open their credentials lie in the store.
    let stuck = start(Server::imap().at(Step::Login, Fault::Silent)).await;
    let (mut while_open, mut job) = (Vec::new(), String::new());
    let (told, ()) = tokio::join!(gateway.check(&stuck, &["--json"]), async {
        let waits = |recorder: &Recorder| recorder.sessions().current == 1;
        assert!(stuck.recorder().wait_until(PATIENCE, waits).await, "the check has begun");
        while_open = searched(folder.path(), "while a job is open");
        let open = gateway.job(&["list", "--state", "open", "--json"]).await;
        let open: serde_json::Value = serde_json::from_str(&open.stdout).expect("one job");
        open["jobId"].as_str().expect("an id").clone_into(&mut job);
        assert_eq!(gateway.job(&["cancel", &job]).await.status, Some(0));
    });
    ends.push((told, 4));
    for name in ["log", "mailfleet.db", "mailfleet.db-wal", "mailfleet.keys"] {
        assert!(while_open.iter().any(|found| found == name), "{name}: {while_open:?}");
    }
    searched(folder.path(), "after the jobs");
    let shown = gateway.job(&["show", &job, "--json"]).await;
    ends.push((shown, 4));
    let (status, rest) = gateway.ended().await;
    assert_eq!(status, Some(0));
    searched(folder.path(), "after the end");
    for (told, status) in &ends {
        assert_eq!(told.status, Some(*status), "{}{}", told.stdout, told.stderr);
        for text in [&told.stdout, &told.stderr, &rest] {
            let told = forms().into_iter().filter_map(|form| String::from_utf8(form).ok());
            let form = told.filter(|form| !form.contains('\0')).find(|form| text.contains(form));
            assert_eq!(form, None, "{text}");
        }
    }
    let log = place.log();
    assert!(log.contains("DEBUG") && log.contains("job ended"), "the log is on:\n{log}");
}
