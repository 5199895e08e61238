//! Slow work that is neither disk nor network: bcrypt and archives of configs, tens of milliseconds each.

use crate::sessions::Door;
use base::{ConnectionId, RequestId, Revision};
use bytes::Bytes;
use node::Initial;
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

/// How much work of one address may wait, unless set otherwise; what is more is answered "overloaded". At 60 ms each, who comes last waits
/// four seconds for one worker.
pub const WORK_LEN_MAX: usize = 64;

/// The cost of new bcrypt hashes: 60 ms, as everywhere in this field.
pub const BCRYPT_COST: u32 = 10;

/// A hash that no password matches, of that cost, so that an unknown user takes as long as a known one.
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
    Inspect(Bytes),
    Pack(Vec<(Arc<str>, Arc<str>)>),
    Secrets { token_key: access::Secret, password: String, cost: u32, salt: [u8; 16] },
}

/// Work that waits. Whoever sends passwords in masses waits behind himself: the addresses take turns.
#[derive(Debug)]
pub(crate) struct Works {
    len_max: usize,
    /// By who asks for it; the node itself is `None`. Invariant: no queue is empty.
    queues: BTreeMap<Option<IpAddr>, VecDeque<Work>>,
    /// Whose turn it was.
    last: Option<IpAddr>,
}

impl Works {
    pub(crate) fn new(len_max: usize) -> Self {
        Self { len_max, queues: BTreeMap::new(), last: None }
    }

    /// # Errors
    /// When too much of this address waits. The node's own work is always taken: it is asked for once.
    pub(crate) fn push(&mut self, source: Option<IpAddr>, work: Work) -> Result<(), ()> {
        let queue = self.queues.entry(source).or_default();
        if source.is_some() && queue.len() >= self.len_max {
            return Err(());
        }
        queue.push_back(work);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Work> {
        let after = (std::ops::Bound::Excluded(self.last), std::ops::Bound::Unbounded);
        let next = self.queues.range(after).next().or_else(|| self.queues.iter().next());
        let source = *next?.0;
        let queue = self.queues.get_mut(&source).expect("just found");
        let work = queue.pop_front().expect("no queue is empty");
        if queue.is_empty() {
            self.queues.remove(&source);
        }
        self.last = source;
        Some(work)
    }
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
    Inspected(Result<nacos::Archive, nacos::ArchiveError>),
    Packed(Bytes),
    Secrets(Initial),
}

impl Work {
    /// Does it. Takes as long as the hash's cost says, or the size of the archive.
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
            Task::Inspect(bytes) => TaskResult::Inspected(nacos::Archive::inspect(bytes)),
            Task::Pack(files) => TaskResult::Packed(nacos::pack(&files)),
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
            Self::Inspect(_) => "Inspect(..)",
            Self::Pack(_) => "Pack(..)",
            Self::Secrets { .. } => "Secrets(..)",
        })
    }
}

impl std::fmt::Debug for TaskResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verified { right, .. } => write!(f, "Verified({right})"),
            Self::Hashed(_) => f.write_str("Hashed(..)"),
            Self::Inspected(_) => f.write_str("Inspected(..)"),
            Self::Packed(_) => f.write_str("Packed(..)"),
            Self::Secrets(_) => f.write_str("Secrets(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str) -> Work {
        let task = Task::Hash { password: password.to_owned(), cost: 4, salt: [0; 16] };
        Work { asker: Asker::Node, task }
    }

    fn of(work: Option<Work>) -> String {
        match work.map(|work| work.task) {
            Some(Task::Hash { password, .. }) => password,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_user_is_checked_against_a_hash_of_the_usual_cost() {
        let parts: bcrypt::HashParts =
            NO_PASSWORD.parse().expect("a hash, or its check ends at once");
        assert_eq!(parts.get_cost(), BCRYPT_COST);
        let verify = |hash: Option<&str>, password: &str| {
            let (user, hash) = ("nobody".into(), hash.map(Into::into));
            let password = password.to_owned();
            let task = Task::Verify { user, password, hash, revision: Revision(0) };
            format!("{:?}", Work { asker: Asker::Node, task }.run().result)
        };
        let four = super::hash("right", 4, [0; 16]);
        assert_eq!(verify(Some(&four), "right"), "Verified(true)");
        assert_eq!(verify(Some(&four), "wrong"), "Verified(false)");
        assert_eq!(verify(None, "wrong"), "Verified(false)");
    }

    #[test]
    fn a_flood_from_one_address_is_cut_and_delays_no_other_by_more_than_one_turn() {
        let (flood, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut works = Works::new(WORK_LEN_MAX);
        for _ in 0..WORK_LEN_MAX {
            works.push(Some(flood), hash("flood")).expect("below the limit");
        }
        assert!(works.push(Some(flood), hash("flood")).is_err());
        works.push(Some(other), hash("other")).expect("another address");
        works.push(None, hash("node")).expect("the node itself");
        let taken: Vec<String> = (0..4).map(|_| of(works.pop())).collect();
        assert_eq!(taken, ["flood", "other", "node", "flood"]);
        while works.pop().is_some() {}
        assert!(works.queues.is_empty());
    }
}
