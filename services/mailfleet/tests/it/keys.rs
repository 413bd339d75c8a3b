//! Key files as an administrator handles them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::command::{Ended, mailfleet};

/// Runs in a folder of its own, where `mailfleet.keys` is the configured file.
fn run(folder: &TempDir, args: &[&str]) -> Ended {
    let mut command = mailfleet(&[&["keys"], args].concat());
    command.current_dir(folder.path()).output().expect("the binary runs").into()
}

fn good(folder: &TempDir, args: &[&str]) -> String {
    let ended = run(folder, args);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
    ended.stdout
}

#[track_caller]
fn refused(folder: &TempDir, args: &[&str], status: i32, text: &str) {
    let ended = run(folder, args);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), ""), "{ended:?}");
    assert_eq!(ended.stderr, format!("error: {text}\n"));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// The ids that `list` shows, in its order.
fn ids(folder: &TempDir) -> Vec<String> {
    let lines = good(folder, &["list", "--json"]);
    let id = |line: &str| {
        let key: serde_json::Value = serde_json::from_str(line).expect("a document a line");
        key["id"].as_str().expect("an id").to_owned()
    };
    lines.lines().map(id).collect()
}

#[test]
fn a_key_is_made_rotated_and_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mailfleet.keys");
    let made = good(&folder, &["generate"]);
    assert_eq!(mode(&path), 0o600);
    let first = ids(&folder);
    assert!(made.starts_with(&format!("mailfleet.keys holds the new key {}\n", first[0])));

    let rotated = good(&folder, &["rotate"]);
    assert_eq!(mode(&path), 0o600);
    let both = ids(&folder);
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    let expect = format!("the key {} seals from now on; 1 older key opens", both[0]);
    assert!(rotated.starts_with(&expect), "{rotated}");
    let table = good(&folder, &["list"]);
    let uses: Vec<_> = table.lines().filter_map(|line| line.splitn(3, "  ").nth(2)).collect();
    assert_eq!(uses, ["seals and opens", "opens"]);

    let primary = format!("the key {} is the primary one: rotate first", both[0]);
    refused(&folder, &["retire", &both[0]], 2, &primary);
    good(&folder, &["retire", &both[1]]);
    assert_eq!(ids(&folder), both[..1]);
    let unknown =
        format!("the key ring holds no key {}; 'mailfleet keys list' shows them", both[1]);
    refused(&folder, &["retire", &both[1]], 2, &unknown);
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    good(&folder, &["generate", "--key-file", "other.keys"]);
    let before = fs::read(folder.path().join("other.keys")).expect("a file");
    let taken = "other.keys is already there; nothing was changed";
    refused(&folder, &["generate", "--key-file", "other.keys"], 2, taken);
    good(&folder, &["generate"]);
    refused(&folder, &["public", "other.keys"], 2, taken);
    assert_eq!(fs::read(folder.path().join("other.keys")).expect("a file"), before);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    good(&folder, &["generate"]);
    let path = folder.path().join("mailfleet.keys");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("our own file");
    for args in [&["list"][..], &["public", "public.keys"]] {
        let text = "the key file mailfleet.keys may be used by others (its mode is 0640): \
                    set it to 0600";
        refused(&folder, args, 2, text);
    }
    assert_eq!(run(&folder, &["rotate"]).status, Some(2));
}

#[test]
fn the_configuration_names_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("mailfleet.toml");
    fs::write(&config, "[vault]\nkey_file = \"configured.keys\"\n").expect("a free place");
    good(&folder, &["generate", "--config", "mailfleet.toml"]);
    assert_eq!(mode(&folder.path().join("configured.keys")), 0o600);
    let missing = "there is no key file mailfleet.keys; 'mailfleet keys generate' makes one";
    refused(&folder, &["list"], 2, missing);
}

#[test]
fn the_public_half_opens_nothing_and_no_key_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let outputs = [
        good(&folder, &["generate"]),
        good(&folder, &["rotate"]),
        good(&folder, &["list"]),
        good(&folder, &["public", "public.keys"]),
    ];
    let public = folder.path().join("public.keys");
    assert_eq!(mode(&public), 0o600);
    let public = fs::read_to_string(public).expect("a file");
    let private = fs::read_to_string(folder.path().join("mailfleet.keys")).expect("a file");
    let words = |prefix: &'static str| {
        private.lines().filter(move |line| line.starts_with(prefix)).filter_map(last_word)
    };
    assert_eq!(words("key ").count(), 2);
    for key in words("key ").chain(words("index ")) {
        assert!(outputs.iter().all(|output| !output.contains(key)));
    }
    assert!(words("key ").all(|key| !public.contains(key)));
    assert!(words("index ").all(|key| public.contains(key)));
    let wrong = "the key file public.keys is wrong: line 1 is not 'mailfleet-keys v1 private'";
    refused(&folder, &["list", "--key-file", "public.keys"], 2, wrong);
}

fn last_word(line: &str) -> Option<&str> {
    line.split(' ').next_back()
}
