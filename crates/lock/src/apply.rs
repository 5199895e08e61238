//! The second entrance: what the log decides. Nothing but state and command may be read here.

use crate::{
    Applied, Asker, Command, Lease, LeaseEnd, Lock, Outcome, Output, Token, Waiter,
    asked::Answered, rows, timers::Due,
};
use base::{LogIndex, Row};
use journal::{Kind, Subject};
use std::{collections::BTreeMap, sync::Arc};

/// Locks that are held at once.
pub const LOCKS_MAX: usize = 100_000;
/// Waiters of one lock.
pub const WAITERS_PER_LOCK_MAX: usize = 1_000;
/// Waiters of all locks.
pub const WAITERS_MAX: usize = 100_000;

impl Lock {
    /// Applies an entry of the log. Its outputs are to be polled before the outcome is reported, and `Input::Applied` is
    /// to follow.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        self.settle();
        let mut rows = Vec::new();
        let outcome = match command {
            Command::Acquire { key, owner, ttl_ms, wait_ms, asker, at_ms } => {
                let waiter = Waiter {
                    owner: Arc::clone(owner),
                    ttl_ms: *ttl_ms,
                    wait_ms: *wait_ms,
                    asker: *asker,
                    since_ms: *at_ms,
                };
                self.acquire(index, key, waiter, &mut rows)
            }
            Command::Renew { key, token, ttl_ms, at_ms } => {
                Some(self.renew(index, key, *token, *ttl_ms, *at_ms, &mut rows))
            }
            Command::Release { key, token, at_ms } => {
                Some(self.release(index, key, *token, *at_ms, &mut rows))
            }
            Command::End { leases, waiters, at_ms } => {
                // Waiters first: one whose time is over is not granted a lock by the same entry.
                for (key, ticket) in waiters {
                    self.time_out(key, *ticket, *at_ms, &mut rows);
                }
                for end in leases {
                    self.end(index, end, *at_ms, &mut rows);
                }
                Some(Outcome::Ended)
            }
        };
        Applied { outcome, rows }
    }

    /// The outcome, unless whoever asks waits in the queue now.
    fn acquire(
        &mut self,
        index: LogIndex,
        key: &Arc<str>,
        waiter: Waiter,
        rows: &mut Vec<Row>,
    ) -> Option<Outcome> {
        let asker = waiter.asker;
        let at_ms = waiter.since_ms;
        let outcome = match self.leases.get(key) {
            None if self.leases.len() >= LOCKS_MAX => {
                Outcome::Full { what: "locks", limit: LOCKS_MAX }
            }
            None => self.grant(index, key, waiter, at_ms, rows),
            Some(lease) if lease.owner == waiter.owner => {
                let (token, ttl_ms) = (lease.token, waiter.ttl_ms);
                self.prolong(index, key, ttl_ms, at_ms, rows);
                Outcome::Granted { token, ttl_ms }
            }
            Some(lease) if waiter.wait_ms == 0 => {
                Outcome::Held { owner: Arc::clone(&lease.owner), token: lease.token }
            }
            Some(_) => {
                let waiting = self.queues.get(key).map_or(0, BTreeMap::len);
                if waiting >= WAITERS_PER_LOCK_MAX {
                    Outcome::Full { what: "waiters of this lock", limit: WAITERS_PER_LOCK_MAX }
                } else if self.waiters_len >= WAITERS_MAX {
                    Outcome::Full { what: "waiters", limit: WAITERS_MAX }
                } else {
                    self.queue(index, key, waiter, rows);
                    return None;
                }
            }
        };
        // Of this node: the node tells whoever asked, unless they are gone.
        if self.asked.answer(&asker) == Answered::Abandoned {
            self.give_back(key, &outcome, at_ms);
        }
        Some(outcome)
    }

    fn queue(&mut self, index: LogIndex, key: &Arc<str>, waiter: Waiter, rows: &mut Vec<Row>) {
        let (asker, at_ms) = (waiter.asker, waiter.since_ms);
        self.event(key, Kind::Queued(Arc::clone(&waiter.owner)));
        rows.push(rows::waiter(key, index, &waiter));
        self.queues.entry(Arc::clone(key)).or_default().insert(index, waiter);
        self.waiters_len += 1;
        self.touched.push(Due::Waiter(Arc::clone(key), index));
        self.show(key);
        if self.asked.queued(&asker, index) {
            let waiters = vec![(Arc::clone(key), index)];
            let command = Command::End { leases: Vec::new(), waiters, at_ms };
            self.outputs.push_back(Output::Tidy(command));
        }
    }

    fn grant(
        &mut self,
        index: LogIndex,
        key: &Arc<str>,
        waiter: Waiter,
        at_ms: u64,
        rows: &mut Vec<Row>,
    ) -> Outcome {
        let Waiter { owner, ttl_ms, asker, .. } = waiter;
        let token = Token::from(index);
        self.event(key, Kind::Granted { owner: Arc::clone(&owner), token: token.0 });
        let lease = Lease {
            owner,
            token,
            renewed: index,
            ttl_ms,
            asker,
            granted_ms: at_ms,
            renewed_ms: at_ms,
        };
        rows.push(rows::lease(key, &lease));
        let before = self.leases.insert(Arc::clone(key), lease);
        assert!(before.is_none(), "lock {key} is granted while it is held: {before:?}");
        self.touched.push(Due::Lease(Arc::clone(key)));
        self.show(key);
        Outcome::Granted { token, ttl_ms }
    }

    fn prolong(
        &mut self,
        index: LogIndex,
        key: &Arc<str>,
        ttl_ms: u64,
        at_ms: u64,
        rows: &mut Vec<Row>,
    ) {
        let lease = self.leases.get_mut(key).expect("the caller has just seen it");
        lease.renewed = index;
        lease.ttl_ms = ttl_ms;
        lease.renewed_ms = at_ms;
        rows.push(rows::lease(key, lease));
        self.touched.push(Due::Lease(Arc::clone(key)));
        self.show(key);
    }

    fn renew(
        &mut self,
        index: LogIndex,
        key: &Arc<str>,
        token: Token,
        ttl_ms: Option<u64>,
        at_ms: u64,
        rows: &mut Vec<Row>,
    ) -> Outcome {
        match self.leases.get(key) {
            Some(lease) if lease.token == token => {
                let ttl_ms = ttl_ms.unwrap_or(lease.ttl_ms);
                self.prolong(index, key, ttl_ms, at_ms, rows);
                Outcome::Renewed { token, ttl_ms }
            }
            other => Outcome::NotHeld { current: other.map(|lease| lease.token) },
        }
    }

    fn release(
        &mut self,
        index: LogIndex,
        key: &Arc<str>,
        token: Option<Token>,
        at_ms: u64,
        rows: &mut Vec<Row>,
    ) -> Outcome {
        match self.leases.get(key) {
            Some(lease) if token.is_none_or(|token| token == lease.token) => {
                let token = lease.token.0;
                self.event(key, Kind::Released { token });
                self.pass_on(index, key, at_ms, rows);
                Outcome::Released
            }
            other => Outcome::NotHeld { current: other.map(|lease| lease.token) },
        }
    }

    fn end(&mut self, index: LogIndex, end: &LeaseEnd, at_ms: u64, rows: &mut Vec<Row>) {
        let LeaseEnd { key, token, renewed } = end;
        let meant = |lease: &Lease| lease.token == *token && lease.renewed == *renewed;
        if self.leases.get(key).is_some_and(meant) {
            self.event(key, Kind::LeaseEnded { token: token.0 });
            self.pass_on(index, key, at_ms, rows);
        }
    }

    /// The lease is over: the next one in the queue is granted the lock, or it is free.
    fn pass_on(&mut self, index: LogIndex, key: &Arc<str>, at_ms: u64, rows: &mut Vec<Row>) {
        self.leases.remove(key).expect("the caller has just seen it");
        let first = self.queues.get(key).and_then(|queue| queue.keys().next().copied());
        let Some(ticket) = first else {
            rows.push(rows::no_lease(key));
            self.touched.push(Due::Lease(Arc::clone(key)));
            return self.show(key);
        };
        let waiter = self.take_waiter(key, ticket, rows).expect("just seen");
        let asker = waiter.asker;
        let outcome = self.grant(index, key, waiter, at_ms, rows);
        self.tell(key, asker, outcome, at_ms);
    }

    fn time_out(&mut self, key: &Arc<str>, ticket: LogIndex, at_ms: u64, rows: &mut Vec<Row>) {
        if let Some(Waiter { asker, owner, .. }) = self.take_waiter(key, ticket, rows) {
            self.event(key, Kind::GaveUp(owner));
            self.show(key);
            self.tell(key, asker, Outcome::TimedOut, at_ms);
        }
    }

    fn event(&mut self, key: &Arc<str>, kind: Kind) {
        self.outputs.push_back(Output::Event(kind, Subject::Lock(Arc::clone(key))));
    }

    fn take_waiter(
        &mut self,
        key: &Arc<str>,
        ticket: LogIndex,
        rows: &mut Vec<Row>,
    ) -> Option<Waiter> {
        let queue = self.queues.get_mut(key)?;
        let waiter = queue.remove(&ticket)?;
        if queue.is_empty() {
            self.queues.remove(key);
        }
        self.waiters_len -= 1;
        rows.push(rows::no_waiter(key, ticket));
        self.touched.push(Due::Waiter(Arc::clone(key), ticket));
        Some(waiter)
    }

    /// Whoever's request the lease was granted to, by key: after a restore, what this node's requests came to.
    pub(crate) fn stands(&self, key: &Arc<str>, asker: &Asker) -> bool {
        let queue = self.queues.get(key);
        queue.is_some_and(|queue| queue.values().any(|waiter| waiter.asker == *asker))
    }
}
