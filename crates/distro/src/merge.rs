//! Taking in states that come from elsewhere: from other nodes, or from an earlier life of this one.

use crate::{Change, Distro, Entry, Key, Record, Standing, Version};
use base::{HybridTime, NodeId, Now};
use core::cmp::Ordering;

/// A hybrid time beyond this (some 2 200 years after 1970) is junk: there is not much above it to be issued.
pub const HYBRID_TIME_MAX: HybridTime = HybridTime(1 << 62);

impl<K: Key, V: Clone> Distro<K, V> {
    pub(crate) fn merge(&mut self, now: Now, from: NodeId, record: Record<K, V>) {
        if record.version.incarnation.at > HYBRID_TIME_MAX {
            return;
        }
        match self.known(&record.key).cmp(&Some(record.version)) {
            Ordering::Less if self.knows_better(&record) => {
                self.insist(now, record.key, record.version);
            }
            Ordering::Less => self.take(now, record),
            Ordering::Equal => {}
            // Whoever sends an older state does not know the newer one.
            Ordering::Greater => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    peer.owe(record.key);
                }
            }
        }
    }

    pub(crate) fn restore(&mut self, now: Now, record: Record<K, V>) {
        let junk = record.version.incarnation.at > HYBRID_TIME_MAX;
        if junk || self.known(&record.key) >= Some(record.version) {
            return;
        }
        self.clock.observe(now, record.version.incarnation.at);
        let Record { key, version, value } = record;
        match value {
            Some(value) => self.put_orphan(now.instant, key, version, value, now.instant),
            None => self.bury(now, key, version),
        }
    }

    fn take(&mut self, now: Now, record: Record<K, V>) {
        let incarnation = record.version.incarnation;
        self.clock.observe(now, incarnation.at);
        let Record { key, version, value } = record;
        let Some(value) = value else { return self.bury(now, key, version) };
        if let Some(heard) = self.unanswered_since(now.instant, incarnation) {
            return self.put_orphan(now.instant, key, version, value, heard);
        }
        let standing = Standing::Living;
        self.put(key.clone(), Entry { version, value, heard: now.instant, standing });
        self.tell(key, Change::Written);
    }

    /// Whether this node need not believe a state that is newer than its own, whoever says it.
    fn knows_better(&self, record: &Record<K, V>) -> bool {
        let hears_alone = record.key.heard_only_by() == Some(self.node);
        self.issued(record.version.incarnation)
            || hears_alone && self.entries.get(&record.key).is_some_and(|entry| self.owns(entry))
    }

    /// An owner knows all that it originated. What looks newer, or is unknown to it, was corrupted on its way or
    /// outlived its tombstone elsewhere; taking it would resurrect what is dead, and leaving it would keep a ghost there.
    /// And whoever ended the record of a client that only this node hears took it for an orphan: this node could not be
    /// heard. So the owner says once more what is true, with a greater version.
    fn insist(&mut self, now: Now, key: K, said: Version) {
        let version = match self.entries.get(&key) {
            Some(entry) if !self.owns(entry) => return,
            Some(_) | None => self.issue(now, Some(said)),
        };
        match self.entries.get(&key).map(|entry| entry.value.clone()) {
            Some(value) => self.write(now, key, version, value),
            None => {
                self.bury(now, key.clone(), version);
                self.spread(&key);
            }
        }
    }
}
