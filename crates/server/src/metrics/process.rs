//! What the operating system says of this process. Where it says nothing (not Linux), nothing is shown.

use super::page::Page;
use std::{fs, path::Path, sync::LazyLock, time::SystemTime};

/// Bytes of a page of memory, and clock ticks of a second: what `/proc` counts in on every Linux of 64 bits that we run on.
const PAGE_BYTES: u64 = 4_096;
const TICKS_PER_SECOND: f64 = 100.0;

/// When this was asked for the first time, which the start of a server does.
static STARTED: LazyLock<f64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
});

/// Notes the time of the start.
pub(crate) fn note_start() {
    LazyLock::force(&STARTED);
}

pub(crate) fn write(page: &mut Page) {
    let start = page.gauge("process_start_time_seconds", "Unix time of the start");
    start.is(*STARTED);
    if let Some((cpu_seconds, threads)) = stat() {
        page.counter("process_cpu_seconds", "Processor time, user and system").is(cpu_seconds);
        page.gauge("process_threads", "Threads").is(threads);
    }
    if let Some((virtual_bytes, resident_bytes)) = memory() {
        page.gauge("process_virtual_memory_bytes", "Address space").is(virtual_bytes);
        page.gauge("process_resident_memory_bytes", "Memory in use").is(resident_bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files and sockets").is(entries.count());
    }
    if let Some(files) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        page.gauge("process_max_fds", "Files and sockets that may be open").is(files);
    }
}

/// Processor seconds, and threads.
fn stat() -> Option<(f64, u64)> {
    let text = fs::read_to_string(Path::new("/proc/self/stat")).ok()?;
    // The name in brackets may have blanks in it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // Fields 14, 15 and 20 of proc(5); the first one here is field 3.
    let ticks = number(11)? + number(12)?;
    Some((ticks as f64 / TICKS_PER_SECOND, number(17)?))
}

fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string(Path::new("/proc/self/statm")).ok()?;
    let mut pages = text.split_whitespace().map(|pages| pages.parse::<u64>().ok());
    let (size, resident) = (pages.next()??, pages.next()??);
    Some((size * PAGE_BYTES, resident * PAGE_BYTES))
}
