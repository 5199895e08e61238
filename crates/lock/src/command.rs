//! What the log decides.

use crate::{LockName, Refusal};
use base::{LogIndex, Row};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A change, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Give a lock to somebody who wants it.
    Acquire {
        /// Which.
        name: LockName,
        /// To whom.
        owner: Arc<str>,
        /// For how long, in milliseconds.
        ttl_ms: u64,
        /// How long it waits for its turn, in milliseconds; 0: not at all.
        patience_ms: u64,
    },
    /// Begin the lease anew.
    Renew {
        /// Which.
        name: LockName,
        /// Who has it.
        owner: Arc<str>,
        /// Its token.
        token: LogIndex,
        /// How long it lasts from now on, in milliseconds; `None`: as long as before.
        ttl_ms: Option<u64>,
    },
    /// Take it back, and give it to whoever waits longest.
    Release {
        /// Which.
        name: LockName,
        /// Only if this one has it.
        owner: Option<Arc<str>>,
        /// Only the lease with this token.
        token: Option<LogIndex>,
    },
    /// Somebody waits no longer.
    Withdraw {
        /// For which lock.
        name: LockName,
        /// Who.
        owner: Arc<str>,
        /// With which entry it began to wait. If it has got the lock by that and nobody told it so, it gives it back.
        since: LogIndex,
    },
    /// What has run out, by the clock of the leader.
    Expire {
        /// Leases, each with its token and the entry that renewed it last: a later one saves it.
        leases: Vec<(LockName, LogIndex, LogIndex)>,
        /// Those who wait, each with the entry with which it began.
        waiters: Vec<(LockName, LogIndex)>,
    },
}

/// What a command came to; the same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The owner has the lock, by this token.
    Granted {
        /// The fencing token.
        token: LogIndex,
    },
    /// It waits for its turn.
    Queued {
        /// With which entry it began.
        since: LogIndex,
    },
    /// Somebody else has it.
    Held {
        /// Who.
        owner: Arc<str>,
    },
    /// The lease begins anew.
    Renewed,
    /// It was taken back.
    Released,
    /// Whoever renews or releases does not have it, or not any more.
    NotHeld,
    /// It waits no longer, or did not.
    Withdrawn,
    /// What had run out is gone.
    Expired,
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// What `apply` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The same on every node.
    pub outcome: Outcome,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
