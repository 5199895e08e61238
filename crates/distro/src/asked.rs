//! What this node does for another one, whose client it is responsible for.
//!
//! The other node does not wait for ever: without an answer it does what its client wanted itself, with an incarnation that
//! is later than the time at which it asked. So what is done here gets an incarnation of that time, or goes on in an earlier
//! one: however late the request comes, it loses against what the client did after it.

use crate::{Distro, Entry, Incarnation, Key, Version, merge::HYBRID_TIME_MAX};
use base::{HybridTime, Now};

impl<K: Key, V: Clone> Distro<K, V> {
    pub(crate) fn write_asked(&mut self, now: Now, key: K, value: V, at: HybridTime) {
        let owned = self.entries.get(&key).filter(|entry| self.owns(entry));
        let asked = match owned.map(|entry| entry.version) {
            Some(version) if version.incarnation.at < at => Some(version.next()),
            Some(_) => None,
            None => self.asked(&key, at),
        };
        if let Some(version) = asked {
            self.clock.observe(at);
            self.write(now, key, version, value);
        }
    }

    pub(crate) fn delete_asked(&mut self, now: Now, key: K, at: HybridTime) {
        if self.entries.contains_key(&key)
            && let Some(version) = self.asked(&key, at)
        {
            self.clock.observe(at);
            self.bury(now, key.clone(), version);
            self.spread(&key);
        }
    }

    /// The incarnation of that time, unless this node was not running then, or knows of something later.
    fn asked(&self, key: &K, at: HybridTime) -> Option<Version> {
        let version = Version { incarnation: Incarnation { at, node: self.node }, seq: 1 };
        let running = self.boot < at && at <= HYBRID_TIME_MAX;
        (running && self.known(key) < Some(version)).then_some(version)
    }

    /// Whether a request of that time about this record comes too late, or too early, to be done here.
    #[must_use]
    pub fn is_outdated(&self, key: &K, at: HybridTime) -> bool {
        let owned = self.entries.get(key).filter(|entry: &&Entry<V>| self.owns(entry));
        let later = owned.is_some_and(|entry| entry.version.incarnation.at >= at);
        later || self.asked(key, at).is_none()
    }
}
