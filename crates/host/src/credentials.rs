//! Passwords that were right, remembered for as long as the access tables do not change.
//!
//! One bcrypt check costs tens of milliseconds, and some SDKs send name and password with every request. What is kept is
//! a keyed digest, useless without the key, which lives in memory only. The revision of the access tables is part of the
//! digest: a check that began before a change of the tables says nothing about the time after it.

use base::Revision;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

/// How many credentials are remembered; at the limit all are forgotten and checked again.
const REMEMBERED_LEN_MAX: usize = 10_000;

pub(crate) struct Credentials {
    key: [u8; 32],
    right: RwLock<BTreeSet<[u8; 32]>>,
}

impl Credentials {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key, right: RwLock::default() }
    }

    pub(crate) fn remembers(&self, revision: Revision, user: &str, password: &str) -> bool {
        let digest = self.digest(revision, user, password);
        self.right.read().unwrap_or_else(PoisonError::into_inner).contains(&digest)
    }

    pub(crate) fn remember(&self, revision: Revision, user: &str, password: &str) {
        let digest = self.digest(revision, user, password);
        let mut right = self.right.write().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= REMEMBERED_LEN_MAX {
            right.clear();
        }
        right.insert(digest);
    }

    pub(crate) fn forget_all(&self) {
        self.right.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The length of the user goes in first: ("ab", "c") must not be ("a", "bc").
    fn digest(&self, revision: Revision, user: &str, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key length");
        mac.update(&revision.0.to_be_bytes());
        mac.update(&(user.len() as u64).to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_the_pair_and_nothing_near_it() {
        let credentials = Credentials::new([1; 32]);
        let now = Revision(7);
        credentials.remember(now, "ab", "c");
        assert!(credentials.remembers(now, "ab", "c"));
        assert!(!credentials.remembers(now, "a", "bc"));
        assert!(!credentials.remembers(now, "ab", "d"));
        assert!(!credentials.remembers(Revision(8), "ab", "c"));
        credentials.forget_all();
        assert!(!credentials.remembers(now, "ab", "c"));
    }
}
