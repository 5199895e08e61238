//! What this node has been told about the owners of records, and what follows for their records.

use crate::{Distro, Incarnation, Key, Version, orphan::Sweep};
use base::{HybridTime, Instant, NodeId};

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It is heard. What it issued up to `life` it issued before it was started the last time.
    Alive {
        /// When it was started, by its hybrid clock.
        life: HybridTime,
        /// When this node first heard of this life.
        since: Instant,
    },
    /// It is not heard any more.
    Gone {
        /// When anyone last heard it.
        heard: Instant,
    },
}

impl<K: Key, V: Clone> Distro<K, V> {
    pub(crate) fn owner_gone(&mut self, owner: NodeId, heard: Instant) {
        self.told(owner, Owner::Gone { heard });
    }

    pub(crate) fn owner_alive(&mut self, since: Instant, owner: NodeId, life: HybridTime) {
        match self.owners.get(&owner) {
            Some(Owner::Alive { life: known, .. }) if *known >= life => {}
            Some(_) | None => self.told(owner, Owner::Alive { life, since }),
        }
    }

    fn told(&mut self, owner: NodeId, state: Owner) {
        if owner != self.node && self.owners.insert(owner, state) != Some(state) {
            self.sweeps.push_back(Sweep::new(owner));
        }
    }

    /// Since when nobody answers for states of this incarnation; `None` if its issuer does.
    ///
    /// An owner that this node was told nothing about answers for nothing: the record came by a third node, and whoever
    /// really lives is told about soon.
    pub(crate) fn unanswered_since(
        &self,
        now: Instant,
        incarnation: Incarnation,
    ) -> Option<Instant> {
        if incarnation.node == self.node {
            return (!self.issued(incarnation)).then_some(now);
        }
        match self.owners.get(&incarnation.node) {
            Some(Owner::Alive { life, since }) => (incarnation.at <= *life).then_some(*since),
            Some(Owner::Gone { heard }) => Some(*heard),
            None => Some(now),
        }
    }

    pub(crate) fn issued(&self, incarnation: Incarnation) -> bool {
        incarnation.node == self.node && incarnation.at > self.boot
    }

    /// The newest version that this node knows of the record, deleted or not.
    pub(crate) fn known(&self, key: &K) -> Option<Version> {
        self.entries.get(key).map(|entry| entry.version).or_else(|| self.tombstones.version(key))
    }
}
