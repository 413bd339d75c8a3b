//! What fuzzing begins with: recorded dialogues, labelled replies, and files of bytes.
//!
//! Read from `testdata` at run time. `testdata/fuzz/TARGET` holds what no recording has.

use std::fs;
use std::path::{Path, PathBuf};

/// The seeds of a target: those made for it, and recordings for those that read text.
///
/// # Panics
/// If the test data cannot be read.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = files(&testdata().join("fuzz").join(target));
    match target {
        "hello" | "certificate" | "first_bytes" | "sasl" | "utf7" | "message" => {}
        // The first byte says how the stream is cut.
        "lines" | "imap_responses" | "imap_session" | "smtp" | "pop3" => {
            seeds.extend(said_by_servers().into_iter().map(|seed| [b"@", &*seed].concat()));
        }
        _ => {
            seeds.extend(said_by_servers());
            seeds.extend(labelled_replies());
        }
    }
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// The content of a folder's files; none if there is no such folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

/// The server's side of each recorded session: lines that begin with `S[time]: `.
fn said_by_servers() -> Vec<Vec<u8>> {
    let recordings = files(&testdata().join("transcripts"));
    let recordings = recordings.iter().map(|bytes| String::from_utf8_lossy(bytes));
    recordings.flat_map(|text| text.split("\n===").map(said).collect::<Vec<_>>()).collect()
}

fn said(session: &str) -> Vec<u8> {
    let line = |line: &str| Some(line.strip_prefix("S[")?.split_once("]: ")?.1.to_owned());
    session.lines().filter_map(line).flat_map(|line| format!("{line}\r\n").into_bytes()).collect()
}

/// The replies of the labelled collections, with room for four bytes of context.
fn labelled_replies() -> Vec<Vec<u8>> {
    let collections = files(&testdata().join("replies"));
    let text = |line: &str| {
        let (_, rest) = line.split_once("\"reply\": \"")?;
        let (reply, _) = rest.split_once("\", \"codes\"")?;
        Some([b"\x03\x00\xb0\x00", reply.as_bytes()].concat())
    };
    let all = collections.iter().flat_map(|bytes| std::str::from_utf8(bytes).unwrap_or("").lines());
    all.filter_map(text).collect()
}
