//! What edges ask of access, what enters the log, and what is answered.

use crate::{Namespace, Permission, Secret};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A question to the plane. Passwords arrive hashed: hashing takes tens of milliseconds and is done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A change of the replicated tables.
    Change(Change),
    /// Someone wants to try a password: allowed, or too many failures lately?
    Attempt {
        /// The user named.
        user: Arc<str>,
        /// From where, without the port.
        address: Arc<str>,
    },
    /// What came of an allowed attempt. Only failures count against the limit.
    Attempted {
        /// The user named.
        user: Arc<str>,
        /// From where, without the port.
        address: Arc<str>,
        /// Whether the password was right.
        right: bool,
    },
}

/// A change of the replicated tables; it enters the log as it is, in a `Command`. Printed without its secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The first start: sets the token key and creates the first administrator, each only if there is none.
    Initialize {
        /// 32 random bytes.
        token_key: Secret,
        /// bcrypt hash of the one-time password; `None` leaves the cluster without an administrator.
        password_hash: Option<Arc<str>>,
    },
    /// Create the first administrator if there is none (Nacos's `users/admin`).
    CreateAdministrator {
        /// bcrypt hash.
        password_hash: Arc<str>,
    },
    /// Create a user.
    CreateUser {
        /// 1 to 64 characters of `[0-9A-Za-z._@-]`.
        name: Arc<str>,
        /// bcrypt hash.
        password_hash: Arc<str>,
    },
    /// Set a user's password.
    SetPassword {
        /// Whose.
        name: Arc<str>,
        /// bcrypt hash.
        password_hash: Arc<str>,
    },
    /// Remove a user, its roles too.
    RemoveUser {
        /// Which.
        name: Arc<str>,
    },
    /// Give a user a role.
    Grant {
        /// To whom.
        user: Arc<str>,
        /// Which role.
        role: Arc<str>,
    },
    /// Take a role from a user, or from all (`None`): its rights go, too, then.
    Revoke {
        /// From whom.
        user: Option<Arc<str>>,
        /// Which role.
        role: Arc<str>,
    },
    /// Give a role a right.
    Permit {
        /// To which role.
        role: Arc<str>,
        /// Which right.
        permission: Permission,
    },
    /// Take a right from a role.
    Forbid {
        /// From which role.
        role: Arc<str>,
        /// Which right.
        permission: Permission,
    },
    /// Create a namespace.
    CreateNamespace {
        /// 1 to 64 characters of `[\w-]`.
        id: Arc<str>,
        /// Name and description.
        namespace: Namespace,
    },
    /// Change a namespace's name and description.
    UpdateNamespace {
        /// Which.
        id: Arc<str>,
        /// Name and description.
        namespace: Namespace,
    },
    /// Forget a namespace. What is in it stays.
    RemoveNamespace {
        /// Which.
        id: Arc<str>,
    },
}

/// What enters the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What changes.
    pub change: Change,
    /// Wall clock of the proposer, milliseconds.
    pub at_ms: u64,
}

/// What applying a command came to. The same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so now.
    Changed,
    /// It was so already, or there was nothing to remove.
    Unchanged,
    /// There is one of that name already; nothing changed.
    Exists(&'static str),
    /// There is none of that name; nothing changed.
    Unknown(&'static str),
    /// The last administrator cannot be removed; nothing changed.
    LastAdministrator,
    /// A table is full; nothing changed.
    Full {
        /// Which.
        what: &'static str,
        /// Its limit.
        limit: usize,
    },
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Of a change: what the log made of it.
    Outcome(Outcome),
    /// Of `Attempt`: go on and check the password.
    Proceed,
    /// Of `Attempt`: too many failures; not before this time is over.
    TooManyFailures {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Of `Attempted`.
    Noted,
    /// The change is malformed; nothing changed.
    Refused(String),
}

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<base::Limit> {
        match self {
            Self::TooManyFailures { .. } => Some(base::Limit::LoginFailures),
            Self::Outcome(Outcome::Full { .. }) => Some(base::Limit::TableFull),
            Self::Outcome(
                Outcome::Changed
                | Outcome::Unchanged
                | Outcome::Exists(_)
                | Outcome::Unknown(_)
                | Outcome::LastAdministrator,
            )
            | Self::Proceed
            | Self::Noted
            | Self::Refused(_) => None,
        }
    }
}
