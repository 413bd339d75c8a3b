//! Memory, CPU time and open files of processes, once a second, as the kernel counts them.
//!
//! A broker or a database is a tree of processes: the sum of it is told. Shared memory counts
//! once there (PSS). Memory of a single process is its resident set.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Processes that are trees of processes. Ours are not, although we started the others.
const TREES: [&str; 2] = ["broker", "database"];

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// Seconds since the run began.
    pub(crate) at: f64,
    /// Bytes.
    pub(crate) memory: u64,
    /// CPU time since it began, in seconds.
    pub(crate) cpu: f64,
    /// Open files; none where they cannot be counted.
    pub(crate) files: Option<u64>,
}

/// All looks at the processes of one name, in order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) looks: Vec<Look>,
}

/// Looks at processes, and remembers.
#[derive(Debug, Default)]
pub(crate) struct Watch(BTreeMap<String, Vec<Look>>);

impl Watch {
    /// Looks at each of them; those that have ended are left out.
    pub(crate) fn look(&mut self, at: Duration, processes: &[(String, u32)]) {
        let all = Table::read();
        for (name, pid) in processes {
            if let Some(look) = all.look(*pid, TREES.contains(&name.as_str()), at) {
                self.0.entry(name.clone()).or_default().push(look);
            }
        }
    }

    /// Everything that was seen.
    pub(crate) fn all(self) -> Vec<Watched> {
        self.0.into_iter().map(|(name, looks)| Watched { name, looks }).collect()
    }
}

/// Who is whose child, now.
struct Table(BTreeMap<u32, Vec<u32>>);

impl Table {
    fn read() -> Self {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
                children.entry(parent).or_default().push(pid);
            }
        }
        Self(children)
    }

    fn look(&self, pid: u32, is_tree: bool, at: Duration) -> Option<Look> {
        let mut look = Look { at: at.as_secs_f64(), memory: 0, cpu: 0.0, files: None };
        let mut left = vec![(pid, true)];
        while let Some((pid, is_first)) = left.pop() {
            let Some(fields) = stat(pid) else {
                if is_first {
                    return None;
                }
                continue;
            };
            let ticks = |at: usize| -> f64 {
                fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default()
            };
            look.cpu += (ticks(11) + ticks(12)) / 100.0;
            // Of ended children, whose own ended children are in it.
            look.cpu += if is_tree && is_first { (ticks(13) + ticks(14)) / 100.0 } else { 0.0 };
            let shared = if is_tree { kib(pid, "smaps_rollup", "Pss:") } else { None };
            let resident = shared.or_else(|| kib(pid, "status", "VmRSS:"));
            look.memory += resident.unwrap_or_default() * 1024;
            if let Ok(files) = std::fs::read_dir(PathBuf::from(format!("/proc/{pid}/fd"))) {
                let count = u64::try_from(files.count()).unwrap_or_default();
                look.files = Some(look.files.unwrap_or_default() + count);
            }
            if !is_tree {
                break;
            }
            left.extend(self.0.get(&pid).into_iter().flatten().map(|child| (*child, false)));
        }
        Some(look)
    }
}

/// The fields of a process after its name: state, parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<String> = fields.split_whitespace().map(str::to_owned).collect();
    // What has ended and was not waited for has no memory any more.
    fields.first().filter(|state| *state != "Z")?;
    Some(fields)
}

fn kib(pid: u32, file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_time() {
        let mut watch = Watch::default();
        let us = [("us".to_owned(), std::process::id()), ("nobody".to_owned(), u32::MAX)];
        watch.look(Duration::from_secs(1), &us);
        watch.look(Duration::from_secs(2), &us);
        let all = watch.all();
        assert_eq!(all.len(), 1, "who is not there is left out");
        let look = all[0].looks[1];
        assert!(1 << 20 < look.memory, "{look:?}");
        assert!(look.files.is_some_and(|files| 2 < files));
        assert!(all[0].looks[0].cpu <= look.cpu);
    }

    #[test]
    fn children_count_where_a_name_stands_for_a_tree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it runs");
        let files = |name: &str| {
            let mut watch = Watch::default();
            watch.look(Duration::ZERO, &[(name.to_owned(), std::process::id())]);
            watch.all()[0].looks[0].files
        };
        let (tree, single) = (files("broker"), files("load test"));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        assert!(single < tree, "{single:?} and {tree:?}");
    }
}
