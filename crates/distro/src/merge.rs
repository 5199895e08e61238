//! Taking in states that come from elsewhere: from other nodes, or from an earlier life of this one.

use crate::{Change, Distro, Entry, Record, Standing};
use base::{HybridTime, Now};

/// A hybrid time beyond this (some 2 200 years after 1970) is junk, and observing it would use the clock up.
const HYBRID_TIME_MAX: HybridTime = HybridTime(1 << 62);

impl<K: Ord + Clone, V> Distro<K, V> {
    pub(crate) fn merge(&mut self, now: Now, record: Record<K, V>) {
        let incarnation = record.version.incarnation;
        // An owner knows all that it originated. What looks newer, or is unknown to it, was corrupted on its way or
        // outlived its tombstone elsewhere; taking it would resurrect what is dead.
        if self.issued(incarnation) || !self.is_news(&record) {
            return;
        }
        self.clock.observe(incarnation.at);
        let Record { key, version, value } = record;
        let Some(value) = value else { return self.bury(now, key, version) };
        let heard = self.gone.get(&incarnation.node).copied();
        let earlier_life = incarnation.node == self.node;
        if heard.is_some() || earlier_life {
            self.put_orphan(key, version, value, heard.unwrap_or(now.instant));
        } else {
            let standing = Standing::Living;
            self.put(key.clone(), Entry { version, value, heard: now.instant, standing });
            self.tell(key, Change::Written);
        }
    }

    pub(crate) fn restore(&mut self, now: Now, record: Record<K, V>) {
        if !self.is_news(&record) {
            return;
        }
        self.clock.observe(record.version.incarnation.at);
        let Record { key, version, value } = record;
        match value {
            Some(value) => self.put_orphan(key, version, value, now.instant),
            None => self.bury(now, key, version),
        }
    }

    fn is_news(&self, record: &Record<K, V>) -> bool {
        record.version.incarnation.at <= HYBRID_TIME_MAX
            && self.known(&record.key) < Some(record.version)
    }
}
