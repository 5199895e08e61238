//! Failed logins, per user and address, on this node alone.

use base::{Duration, Instant};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Failures within `WINDOW` that cost nothing.
pub const FAILURES_MAX: u32 = 5;
/// The minute in which they are counted, and the first delay; each further failure doubles it.
pub const WINDOW: Duration = Duration::from_secs(60);
/// The longest delay: someone who forgot a password is not shut out for a day.
pub const DELAY_MAX: Duration = Duration::from_secs(3600);
/// Pairs of user and address that are remembered; at the limit the one that failed longest ago is forgotten.
pub const SOURCES_MAX: usize = 100_000;

/// After the last failure of a source that was delayed. Waiting out the delay alone does not give five new tries.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(2 * 3600);
/// Characters of a user name or address that tell sources apart; both come from outside.
const TEXT_CHARS_MAX: usize = 64;
/// Forgotten sources that one failure removes: two for at most one that it adds, so that they become fewer.
const SWEPT_MAX: usize = 2;

type Source = (Arc<str>, Arc<str>);

#[derive(Clone, Copy, Debug)]
struct Record {
    count: u32,
    first: Instant,
    last: Instant,
}

/// Invariant: `by_last` has one item per record, and there are at most `sources_max`.
#[derive(Debug)]
pub(crate) struct Failures {
    failures_max: u32,
    records: BTreeMap<Source, Record>,
    by_last: BTreeSet<(Instant, Source)>,
    sources_max: usize,
}

impl Failures {
    pub fn new(failures_max: u32) -> Self {
        Self {
            failures_max,
            records: BTreeMap::new(),
            by_last: BTreeSet::new(),
            sources_max: SOURCES_MAX,
        }
    }

    /// How long to wait before the next try; `None`: go on.
    pub fn retry_after(&self, now: Instant, user: &str, address: &str) -> Option<Duration> {
        let record = self.records.get(&source(user, address))?;
        let rest = self.delay(record.count).saturating_sub(now.since(record.last));
        (!rest.is_zero()).then_some(rest)
    }

    /// Counts a failure; whether it is the one that delays the source for the first time.
    pub fn count(&mut self, now: Instant, user: &str, address: &str) -> bool {
        self.sweep(now);
        let source = source(user, address);
        let known = self.remove(&source).filter(|record| !self.forgotten(record, now));
        let mut record = known.unwrap_or(Record { count: 0, first: now, last: now });
        record.count = record.count.saturating_add(1);
        record.last = now;
        if self.records.len() >= self.sources_max {
            let (_, oldest) = self.by_last.first().expect("one per record").clone();
            self.remove(&oldest);
        }
        self.by_last.insert((now, source.clone()));
        self.records.insert(source, record);
        record.count == self.failures_max
    }

    pub fn clear(&mut self, user: &str, address: &str) {
        self.remove(&source(user, address));
    }

    fn remove(&mut self, source: &Source) -> Option<Record> {
        let record = self.records.remove(source)?;
        self.by_last.remove(&(record.last, source.clone()));
        Some(record)
    }

    fn delay(&self, count: u32) -> Duration {
        match count.checked_sub(self.failures_max) {
            None => Duration::ZERO,
            Some(doublings) => WINDOW.saturating_mul(1 << doublings.min(16)).min(DELAY_MAX),
        }
    }

    fn forgotten(&self, record: &Record, now: Instant) -> bool {
        if record.count < self.failures_max {
            now.since(record.first) >= WINDOW
        } else {
            now.since(record.last) >= FORGOTTEN_AFTER
        }
    }

    fn sweep(&mut self, now: Instant) {
        for _ in 0..SWEPT_MAX {
            let Some((_, oldest)) = self.by_last.first().cloned() else { return };
            if !self.forgotten(&self.records[&oldest], now) {
                return;
            }
            self.remove(&oldest);
        }
    }
}

fn source(user: &str, address: &str) -> Source {
    (clipped(user), clipped(address))
}

fn clipped(text: &str) -> Arc<str> {
    let end = text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    Arc::from(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::START.after(Duration::from_secs(seconds))
    }

    fn fail(failures: &mut Failures, seconds: u64) -> Option<u64> {
        failures.count(at(seconds), "ann", "10.0.0.1");
        failures.retry_after(at(seconds), "ann", "10.0.0.1").map(|rest| rest.as_secs())
    }

    #[test]
    fn five_in_a_minute_then_the_delay_doubles_up_to_an_hour() {
        let mut failures = Failures::new(FAILURES_MAX);
        let waits: Vec<_> = (0..5).map(|second| fail(&mut failures, second)).collect();
        assert_eq!(waits, [None, None, None, None, Some(60)]);
        assert_eq!(failures.retry_after(at(63), "ann", "10.0.0.1"), Some(Duration::from_secs(1)));
        assert_eq!(failures.retry_after(at(64), "ann", "10.0.0.1"), None);
        let mut now = 64;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = fail(&mut failures, now).expect("delayed");
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(fail(&mut failures, now + 7200), None, "forgotten two hours after the last");
    }

    #[test]
    fn four_a_minute_are_never_delayed_and_a_success_clears() {
        let mut failures = Failures::new(FAILURES_MAX);
        for minute in 0..10 {
            for second in 0..4 {
                assert_eq!(fail(&mut failures, minute * 60 + second), None);
            }
        }
        let mut failures = Failures::new(FAILURES_MAX);
        for second in 0..20 {
            assert_eq!(fail(&mut failures, second), None);
            failures.clear("ann", "10.0.0.1");
        }
        assert!(failures.records.is_empty() && failures.by_last.is_empty());
    }

    #[test]
    fn others_are_not_delayed() {
        let mut failures = Failures::new(FAILURES_MAX);
        for second in 0..9 {
            fail(&mut failures, second);
        }
        assert!(failures.retry_after(at(9), "ann", "10.0.0.1").is_some());
        assert_eq!(failures.retry_after(at(9), "ann", "10.0.0.2"), None);
        assert_eq!(failures.retry_after(at(9), "bob", "10.0.0.1"), None);
    }

    #[test]
    fn at_the_limit_the_oldest_is_forgotten() {
        let mut failures = Failures { sources_max: 2, ..Failures::new(FAILURES_MAX) };
        for (second, user) in [(0, "ann"), (1, "bob"), (2, "ann"), (3, "cleo")] {
            failures.count(at(second), user, "");
        }
        let users: Vec<&str> = failures.records.keys().map(|(user, _)| user.as_ref()).collect();
        assert_eq!(users, ["ann", "cleo"]);
        assert_eq!(failures.by_last.len(), 2);
    }

    #[test]
    fn a_long_name_is_clipped_between_characters() {
        let mut failures = Failures::new(FAILURES_MAX);
        failures.count(at(0), &"ü".repeat(100_000), "");
        assert_eq!(failures.records.keys().next().expect("one").0.chars().count(), 64);
    }
}
