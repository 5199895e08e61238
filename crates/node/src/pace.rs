//! Whether the disk keeps its pace. A leader whose disk is full or slow makes everybody wait: another one should lead.

use crate::Node;
use base::{Duration, Instant};
use consensus::WriteId;
use std::collections::VecDeque;

/// A write is slow when it takes this many times the median of those before.
const SLOW_FACTOR: u32 = 10;
/// However fast the others are: less than this is not slow.
const SLOW_MIN: Duration = Duration::from_millis(200);
/// For so long every write has to be slow.
const SLOW_FOR: Duration = Duration::from_secs(10);
/// The median is taken of so many writes, the last ones that were not slow.
const WRITES_MAX: usize = 64;
/// With fewer nothing is said.
const WRITES_MIN: usize = 16;

/// How long writes of the log take.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    took: VecDeque<Duration>,
    /// One is on its way at most.
    under_way: Option<(WriteId, Instant)>,
    slow_since: Option<Instant>,
}

impl Pace {
    pub(crate) fn began(&mut self, id: WriteId, now: Instant) {
        self.under_way = Some((id, now));
    }

    pub(crate) fn ended(&mut self, id: WriteId, now: Instant) {
        let Some((_, began)) = self.under_way.take_if(|(under_way, _)| *under_way == id) else {
            return;
        };
        let took = now.since(began);
        if self.is_slow(took) {
            self.slow_since.get_or_insert(began);
            return;
        }
        self.slow_since = None;
        if self.took.len() == WRITES_MAX {
            self.took.pop_front();
        }
        self.took.push_back(took);
    }

    /// Whether every write of the last time was slow, the one that is under way included.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        let under_way = self.under_way.map(|(_, began)| began);
        let slow = under_way.filter(|began| self.is_slow(now.since(*began)));
        self.slow_since.or(slow).is_some_and(|since| now.since(since) >= SLOW_FOR)
    }

    fn is_slow(&self, took: Duration) -> bool {
        if self.took.len() < WRITES_MIN {
            return false;
        }
        let mut sorted: Vec<Duration> = self.took.iter().copied().collect();
        sorted.sort_unstable();
        took > (sorted[sorted.len() / 2] * SLOW_FACTOR).max(SLOW_MIN)
    }
}

impl Node {
    /// Another node should lead if this one's disk is no good.
    pub(crate) fn look_at_disk(&mut self) {
        let why = if self.disk_full {
            "its disk is full"
        } else if self.pace.is_lost(self.now.instant) {
            "its disk is slow"
        } else {
            return;
        };
        self.cluster.step(self.now, cluster::Input::Unfit(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes one after another, each of which takes so long.
    fn write(pace: &mut Pace, now: &mut Instant, count: u64, millis: u64) {
        for _ in 0..count {
            pace.began(WriteId(now.as_nanos()), *now);
            let id = WriteId(now.as_nanos());
            *now = now.after(Duration::from_millis(millis));
            pace.ended(id, *now);
        }
    }

    #[test]
    fn a_disk_is_lost_after_ten_seconds_of_slow_writes_or_in_one() {
        let (mut pace, mut now) = (Pace::default(), Instant::START);
        write(&mut pace, &mut now, 10, 3000);
        assert!(!pace.is_lost(now), "that may be how the disk is");
        let mut pace = Pace::default();
        write(&mut pace, &mut now, 64, 4);
        write(&mut pace, &mut now, 9, 1000);
        assert!(!pace.is_lost(now));
        write(&mut pace, &mut now, 1, 1000);
        assert!(pace.is_lost(now));
        write(&mut pace, &mut now, 1, 150);
        assert!(!pace.is_lost(now), "it is itself again");
        pace.began(WriteId(1), now);
        assert!(!pace.is_lost(now.after(Duration::from_secs(9))));
        assert!(pace.is_lost(now.after(Duration::from_secs(10))));
    }
}
