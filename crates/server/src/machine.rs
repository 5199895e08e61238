//! How busy the machine is, as the system tells; of another one than Linux it is not known.

use crate::running::Phase;
use cluster::Busy;
use host::Host;
use std::{fs, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often it is looked at: what is told of the processors is over the time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Tells the host until the node stops.
pub(crate) async fn watch(host: Arc<Host>, mut phase: watch::Receiver<Phase>) {
    let mut before = times();
    // Where nothing is told once, nothing is told later.
    while before.is_some() {
        tokio::select! {
            biased;
            () = Phase::Stopped.reached(&mut phase) => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        let after = times();
        host.set_busy(busy(before, after, fs::read_to_string("/proc/loadavg").ok().as_deref()));
        before = after;
    }
}

/// What the processors did since the machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    idle: u64,
    all: u64,
}

fn times() -> Option<Times> {
    Times::read(&fs::read_to_string("/proc/stat").ok()?)
}

impl Times {
    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and more that is counted
    /// among these.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_whitespace();
        if words.next() != Some("cpu") {
            return None;
        }
        let ticks: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
        let idle = ticks.get(3)?.saturating_add(*ticks.get(4)?);
        Some(Self { idle, all: ticks.iter().fold(0, |sum, ticks| sum.saturating_add(*ticks)) })
    }
}

fn busy(before: Option<Times>, after: Option<Times>, load: Option<&str>) -> Option<Busy> {
    let (before, after) = (before?, after?);
    let all = after.all.saturating_sub(before.all);
    let idle = after.idle.saturating_sub(before.idle).min(all);
    let cpu = (all - idle).saturating_mul(1000).checked_div(all)?;
    let load: f64 = load?.split_whitespace().next()?.parse().ok()?;
    Some(Busy { load: (load * 1000.0) as u32, cpu: u32::try_from(cpu).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_told_in_thousandths() {
        let read = |text| Times::read(text);
        let before = read("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
        assert_eq!(before, Some(Times { idle: 800, all: 1000 }));
        let after = read("cpu  150 0 150 900 100 0 0 0 50 0\n");
        let told = busy(before, after, Some("0.65 0.20 0.01 1/200 77\n"));
        assert_eq!(told, Some(Busy { load: 650, cpu: 333 }));
        assert_eq!(busy(before, before, Some("12.5")), None, "no time has passed");
        for junk in ["", "cpu0 1 2 3 4 5", "cpu a b", "cpu 1 2 3"] {
            assert_eq!(read(junk), None, "{junk}");
        }
        assert_eq!(busy(before, after, Some("x")), None);
        assert_eq!(busy(None, after, Some("1")), None);
    }
}
