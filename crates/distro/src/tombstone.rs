//! Deleted records: remembered for a while, so that an older state that is still on its way cannot bring them back.

use crate::Version;
use alloc::collections::{BTreeMap, VecDeque};
use base::{Duration, Instant};

/// How long a deletion is remembered. A node that was cut off for longer may bring a record back; its owner, which
/// refuses states of its own incarnations, then still knows better.
pub const TOMBSTONE_KEEP_TIME: Duration = Duration::from_secs(600);

/// How many deletions are remembered. At the limit the oldest is forgotten early.
pub const TOMBSTONES_MAX: usize = 200_000;

/// The deletions of the last `TOMBSTONE_KEEP_TIME`.
#[derive(Debug)]
pub(crate) struct Tombstones<K> {
    by_key: BTreeMap<K, (Version, Instant)>,
    /// Oldest first. Holds an entry for each deletion, also where a later one of the same key replaced it.
    queue: VecDeque<(Instant, K)>,
}

impl<K: Ord + Clone> Tombstones<K> {
    pub(crate) fn new() -> Self {
        Self { by_key: BTreeMap::new(), queue: VecDeque::new() }
    }

    pub(crate) fn version(&self, key: &K) -> Option<Version> {
        self.by_key.get(key).map(|(version, _)| *version)
    }

    pub(crate) fn bury(&mut self, now: Instant, key: K, version: Version) {
        let until = now.after(TOMBSTONE_KEEP_TIME);
        self.by_key.insert(key.clone(), (version, until));
        self.queue.push_back((until, key));
        if self.queue.len() > TOMBSTONES_MAX {
            self.collect_oldest();
        }
    }

    /// A greater version than that of the deletion is known.
    pub(crate) fn supersede(&mut self, key: &K) {
        self.by_key.remove(key);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(until, _)| *until)
    }

    /// Forgets what was remembered long enough, at most `count_max` of them.
    pub(crate) fn collect(&mut self, now: Instant, count_max: usize) {
        for _ in 0..count_max {
            match self.deadline() {
                Some(until) if until <= now => self.collect_oldest(),
                Some(_) | None => return,
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    fn collect_oldest(&mut self) {
        let Some((until, key)) = self.queue.pop_front() else { return };
        if self.by_key.get(&key).is_some_and(|(_, at)| *at == until) {
            self.by_key.remove(&key);
        }
    }
}
