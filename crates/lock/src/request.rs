//! What edges ask of locks, what enters the log, and what is answered.

use crate::{Asker, LeaseEnd, Token};
use base::{Duration, Limit, LogIndex};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A question to the plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Hold a lock. The same owner that holds it already renews it and keeps its token.
    Acquire {
        /// Which: 1 to `KEY_BYTES_MAX` bytes.
        key: Arc<str>,
        /// How the holder calls itself: 1 to `OWNER_BYTES_MAX` bytes. Two that must exclude each other need two names.
        owner: Arc<str>,
        /// How long it is held unless renewed: `TTL_MIN` to `TTL_MAX`.
        ttl: Duration,
        /// How long to wait for it while somebody else holds it: zero for not at all, at most `WAIT_MAX`.
        wait: Duration,
    },
    /// Hold it for another ttl, from when this is applied.
    Renew {
        /// Which lock.
        key: Arc<str>,
        /// Which grant.
        token: Token,
        /// Another ttl than before.
        ttl: Option<Duration>,
    },
    /// Hold it no longer.
    Release {
        /// Which lock.
        key: Arc<str>,
        /// Which grant; `None` for whatever grant there is: for operators, and for clients without tokens.
        token: Option<Token>,
    },
}

/// What enters the log: everything that is not state is in it, so that every node applies the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// See `Request::Acquire`.
    Acquire {
        /// Which.
        key: Arc<str>,
        /// For whom.
        owner: Arc<str>,
        /// Milliseconds.
        ttl_ms: u64,
        /// Milliseconds.
        wait_ms: u64,
        /// Who is told.
        asker: Asker,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::Renew`.
    Renew {
        /// Which lock.
        key: Arc<str>,
        /// Which grant.
        token: Token,
        /// Milliseconds.
        ttl_ms: Option<u64>,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::Release`.
    Release {
        /// Which lock.
        key: Arc<str>,
        /// Which grant.
        token: Option<Token>,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// The time of these is over, or whoever waits is gone. What changed since is left alone.
    End {
        /// Leases: those who wait next are granted theirs.
        leases: Vec<LeaseEnd>,
        /// Waiters by key and ticket.
        waiters: Vec<(Arc<str>, LogIndex)>,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
}

/// What applying a command came to. The same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds the lock.
    Granted {
        /// To be shown to whatever the holder writes to.
        token: Token,
        /// For how long, milliseconds.
        ttl_ms: u64,
    },
    /// Somebody else holds it; nothing changed.
    Held {
        /// Who.
        owner: Arc<str>,
        /// Their grant.
        token: Token,
    },
    /// It was not granted while this request waited.
    TimedOut,
    /// It is held for another ttl.
    Renewed {
        /// As before.
        token: Token,
        /// For how long, milliseconds.
        ttl_ms: u64,
    },
    /// It is not held any more by this grant.
    Released,
    /// No such grant holds it; nothing changed.
    NotHeld {
        /// The grant that holds it, if it is held.
        current: Option<Token>,
    },
    /// A table is full; nothing changed.
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Of `End`: nobody waits for it.
    Ended,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What the log made of it.
    Outcome(Outcome),
    /// It may be granted or not: acquire again with the same owner, or look.
    Unknown,
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An empty name.
    #[error("{what} is empty")]
    Empty {
        /// Which.
        what: &'static str,
    },
    /// A name over its limit, in bytes.
    #[error("{what} of {bytes} bytes is over the limit of {bytes_max}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// As sent.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A name with a control character.
    #[error("{what} has a control character")]
    Illegal {
        /// Which.
        what: &'static str,
    },
    /// A time out of its range.
    #[error("{what} of {given:?} is not between {min:?} and {max:?}")]
    OutOfRange {
        /// Which.
        what: &'static str,
        /// As sent.
        given: Duration,
        /// The least.
        min: Duration,
        /// The most.
        max: Duration,
    },
}

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Outcome(Outcome::Full { .. }) => Some(Limit::TableFull),
            Self::Refused(Refusal::TooLong { .. }) => Some(Limit::NameLength),
            Self::Outcome(
                Outcome::Granted { .. }
                | Outcome::Held { .. }
                | Outcome::TimedOut
                | Outcome::Renewed { .. }
                | Outcome::Released
                | Outcome::NotHeld { .. }
                | Outcome::Ended,
            )
            | Self::Refused(
                Refusal::Empty { .. } | Refusal::Illegal { .. } | Refusal::OutOfRange { .. },
            )
            | Self::Unknown => None,
        }
    }
}
