//! The lock plane: leases and fencing tokens. A replicated state machine.
//!
//! # The problem
//!
//! Jobs that must run once, and things that must have one writer, need somebody who says whose turn it is. No lock over
//! a network can promise that its holder does not *believe* to hold it any more: the holder may be paused for an hour
//! between its check and its write. So a grant here is two things: a **lease**, that ends by itself when nobody renews
//! it, and a **fencing token**, a number that only grows, which the holder shows to whatever it writes to; what remembers
//! the greatest token that it saw refuses the one who was too slow.
//!
//! # Two entrances
//!
//! ```text
//!   edge ── Request ──► step ── Propose{Command} ──► the Raft log ──► apply ── rows ──► state tables
//!                        │                                             │
//!   leader's timers ─────┴── Tidy{Command::End} ───► the Raft log      ├── Publish / Retire: views
//!                                                                      └── Reply: to whoever waited in the queue
//! ```
//!
//! * `apply` never reads a clock. A lease ends by a command, [`Command::End`], which the *leader's* `step` proposes when
//!   the lease's ttl is over on its monotonic clock, counted from when it applied the grant or the newest renewal.
//! * `End` names the lease by its token and its newest renewal. A renewal that got into the log first makes it void.
//! * A new leader, and a sole node after a restart, knows no times: it gives every lease its full ttl again, from when it
//!   leads. So a lease may live longer than its ttl, never shorter. Waiters likewise wait their full time again.
//! * What is lost: a lost `End` is proposed again; a lost `Acquire`, `Renew` or `Release` is answered "lost" or "outcome
//!   unknown" by the node. All three may be repeated: the same owner that acquires again renews its lease and is given
//!   the same token.
//!
//! # The queue
//!
//! Who finds a lock held may wait: behind all who came before, in the order of the log, for a bounded time. The request is
//! answered when the lock is granted, or when the time is over (`TimedOut`, a command as well, so that a waiter is
//! never granted what it was told it did not get). When its connection closes, the waiter leaves; if the lock was granted
//! to it meanwhile, and nobody was told, that grant ends, unless it was renewed since.
//!
//! # State
//!
//! | table | key | value |
//! |---|---|---|
//! | 0 | the lock's key | version byte, postcard of (key, `Lease`) |
//! | 1 | the lock's key (`base::push_part`), ticket in 8 bytes, big-endian | version byte, postcard of (key, ticket, `Waiter`) |
//!
//! # Invariants
//!
//! * one holder: `leases` has at most one lease per key, and a key with waiters has a lease.
//! * fencing: of two grants of a key the later one has the greater token, even when the lock was free in between: a token
//!   is the index of the log entry that granted it.
//! * never early: `ended ≥ applied(grant or newest renewal, at the leader that ends it) + ttl`, on that leader's clock;
//!   but for a grant that nobody was told of, and a release.
//! * order: `ticket(waiter granted) = min(tickets of the key's queue)`.
//! * bounded: `leases ≤ LOCKS_MAX`, `waiters of a key ≤ WAITERS_PER_LOCK_MAX`, `waiters ≤ WAITERS_MAX`; and every waiter has
//!   left at the latest when a leader has led for its `wait`.
//! * one answer: a request is answered once, by the node that it was asked of, which has at most `ASKED_MAX` of them.
//!
//! # The journal
//!
//! Every node files what the log decides about a lock: grants, who waits and who gives up, releases, ends of leases. A
//! renewal is routine and is not filed.
//!
//! # What a holder must do
//!
//! Count the ttl from *before* it asked: the lease was applied later than that, so it lives at least as long. Clocks that
//! run at different speeds eat into the ttl; renewing at a third of it leaves room for both.
//! Take another name after a release that was not answered: the same name gets the same token while the lease lives, and the
//! release may come late and end it.
//!
//! # Left out
//!
//! Shared (read) locks and counting semaphores: both can be built on top when somebody needs them. Owners are texts, not
//! principals: whoever may write to a lock may release it.
#![forbid(unsafe_code)]

mod apply;
mod asked;
mod check;
mod lock;
mod model;
mod request;
mod restore;
mod rows;
mod surface;
#[cfg(test)]
mod tests;
mod timers;

pub use apply::{LOCKS_MAX, WAITERS_MAX, WAITERS_PER_LOCK_MAX};
pub use check::{KEY_BYTES_MAX, OWNER_BYTES_MAX, TTL_MAX, TTL_MIN, WAIT_MAX};
pub use lock::{ASKED_MAX, Lock};
pub use model::{Asker, Lease, LeaseEnd, Token, View, Waiter};
pub use request::{Command, Outcome, Refusal, Reply, Request};
pub use surface::{Applied, Input, Output};
