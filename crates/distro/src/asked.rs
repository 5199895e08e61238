//! What this node does for another one, whose client it is responsible for.
//!
//! The other node does not wait for ever: without an answer it does what its client wanted itself, with an incarnation that
//! is later than the time at which it asked. So what is done here gets an incarnation of that time: however late the request
//! comes, it loses against what the client did after it. A time that the
//! clock does not follow is not issued in this node's name: the other node does it itself.

use crate::{Distro, Incarnation, Key, Version};
use base::{HybridTime, Now};

impl<K: Key, V: Clone> Distro<K, V> {
    pub(crate) fn write_asked(&mut self, now: Now, key: K, value: V, at: HybridTime) {
        if let Some(version) = self.asked(now, &key, at) {
            self.clock.observe(now, at);
            self.write(now, key, version, value);
        }
    }

    pub(crate) fn delete_asked(&mut self, now: Now, key: K, at: HybridTime) {
        if self.entries.contains_key(&key)
            && let Some(version) = self.asked(now, &key, at)
        {
            self.clock.observe(now, at);
            self.bury(now, key.clone(), version);
            self.spread(&key);
        }
    }

    /// Whether a request of that time about this record comes too late, or is of a time before this node was started, or of
    /// one that is not followed.
    #[must_use]
    pub fn is_outdated(&self, now: Now, key: &K, at: HybridTime) -> bool {
        self.asked(now, key, at).is_none()
    }

    /// The incarnation of that time, unless this node was not running then, or knows of something later, or does not follow it.
    fn asked(&self, now: Now, key: &K, at: HybridTime) -> Option<Version> {
        let version = Version { incarnation: Incarnation { at, node: self.node }, seq: 1 };
        let running = self.boot < at && self.clock.follows(now, at);
        (running && self.known(key) < Some(version)).then_some(version)
    }
}
