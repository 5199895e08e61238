//! The nouns of locks.

use base::{ConnectionId, LogIndex, RequestId};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A fencing token: the index of the log entry that granted the lock. Of one lock, a later grant's is greater.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<LogIndex> for Token {
    fn from(index: LogIndex) -> Self {
        Self(index.0)
    }
}

/// Whose request it is: never reused, and it names the node that is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asker {
    /// On which connection.
    pub connection: ConnectionId,
    /// Which of its requests.
    pub id: RequestId,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// As the holder calls itself.
    pub owner: Arc<str>,
    /// Of this grant.
    pub token: Token,
    /// Index of the grant or of the newest renewal.
    pub renewed: LogIndex,
    /// How long it lives from there, milliseconds.
    pub ttl_ms: u64,
    /// Which request it was granted to.
    pub asker: Asker,
    /// Wall clock of the grant's proposer, milliseconds; to be shown, not to be counted with.
    pub granted_ms: u64,
    /// The same of the newest renewal.
    pub renewed_ms: u64,
}

/// Somebody who waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// As the holder-to-be calls itself.
    pub owner: Arc<str>,
    /// How long its lease shall live, milliseconds.
    pub ttl_ms: u64,
    /// How long it waits at most, milliseconds.
    pub wait_ms: u64,
    /// Who is told.
    pub asker: Asker,
    /// Wall clock of its proposer, milliseconds.
    pub since_ms: u64,
}

/// Names a lease that is to end: one that was renewed since is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseEnd {
    /// Which lock.
    pub key: Arc<str>,
    /// Which grant.
    pub token: Token,
    /// Which renewal.
    pub renewed: LogIndex,
}

/// A lock that is held, as readers see it. Immutable; replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Which.
    pub key: Arc<str>,
    /// Who holds it.
    pub lease: Lease,
    /// How many wait.
    pub waiters: usize,
}
