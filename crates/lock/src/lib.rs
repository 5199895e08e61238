//! Locks: who may do something that only one may do at a time, agreed on by all nodes.
//!
//! # The problem
//!
//! A lock of a registry is never as good as one in a process: whoever has it may pause, and go on after it was taken away
//! from him. So a lock here is two things: a *lease*, that ends by itself if nobody renews it, and a *fencing token*, a number
//! that is greater than that of every earlier lease of the lock. What the lock protects should refuse whoever comes with a
//! smaller number than it has seen; then it does not matter who believes what, when.
//!
//! # How a lock goes from hand to hand
//!
//! ```text
//!            Acquire                 Acquire(patience)             Release, Withdraw, Expire
//! (nobody) ──────────► lease{token} ──────────────────► + waiters ──────────────────────────► lease of the next one
//!                       │  ▲                                                                  or nobody
//!                       └──┘ Renew, Acquire by the same owner: the same token, the time begins anew
//! ```
//!
//! All of it is decided by `apply`, in the order of the log. The token is the index of the entry that granted the lease, so
//! it grows over all locks, all leaders and all restarts. A lock that nobody has does not exist: there is nothing to clean up.
//!
//! # Time
//!
//! `apply` reads no clock. The leader notes, on its own monotonic clock, when it applied what granted or renewed a lease, and
//! proposes its end (`Expire`) when the time has passed; that command names the entry that renewed the lease last, so a renewal
//! that comes into the log first saves it. A new leader knows no times: it gives every lease its full time again. So a lease
//! may last longer than its owner asked for, never shorter, as long as the owner counts from when it asked.
//!
//! # Waiting
//!
//! Who waits is in the log, in order, with the entry with which it began. *That* a request waits for its answer is known to
//! its own node only: it answers when the owner's turn has come, gives up when its patience ends, and withdraws from the queue
//! when the connection closes. Should the turn come while that is on its way, the withdrawal gives the lock back, since nobody
//! was told of it. If the node dies, its waiters stay until the leader has them expire, some time after their patience; one
//! whose turn comes before that holds up the others for one lease.
//!
//! # Messages
//!
//! None of its own: commands through the log. One that is lost is proposed again (`Expire`, `Withdraw`), or its client asks
//! again, which is harmless: an owner that has the lock gets the token it has.
//!
//! # Invariants
//!
//! ```text
//! mutual:    a lock has one lease; a token is given out once for each lock, and tokens of a lock only grow
//! pure:      apply(i, c) depends on nothing but the locks, i and c; restore(all rows) = the locks
//! fair:      the lease goes to the one with the smallest `since`
//! waiters:   a lock has waiters ⇒ it has a lease; nobody waits for what it has
//! time:      Expire(lease) is proposed ≥ ttl after the leader applied its grant and its last renewal
//! answers:   each request that waits is answered once; whoever is told `Granted` has had it by that token
//! ```
//!
//! # At the limits
//!
//! Refused: more than `LOCKS_MAX` locks, `WAITERS_PER_LOCK_MAX` waiters of one or `WAITERS_MAX` of all, more than `WAITS_MAX`
//! requests of this node that wait; times out of range, names too long. Expired: at most `EXPIRED_PER_COMMAND` at once.
//!
//! # What is left out
//!
//! Locks that many may have at once for reading; counting semaphores; a lock that ends with a connection. Leases that are
//! longer than they were asked for after a change of leaders could be shortened by keeping times in the log; then clocks would
//! have to be trusted.
#![forbid(unsafe_code)]

mod command;
mod decide;
mod expiry;
mod model;
mod request;
mod rows;
mod surface;
#[cfg(test)]
mod tests;
mod waits;

pub use command::{Applied, Command, Outcome};
pub use expiry::{EXPIRED_PER_COMMAND, LOCKS_SWEPT_PER_WAKE};
pub use model::{Lease, Lock, LockName, Waiter};
pub use request::{
    LOCKS_MAX, LOCKS_PER_PIECE, LockState, NAME_CHARS_MAX, OWNER_CHARS_MAX, PATIENCE_MS_MAX,
    Refusal, Reply, Request, TTL_MS_MAX, TTL_MS_MIN, WAITERS_MAX, WAITERS_PER_LOCK_MAX, WAITS_MAX,
};
pub use surface::{Input, Output};

use base::{ConnectionId, Instant, Now, RequestId, Row};
use expiry::Timers;
use rows::Change;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};
use waits::Waits;

/// The locks of a cluster, as one node knows them.
#[derive(Debug)]
pub struct Locks {
    locks: BTreeMap<LockName, Lock>,
    waiters_count: usize,
    /// What comes from a snapshot, until all of it is there.
    incoming: Option<Vec<Change>>,
    timers: Timers,
    waits: Waits,
    now: Now,
    outputs: VecDeque<Output>,
}

impl Locks {
    /// No locks.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            locks: BTreeMap::new(),
            waiters_count: 0,
            incoming: Some(Vec::new()),
            timers: Timers::default(),
            waits: Waits::default(),
            now,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Request { from, id, request } => self.request(from, id, request),
            Input::Waits { asker, name, owner, since, patience_ms } => {
                self.wait(asker, name, owner, since, patience_ms);
            }
            Input::Closed(connection) => self.give_up(connection),
            Input::Leads(leads) => self.lead(leads),
            Input::Restore(rows) => self.restore(&rows),
            Input::Reset => self.incoming = Some(Vec::new()),
            Input::Restored => self.settle(),
            Input::Wake => {}
        }
        self.sweep();
        self.stamp();
        self.expire();
        self.lose_patience();
    }

    /// The next thing to be done, in the order in which it must be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to step `Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let unfinished = self.timers.is_unfinished().then_some(self.now.instant);
        [unfinished, self.timers.due(), self.waits.due()].into_iter().flatten().min()
    }

    /// How many locks somebody has, and how many wait for one.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.locks.len(), self.waiters_count)
    }

    fn request(&mut self, from: ConnectionId, id: RequestId, request: Request) {
        if let Err(refusal) = request.check() {
            return self.reply(from, id, Reply::Refused(refusal));
        }
        let command = match request {
            Request::Acquire { name, owner, ttl_ms, patience_ms } => {
                if patience_ms > 0 && self.waits.is_full() {
                    let full = Refusal::Full { what: "requests that wait", limit: WAITS_MAX };
                    return self.reply(from, id, Reply::Refused(full));
                }
                Command::Acquire { name, owner, ttl_ms, patience_ms }
            }
            Request::Renew { name, owner, token, ttl_ms } => {
                Command::Renew { name, owner, token, ttl_ms }
            }
            Request::Release { name, owner, token } => Command::Release { name, owner, token },
            Request::Get { name } => {
                let lock = self.locks.get(&name).map(|lock| state(&name, lock));
                return self.reply(from, id, Reply::Lock(lock));
            }
            Request::List { after } => {
                let reply = self.list(after.as_ref());
                return self.reply(from, id, reply);
            }
        };
        self.outputs.push_back(Output::Propose { to: from, id, command });
    }

    fn list(&self, after: Option<&LockName>) -> Reply {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.locks.range::<LockName, _>((after, Bound::Unbounded));
        let locks = rest.by_ref().take(LOCKS_PER_PIECE).map(|(name, lock)| state(name, lock));
        let locks = locks.collect();
        Reply::Locks { locks, more: rest.next().is_some() }
    }

    fn reply(&mut self, to: ConnectionId, id: RequestId, reply: Reply) {
        self.outputs.push_back(Output::Reply { to, id, reply });
    }

    /// Makes a change, and takes note of what follows for times and for those who wait.
    fn make(&mut self, change: Change) {
        match change {
            Change::Lease(name, Some(lease)) => {
                self.timers.touch_lease(&name);
                let queued = lease.queued;
                let former = match self.locks.get_mut(&name) {
                    Some(lock) => std::mem::replace(&mut lock.lease, lease).queued,
                    None => {
                        let lock = Lock { lease, waiters: BTreeMap::new() };
                        self.locks.insert(name.clone(), lock);
                        None
                    }
                };
                for since in queued.into_iter().chain(former) {
                    self.moved(&name, since);
                }
            }
            Change::Lease(name, None) => {
                self.timers.touch_lease(&name);
                let lock = self.locks.remove(&name).expect("a lease that ends was there");
                assert!(lock.waiters.is_empty(), "{name} ends while somebody waits for it");
                if let Some(since) = lock.lease.queued {
                    self.moved(&name, since);
                }
            }
            Change::Waiter(name, since, waiter) => {
                self.timers.touch_waiter(&name, since);
                let lock = self.locks.get_mut(&name).expect("who waits, waits for a lease");
                match waiter {
                    Some(waiter) => {
                        let new = lock.waiters.insert(since, waiter).is_none();
                        self.waiters_count += usize::from(new);
                    }
                    None => {
                        let gone = lock.waiters.remove(&since).is_some();
                        self.waiters_count -= usize::from(gone);
                        self.moved(&name, since);
                    }
                }
            }
        }
    }

    fn restore(&mut self, rows: &[Row]) {
        let incoming = self.incoming.get_or_insert_default();
        for row in rows {
            match rows::read(row) {
                Ok(change) => incoming.push(change),
                Err(why) => return self.outputs.push_back(Output::Halt(why)),
            }
        }
    }

    /// Ends a restore.
    fn settle(&mut self) {
        let Some(mut incoming) = self.incoming.take() else { return };
        self.locks.clear();
        self.waiters_count = 0;
        // Leases first: who waits, waits for one.
        incoming.sort_by_key(|change| matches!(change, Change::Waiter(..)));
        for change in incoming {
            if let Change::Waiter(name, ..) = &change
                && !self.locks.contains_key(name)
            {
                let why = format!(
                    "lock tables: somebody waits for {name}, which nobody has; restore this node from its peers or a backup"
                );
                return self.outputs.push_back(Output::Halt(why));
            }
            self.make(change);
        }
        self.timers.begin_anew();
        self.review_waits();
    }
}

fn state(name: &LockName, Lock { lease, waiters }: &Lock) -> LockState {
    LockState {
        name: name.clone(),
        owner: lease.owner.clone(),
        token: lease.token,
        ttl_ms: lease.ttl_ms,
        waiters: waiters.len(),
    }
}
