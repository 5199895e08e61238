//! What every other crate of the project shares: identifiers that cannot be mixed up, the time and the randomness
//! that are handed to each state machine, and a queue that has a limit.
//!
//! Nothing here knows a clock, a socket or a generator of the operating system: `no_std` makes using one a
//! compile error, and that is what lets a run be replayed from its seed.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod freshness;
mod hybrid_clock;
mod ids;
mod limit;
mod ordered_key;
mod queue;
mod rng;
mod row;
mod time;
mod watchers;

pub use core::time::Duration;
pub use freshness::{BOUND_MAX, Consistency, Freshness};
pub use hybrid_clock::{FOLLOWED_AHEAD_MAX, HybridClock, HybridTime};
pub use ids::{ConnectionId, LogIndex, NodeId, ProposalId, RequestId, Revision, Term};
pub use limit::Limit;
pub use ordered_key::push_part;
pub use queue::BoundedQueue;
pub use rng::Rng;
pub use row::Row;
pub use time::{Instant, Now};
pub use watchers::{PATTERNS_MAX, PATTERNS_PER_CONNECTION_MAX, Watchers, takes};
