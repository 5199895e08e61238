//! Slow work that is neither disk nor network: bcrypt, tens of milliseconds each.

use crate::sessions::Door;
use base::{ConnectionId, RequestId, Revision};
use node::Initial;
use std::sync::Arc;

/// A hash that no password matches, so that an unknown user takes as long as a known one. Of cost 10, as new ones.
const NO_PASSWORD: &str = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// A job for a worker thread. `server` runs at most as many at once as half the cores.
#[derive(Debug)]
pub struct Work {
    pub(crate) asker: Asker,
    pub(crate) task: Task,
}

/// Who waits for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Session { connection: ConnectionId, door: Door, id: RequestId },
    Node,
}

pub(crate) enum Task {
    Verify { user: Arc<str>, password: String, hash: Option<Arc<str>>, revision: Revision },
    Hash { password: String, cost: u32, salt: [u8; 16] },
    Secrets { token_key: access::Secret, password: String, cost: u32, salt: [u8; 16] },
}

/// What came of it; to be handed to `Host::worked`.
#[derive(Debug)]
pub struct Worked {
    pub(crate) asker: Asker,
    pub(crate) result: TaskResult,
}

pub(crate) enum TaskResult {
    Verified { user: Arc<str>, password: String, right: bool, revision: Revision },
    Hashed(Arc<str>),
    Secrets(Initial),
}

impl Work {
    /// Does it. Takes as long as the hash's cost says.
    #[must_use]
    pub fn run(self) -> Worked {
        let result = match self.task {
            Task::Verify { user, password, hash, revision } => {
                let known = hash.is_some();
                let hash = hash.as_deref().unwrap_or(NO_PASSWORD);
                let right = bcrypt::verify(password.as_bytes(), hash).unwrap_or(false) && known;
                TaskResult::Verified { user, password, right, revision }
            }
            Task::Hash { password, cost, salt } => TaskResult::Hashed(hash(&password, cost, salt)),
            Task::Secrets { token_key, password, cost, salt } => {
                let password_hash = Some(hash(&password, cost, salt));
                TaskResult::Secrets(Initial { token_key, password_hash })
            }
        };
        Worked { asker: self.asker, result }
    }
}

/// The bcrypt hash of a password.
///
/// # Panics
/// If `cost` is outside 4..=31: it is a setting that was checked.
fn hash(password: &str, cost: u32, salt: [u8; 16]) -> Arc<str> {
    let parts = bcrypt::hash_with_salt(password.as_bytes(), cost, salt)
        .expect("the cost was checked, and longer passwords are cut as everywhere");
    parts.to_string().into()
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Verify { .. } => "Verify(..)",
            Self::Hash { .. } => "Hash(..)",
            Self::Secrets { .. } => "Secrets(..)",
        })
    }
}

impl std::fmt::Debug for TaskResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verified { right, .. } => write!(f, "Verified({right})"),
            Self::Hashed(_) => f.write_str("Hashed(..)"),
            Self::Secrets(_) => f.write_str("Secrets(..)"),
        }
    }
}
