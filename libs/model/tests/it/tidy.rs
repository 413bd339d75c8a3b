//! Holds every source file to the house rules that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines. Longer ones hold more than one idea.
const MAX_LINES: usize = 500;

#[test]
fn every_source_file_is_short_and_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).expect("a readable file");
        let name = file.strip_prefix(crate::root()).expect("below the root").display().to_string();
        if text.lines().count() > MAX_LINES {
            wrong.push(format!("{name}: longer than {MAX_LINES} lines"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{name}: does not begin with a //! header"));
        }
        if text.contains("#[ignore") || text.contains("#[should_panic") {
            wrong.push(format!(
                "{name}: holds a test that does not run or cannot tell why it failed"
            ));
        }
    }
    // This file names the attributes that it looks for.
    wrong.retain(|line| !line.starts_with("libs/model/tests/it/tidy.rs"));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_test_folder_is_one_binary() {
    for crate_folder in ["libs", "services"] {
        for entry in fs::read_dir(crate::root().join(crate_folder)).expect("a folder") {
            let tests = entry.expect("an entry").path().join("tests");
            let Ok(entries) = fs::read_dir(&tests) else { continue };
            for entry in entries {
                let path = entry.expect("an entry").path();
                let stray = path.extension().is_some_and(|ext| ext == "rs");
                assert!(!stray, "{}: belongs into tests/it/", path.display());
            }
        }
    }
}

/// All Rust files of the workspace's own folders.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["libs", "services", "loadtest", "deploy"].map(|name| crate::root().join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if is_rust(&path) {
                files.push(path);
            }
        }
    }
    files
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}
