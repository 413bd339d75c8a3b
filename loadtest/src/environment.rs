//! Where a run took place: the machine, the programs, the versions. For the record only.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::fleet::Lab;
use crate::scenario::Scenario;
use crate::usage;

/// Names and values, in the order in which people want them.
pub(crate) async fn describe(
    scenario: &Scenario,
    program: Option<&Path>,
    lab: Option<&Lab>,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut tell = |name: &str, value: String| {
        let value = value.trim().to_owned();
        if !value.is_empty() {
            all.push((name.to_owned(), value));
        }
    };
    tell("commit", commit().await);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    tell("load test", format!("{} ({build} build)", env!("CARGO_PKG_VERSION")));
    if let Some(program) = program {
        tell("mailfleet", told(Command::new(program).arg("--version")).await);
        tell("mailfleet program", program.display().to_string());
    }
    if let Some(lab) = lab {
        for (name, version) in lab.versions().await {
            tell(&name, version);
        }
        let size = &scenario.fleet;
        tell(
            "fleet",
            format!(
                "{} gateways, {} workers, {} shards, {} source addresses",
                size.gateways, size.workers, size.shards, size.sources
            ),
        );
    }
    tell("processor", processor());
    tell("memory", line_of("/proc/meminfo", "MemTotal:"));
    tell("kernel", told(Command::new("uname").args(["-s", "-r", "-m"])).await);
    tell("open files", line_of("/proc/self/limits", "Max open files"));
    tell("load average before", usage::load());
    all
}

async fn commit() -> String {
    let head = told(Command::new("git").args(["rev-parse", "HEAD"])).await;
    let changed = told(Command::new("git").args(["status", "--porcelain", "-uno"])).await;
    let changed = if changed.is_empty() { "" } else { ", with changes" };
    if head.is_empty() { String::new() } else { format!("{}{changed}", head.trim()) }
}

/// What a program prints; nothing where it cannot be run.
async fn told(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output().await;
    let done = done.ok().filter(|done| done.status.success());
    done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
}

fn processor() -> String {
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let name = line_of("/proc/cpuinfo", "model name");
    format!("{count} × {}", name.trim_start_matches([':', ' ', '\t']))
}

fn line_of(file: &str, key: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
