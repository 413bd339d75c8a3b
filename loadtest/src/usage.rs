//! What this process has used: CPU time and memory, as the operating system counts them.

use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;

/// CPU time of this process so far, user and system.
pub(crate) fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("reading this process's CPU time")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// CPU time of another process so far, user and system, in ticks of 10 ms.
pub(crate) fn cpu_time_of(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("reading CPU time")?;
    // The name in parentheses may hold anything.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>().context("CPU time is no number")?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Processes that wanted to run in the last minute, on average.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Resident memory of this process now, in bytes.
pub(crate) fn resident_bytes() -> anyhow::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("reading memory use")?;
    let pages = statm.split_whitespace().nth(1).context("memory use has no resident pages")?;
    Ok(pages.parse::<u64>().context("memory use is not a number")? * 4096)
}

/// Raises the number of open files to what the system allows: a session is a file.
pub(crate) fn raise_file_limit() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("reading the file limit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the file limit")
}
