//! The nouns: locks, leases, and those who wait.

use base::LogIndex;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Names a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockName {
    /// Isolates applications; need not have been created.
    pub namespace: Arc<str>,
    /// Within the namespace.
    pub name: Arc<str>,
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who has a lock, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// As the client calls itself. Two that call themselves alike are one to us.
    pub owner: Arc<str>,
    /// The fencing token: greater than that of every earlier lease of this lock. It is the entry that granted the lease.
    pub token: LogIndex,
    /// The entry that granted or renewed it last.
    pub renewed: LogIndex,
    /// How long it lasts after that, in milliseconds.
    pub ttl_ms: u64,
    /// The entry with which its owner began to wait for it; `None` if it did not have to.
    pub queued: Option<LogIndex>,
}

/// Somebody who waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// As in `Lease`.
    pub owner: Arc<str>,
    /// Of the lease that it wants.
    pub ttl_ms: u64,
    /// How long it waits, in milliseconds. Its own node ends that; others only if that node does not.
    pub patience_ms: u64,
}

/// A lock that somebody has; others do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who has it.
    pub lease: Lease,
    /// Who waits for it, in the order in which they came.
    pub waiters: BTreeMap<LogIndex, Waiter>,
}

impl Lock {
    /// With which entry this owner began to wait.
    #[must_use]
    pub fn waits(&self, owner: &str) -> Option<LogIndex> {
        let found = self.waiters.iter().find(|(_, waiter)| &*waiter.owner == owner);
        found.map(|(since, _)| *since)
    }
}
