//! The second entrance: what the log decides. Nothing but the replicated state and the command may be read here.

use crate::{
    Applied, Command, LOCKS_MAX, Lease, LockName, Locks, Outcome, Refusal, WAITERS_MAX,
    WAITERS_PER_LOCK_MAX, Waiter,
    rows::{self, Change},
};
use base::LogIndex;
use std::sync::Arc;

/// The changes that a command comes to (none: it was so already), and its outcome.
type Decision = (Vec<Change>, Outcome);

impl Locks {
    /// Applies an entry of the log. Its outputs are to be polled before the outcome is reported.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        self.settle();
        let (changes, outcome) = match command.clone() {
            Command::Acquire { name, owner, ttl_ms, patience_ms } => {
                self.decide_acquire(index, name, owner, ttl_ms, patience_ms)
            }
            Command::Renew { name, owner, token, ttl_ms } => {
                self.decide_renew(index, name, &owner, token, ttl_ms)
            }
            Command::Release { name, owner, token } => {
                self.decide_release(index, name, owner.as_deref(), token)
            }
            Command::Withdraw { name, owner, since } => {
                self.decide_withdraw(index, name, &owner, since)
            }
            Command::Expire { leases, waiters } => self.decide_expire(index, leases, waiters),
        };
        let rows = changes.iter().map(rows::row).collect();
        for change in changes {
            self.make(change);
        }
        self.review_moved();
        Applied { outcome, rows }
    }

    fn decide_acquire(
        &self,
        index: LogIndex,
        name: LockName,
        owner: Arc<str>,
        ttl_ms: u64,
        patience_ms: u64,
    ) -> Decision {
        let Some(lock) = self.locks.get(&name) else {
            if self.locks.len() >= LOCKS_MAX {
                return full("locks", LOCKS_MAX);
            }
            let lease = Lease { owner, token: index, renewed: index, ttl_ms, queued: None };
            return (vec![Change::Lease(name, Some(lease))], Outcome::Granted { token: index });
        };
        if lock.lease.owner == owner {
            // It asks again because it did not hear the answer, or because it goes on.
            let lease = Lease { renewed: index, ttl_ms, ..lock.lease.clone() };
            let token = lease.token;
            return (vec![Change::Lease(name, Some(lease))], Outcome::Granted { token });
        }
        if patience_ms == 0 {
            return (Vec::new(), Outcome::Held { owner: lock.lease.owner.clone() });
        }
        if let Some(since) = lock.waits(&owner) {
            return (Vec::new(), Outcome::Queued { since });
        }
        if lock.waiters.len() >= WAITERS_PER_LOCK_MAX {
            return full("waiting for this lock", WAITERS_PER_LOCK_MAX);
        }
        if self.waiters_count >= WAITERS_MAX {
            return full("waiting for locks", WAITERS_MAX);
        }
        let waiter = Waiter { owner, ttl_ms, patience_ms };
        (vec![Change::Waiter(name, index, Some(waiter))], Outcome::Queued { since: index })
    }

    fn decide_renew(
        &self,
        index: LogIndex,
        name: LockName,
        owner: &str,
        token: LogIndex,
        ttl_ms: Option<u64>,
    ) -> Decision {
        let lease = self.locks.get(&name).map(|lock| &lock.lease);
        match lease.filter(|lease| &*lease.owner == owner && lease.token == token) {
            Some(lease) => {
                let ttl_ms = ttl_ms.unwrap_or(lease.ttl_ms);
                let lease = Lease { renewed: index, ttl_ms, ..lease.clone() };
                (vec![Change::Lease(name, Some(lease))], Outcome::Renewed)
            }
            None => (Vec::new(), Outcome::NotHeld),
        }
    }

    fn decide_release(
        &self,
        index: LogIndex,
        name: LockName,
        owner: Option<&str>,
        token: Option<LogIndex>,
    ) -> Decision {
        let lease = self.locks.get(&name).map(|lock| &lock.lease);
        let held = lease.is_some_and(|lease| {
            owner.is_none_or(|owner| *lease.owner == *owner)
                && token.is_none_or(|token| lease.token == token)
        });
        if held {
            (self.passed_on(index, name, &[]), Outcome::Released)
        } else {
            (Vec::new(), Outcome::NotHeld)
        }
    }

    fn decide_withdraw(
        &self,
        index: LogIndex,
        name: LockName,
        owner: &str,
        since: LogIndex,
    ) -> Decision {
        let Some(lock) = self.locks.get(&name) else { return (Vec::new(), Outcome::Withdrawn) };
        let changes = if lock.waiters.get(&since).is_some_and(|waiter| &*waiter.owner == owner) {
            vec![Change::Waiter(name, since, None)]
        } else if lock.lease.queued == Some(since) && lock.lease.renewed == lock.lease.token {
            self.passed_on(index, name, &[])
        } else {
            Vec::new()
        };
        (changes, Outcome::Withdrawn)
    }

    fn decide_expire(
        &self,
        index: LogIndex,
        leases: Vec<(LockName, LogIndex, LogIndex)>,
        mut waiters: Vec<(LockName, LogIndex)>,
    ) -> Decision {
        waiters.retain(|(name, since)| {
            self.locks.get(name).is_some_and(|lock| lock.waiters.contains_key(since))
        });
        waiters.sort_unstable();
        waiters.dedup();
        let mut changes: Vec<Change> = waiters
            .iter()
            .map(|(name, since)| Change::Waiter(name.clone(), *since, None))
            .collect();
        let mut ended: Vec<LockName> = leases
            .into_iter()
            .filter(|(name, token, renewed)| {
                let lease = self.locks.get(name).map(|lock| &lock.lease);
                lease.is_some_and(|lease| lease.token == *token && lease.renewed == *renewed)
            })
            .map(|(name, ..)| name)
            .collect();
        ended.sort_unstable();
        ended.dedup();
        for name in ended {
            let gone: Vec<LogIndex> =
                waiters.iter().filter(|(of, _)| *of == name).map(|(_, since)| *since).collect();
            changes.extend(self.passed_on(index, name, &gone));
        }
        (changes, Outcome::Expired)
    }

    /// The lease ends, and whoever waits longest has it, except for those who are gone.
    fn passed_on(&self, index: LogIndex, name: LockName, gone: &[LogIndex]) -> Vec<Change> {
        let lock = self.locks.get(&name).expect("the caller looked it up");
        let next = lock.waiters.iter().find(|(since, _)| !gone.contains(since));
        let Some((since, waiter)) = next else { return vec![Change::Lease(name, None)] };
        let Waiter { owner, ttl_ms, patience_ms: _ } = waiter.clone();
        let queued = Some(*since);
        let lease = Lease { owner, token: index, renewed: index, ttl_ms, queued };
        let left = Change::Waiter(name.clone(), *since, None);
        vec![left, Change::Lease(name, Some(lease))]
    }
}

fn full(what: &'static str, limit: usize) -> Decision {
    (Vec::new(), Outcome::Refused(Refusal::Full { what, limit }))
}
