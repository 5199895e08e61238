//! What edges ask, and what they are answered.

use crate::{LockName, Outcome};
use base::{Limit, LogIndex};
use std::sync::Arc;

/// Locks that somebody has; one more is refused.
pub const LOCKS_MAX: usize = 100_000;
/// How many may wait for one lock.
pub const WAITERS_PER_LOCK_MAX: usize = 1_000;
/// How many may wait for all locks together.
pub const WAITERS_MAX: usize = 100_000;
/// How many requests of this node may wait for their turn.
pub const WAITS_MAX: usize = 10_000;
/// The shortest lease, in milliseconds. Much less is no longer than an election takes.
pub const TTL_MS_MIN: u64 = 100;
/// The longest lease, in milliseconds; as in Nacos.
pub const TTL_MS_MAX: u64 = 1_800_000;
/// The longest wait, in milliseconds.
pub const PATIENCE_MS_MAX: u64 = 600_000;
/// Characters of a namespace or a name.
pub const NAME_CHARS_MAX: usize = 512;
/// Characters of an owner.
pub const OWNER_CHARS_MAX: usize = 256;
/// How many locks one piece of a list names.
pub const LOCKS_PER_PIECE: usize = 1_000;

/// A question to the plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Have a lock. Whoever has it already gets the same token, and a lease that begins anew.
    Acquire {
        /// Which.
        name: LockName,
        /// Who wants it.
        owner: Arc<str>,
        /// For how long, in milliseconds.
        ttl_ms: u64,
        /// How long to wait for it, in milliseconds; 0: not at all. Whoever waits is answered when it is its turn, or when
        /// it has waited so long.
        patience_ms: u64,
    },
    /// Begin a lease anew before it runs out.
    Renew {
        /// Which lock.
        name: LockName,
        /// Who has it.
        owner: Arc<str>,
        /// The token it got.
        token: LogIndex,
        /// For how long from now on; `None`: as long as before.
        ttl_ms: Option<u64>,
    },
    /// Give a lock back.
    Release {
        /// Which.
        name: LockName,
        /// Only if this one has it.
        owner: Option<Arc<str>>,
        /// Only the lease with this token.
        token: Option<LogIndex>,
    },
    /// Who has a lock.
    Get {
        /// Which.
        name: LockName,
    },
    /// A piece of the list of all locks that somebody has.
    List {
        /// The last one of the piece before.
        after: Option<LockName>,
    },
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Of a request that went through the log.
    Outcome(Outcome),
    /// Answer to `Get`: `None` if nobody has it.
    Lock(Option<LockState>),
    /// Answer to `List`.
    Locks {
        /// In order.
        locks: Vec<LockState>,
        /// Whether there may be more after the last one.
        more: bool,
    },
    /// It may or may not have got the lock: the log did not move. Ask who has it.
    Unknown,
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// A lock that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockState {
    /// Which.
    pub name: LockName,
    /// Who has it.
    pub owner: Arc<str>,
    /// By which token.
    pub token: LogIndex,
    /// How long its lease lasts after it was renewed, in milliseconds.
    pub ttl_ms: u64,
    /// How many wait for it.
    pub waiters: usize,
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name or an owner is missing.
    #[error("{what} is empty: give one")]
    Empty {
        /// Which.
        what: &'static str,
    },
    /// A text is too long.
    #[error("{what} has more than {limit} characters: shorten it")]
    TooLong {
        /// Which.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A time is too short or too long.
    #[error("{what} is not between {min} and {max} milliseconds")]
    OutOfRange {
        /// Which.
        what: &'static str,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// There are too many.
    #[error("there are {limit} {what} already: release some, or wait until some have expired")]
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        let (Self::Refused(refusal) | Self::Outcome(Outcome::Refused(refusal))) = self else {
            return None;
        };
        match refusal {
            Refusal::Full { .. } => Some(Limit::TableFull),
            Refusal::TooLong { .. } => Some(Limit::NameLength),
            Refusal::Empty { .. } | Refusal::OutOfRange { .. } => None,
        }
    }
}

impl Request {
    /// What can be refused without looking at the state.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Acquire { name, owner, ttl_ms, patience_ms } => {
                check_name(name)?;
                check_text("owner", owner, OWNER_CHARS_MAX)?;
                check_ttl(*ttl_ms)?;
                within("wait", *patience_ms, 0, PATIENCE_MS_MAX)
            }
            Self::Renew { name, owner, token: _, ttl_ms } => {
                check_name(name)?;
                check_text("owner", owner, OWNER_CHARS_MAX)?;
                ttl_ms.map_or(Ok(()), check_ttl)
            }
            Self::Release { name, owner, token: _ } => {
                check_name(name)?;
                let owner = owner.as_ref();
                owner.map_or(Ok(()), |owner| check_text("owner", owner, OWNER_CHARS_MAX))
            }
            Self::Get { .. } | Self::List { .. } => Ok(()),
        }
    }
}

fn check_name(LockName { namespace, name }: &LockName) -> Result<(), Refusal> {
    check_text("namespace", namespace, NAME_CHARS_MAX)?;
    check_text("name", name, NAME_CHARS_MAX)
}

fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    match text.chars().count() {
        0 => Err(Refusal::Empty { what }),
        count if count > limit => Err(Refusal::TooLong { what, limit }),
        _ => Ok(()),
    }
}

fn check_ttl(ttl_ms: u64) -> Result<(), Refusal> {
    within("ttl", ttl_ms, TTL_MS_MIN, TTL_MS_MAX)
}

fn within(what: &'static str, ms: u64, min: u64, max: u64) -> Result<(), Refusal> {
    if (min..=max).contains(&ms) { Ok(()) } else { Err(Refusal::OutOfRange { what, min, max }) }
}
