//! What the operating system says of the server's process.

use crate::problem::Problem;
use std::{collections::BTreeSet, process::Command, time::Duration};

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

/// The same of several processes together.
pub(crate) fn cpu_of(pids: &[u32]) -> Result<Duration, Problem> {
    pids.iter().map(|pid| cpu(*pid)).sum()
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

/// Bytes that these processes have sent to each other so far, over the TCP connections that they have now.
pub(crate) fn bytes_between(pids: &[u32]) -> Result<u64, Problem> {
    let listed = Command::new("ss")
        .args(["--tcp", "--no-header", "--numeric", "--info", "--processes", "--oneline"])
        .output()
        .map_err(|error| Problem::Links(error.to_string()))?;
    if !listed.status.success() {
        return Err(Problem::Links(String::from_utf8_lossy(&listed.stderr).into_owned()));
    }
    Ok(sent_between(&String::from_utf8_lossy(&listed.stdout), pids))
}

/// Reads `ss`: state, two queues, own address, the other's address, then words as `bytes_sent:123`.
fn sent_between(listed: &str, pids: &[u32]) -> u64 {
    let names: Vec<String> = pids.iter().map(|pid| format!("pid={pid},")).collect();
    let ours = |line: &&str| names.iter().any(|name| line.contains(name));
    let field = |line: &str, place: usize| line.split_whitespace().nth(place).map(str::to_owned);
    let own: BTreeSet<String> =
        listed.lines().filter(ours).filter_map(|line| field(line, 3)).collect();
    let between = |line: &&str| field(line, 4).is_some_and(|other: String| own.contains(&other));
    let sent = |line: &str| {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix("bytes_sent:"));
        word.and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(0)
    };
    listed.lines().filter(ours).filter(between).map(sent).sum()
}

#[cfg(test)]
mod tests {
    use super::{sent_between, ticks};

    #[test]
    fn only_connections_between_the_processes_count() {
        let listed = r#"ESTAB 0 0 127.0.0.1:7 127.0.0.1:500 users:(("a",pid=1,fd=9)) cubic bytes_sent:100 bytes_acked:100
ESTAB 0 0 127.0.0.1:500 127.0.0.1:7 users:(("b",pid=2,fd=9)) cubic bytes_sent:20 bytes_acked:20
ESTAB 0 0 127.0.0.1:7 127.0.0.1:600 users:(("a",pid=1,fd=8)) cubic bytes_sent:3000
ESTAB 0 0 127.0.0.1:600 127.0.0.1:7 users:(("c",pid=22,fd=8)) cubic bytes_sent:40000
ESTAB 0 0 127.0.0.1:8 127.0.0.1:9 users:(("a",pid=1,fd=7)) cubic
"#;
        assert_eq!(sent_between(listed, &[1, 2]), 120);
        assert_eq!(sent_between("", &[1, 2]), 0);
    }

    #[test]
    fn ticks_are_found_behind_any_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 5 0 100 0 0";
        assert_eq!(ticks(line), Some(168));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
