//! Holds the import table of ARCHITECTURE.md against the manifests.
//!
//! A crate exists because of what it must not import; this is where that is checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use toml::{Table, Value};

/// Folder, the workspace crates it may import, and outside crates it must not import.
/// Centre first; a crate may only name crates above it.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("libs/model", &[], &["tokio", "serde", "prost", "tonic", "rustls"]),
    ("libs/remedy", &["model"], &["tokio", "serde", "prost", "tonic", "rustls"]),
    ("libs/engine", &["model"], &["tokio", "serde", "prost", "tonic", "rustls"]),
    ("libs/api", &["model"], &["rustls", "async-imap", "mail-send", "lapin"]),
    ("libs/telemetry", &["model"], &["prost", "async-imap", "mail-send", "lapin"]),
    ("libs/broker", &["model", "api", "telemetry"], &["tonic", "async-imap", "mail-send"]),
    (
        "libs/store",
        &["model", "telemetry"],
        &["serde", "prost", "tonic", "async-imap", "mail-send", "lapin"],
    ),
    ("libs/probe", &["model"], &["prost", "tonic", "lapin", "opentelemetry"]),
    ("libs/vault", &["model"], &["tokio", "serde", "prost", "tonic", "rustls"]),
    ("libs/mailsim", &[], &["prost", "tonic", "lapin", "async-imap", "mail-send"]),
    (
        "services/gateway",
        &["model", "api", "engine", "probe", "remedy", "telemetry", "vault"],
        &["async-imap", "mail-send"],
    ),
    (
        "services/worker",
        &["model", "api", "engine", "probe", "telemetry", "vault"],
        &["async-imap", "mail-send", "lapin", "tonic"],
    ),
    (
        "services/mailfleet",
        &[
            "model",
            "api",
            "broker",
            "engine",
            "gateway",
            "mailsim",
            "probe",
            "remedy",
            "store",
            "telemetry",
            "vault",
            "worker",
        ],
        &["async-imap", "mail-send", "lapin"],
    ),
    (
        "loadtest",
        &["model", "api", "broker", "engine", "gateway", "mailsim", "probe", "store", "worker"],
        // The reference loop of `bench fleet` talks to the broker with nothing between.
        &["async-imap", "mail-send"],
    ),
];

#[test]
fn every_crate_imports_only_what_the_table_allows() {
    for &(folder, allowed, forbidden) in TABLE {
        for name in imports(folder) {
            if let Some(ours) = name.strip_prefix("mailfleet-") {
                assert!(allowed.contains(&ours), "{folder} imports {name}: not in the table");
            }
            assert!(!forbidden.contains(&name.as_str()), "{folder} must not import {name}");
        }
    }
}

#[test]
fn every_crate_of_the_workspace_stands_in_the_table() {
    let listed: BTreeSet<String> = TABLE.iter().map(|(folder, ..)| (*folder).to_owned()).collect();
    assert_eq!(found(), listed);
}

/// The normal and build dependencies of a crate; tests may import what they like.
fn imports(folder: &str) -> Vec<String> {
    let manifest = crate::root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let manifest: Table = text.parse().expect("valid TOML");
    let names = |section: &str| {
        let table = manifest.get(section).and_then(Value::as_table);
        table.into_iter().flat_map(|t| t.keys().cloned()).collect::<Vec<_>>()
    };
    [names("dependencies"), names("build-dependencies")].concat()
}

/// The folders that hold a crate.
fn found() -> BTreeSet<String> {
    let root = crate::root();
    let inside = |parent: &str| {
        let entries = fs::read_dir(root.join(parent)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<PathBuf>>()
    };
    let mut folders = [inside("libs"), inside("services")].concat();
    folders.push(root.join("loadtest"));
    folders
        .into_iter()
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| folder.strip_prefix(&root).expect("below the root").display().to_string())
        .collect()
}
