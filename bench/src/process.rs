//! What the operating system says of the server's process.

use crate::problem::Problem;
use std::time::Duration;

/// One tick of `utime` and `stime`: USER_HZ is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

fn read(pid: u32, file: &str) -> Result<String, Problem> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|source| Problem::Process { pid, source })
}

fn unreadable(pid: u32, what: &'static str) -> Problem {
    Problem::Process { pid, source: std::io::Error::other(what) }
}

/// Processor time of all its threads so far, in user and system mode together.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Problem> {
    let stat = read(pid, "stat")?;
    ticks(&stat)
        .map(|ticks| TICK * ticks)
        .ok_or_else(|| unreadable(pid, "stat has no utime and stime"))
}

/// `utime` + `stime` of a line of `/proc/PID/stat` (fields 14 and 15; the name, field 2, may hold anything).
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Bytes of memory that are resident.
pub(crate) fn rss_bytes(pid: u32) -> Result<u64, Problem> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| unreadable(pid, "status has no VmRSS"))
}

/// File descriptors that a process may have open.
pub(crate) fn files_max(pid: u32) -> Result<usize, Problem> {
    let limits = read(pid, "limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    soft.ok_or_else(|| unreadable(pid, "limits has no 'Max open files'"))
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 5 0 100 0 0";
        assert_eq!(ticks(line), Some(168));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
