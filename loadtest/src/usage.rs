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
