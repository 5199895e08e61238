//! The cluster plane: which nodes belong together, which of them live, and who may come.
//!
//! # Problem
//!
//! Raft wants its first voters given, the same on all of them, once. The registry wants to know who is alive. An operator
//! wants to start nodes in any order, add one, take one out for good, and never find two clusters where there should be
//! one. And of all this nobody may be in charge, since whoever is may be the one that is gone.
//!
//! # Parts
//!
//! | part | question | its answer |
//! |---|---|---|
//! | `founding` | which cluster does this node belong to? | [`Formation`], on disk before it is said; an essay of its own |
//! | `gossiping` | who lives? | drives the core [`gossip`], whose messages go over links only; `NodeAlive`, `NodeGone` |
//! | `links` | with whom are links wanted? | `Output::Links`: members, and every address where nobody is known to be |
//! | `membership` | who takes part in agreement, who leads? | one change after the other, by whoever leads |
//! | `replacing` | who came back without its disk? | the new id takes the old one's place |
//! | `agreed` | who was invited, who never comes back? | the replicated state: tokens, removed ids |
//! | `twins` | is there a copy of somebody's disk? | the one started later stops |
//! | `balance` | who serves more clients than its share? | a pure function of what the nodes count |
//!
//! Gossip informs, Raft decides: who is `Down` is shown, is no successor and loses its clients, but keeps its vote.
//!
//! # Messages
//!
//! Each says which life of its sender wrote it, and where that is reached.
//!
//! | message | from → to | if it is lost |
//! |---|---|---|
//! | `Gossip` | as the core says | as the core says |
//! | `Forming` | who is in no cluster → all linked, and the answer | said again within 0.3 s |
//! | `Join` | who has no vote → all linked | said again within 1 s |
//! | `TransferLeader` | who was asked → who leads | the asker is told that it took too long |
//! | `Removed` | anybody → who was removed | its next message, or its next link, is answered with it |
//! | `Twin` | who hears two lives → the later one | told again as long as both talk |
//!
//! # A node comes
//!
//! It is linked to somebody of a cluster, by the secret or a token: `Joining` on disk. Its engine starts without voters and
//! it asks. The leader makes it a learner; it gets the log or a snapshot; it asks on, saying how far it is; the leader gives it
//! a vote. The next leader goes on where the former one stopped, since who asks is heard by all and the members are in the log.
//!
//! # A node goes
//!
//! For good: `Command::Remove` enters the log first, so that nobody forgets it; then whoever leads takes the node out of
//! the members. It stops when it sees that, or when anybody whom it talks to tells it. A leader that is to go lets another one
//! do it. Nothing is removed if too few voters would be left alive.
//! Without its disk: it is another node then, and if it is where the old one was, it takes its place: `replacing`.
//! For a while: `Input::Leave` hands over what the node leads and says goodbye, so that nobody has to wait for suspicions.
//!
//! # Invariants
//!
//! ```text
//! founding:   its own list
//! identity:   what others are told of this node's cluster is on its disk
//! removed:    removed(n) in the log ⇒ n is never made a member again
//! changes:    one change of the members at a time, asked for by the leader only
//! view:       published before the reply that follows from it
//! ```
//!
//! # Limits and their answers
//!
//! [`SEEDS_MAX`], `expect`: refused at start. [`TOKENS_MAX`], [`REMOVED_MAX`]: the command is refused. [`VOTERS_MAX`]: more
//! nodes follow without a vote. [`LINKS_MAX`]: more addresses wait. [`TRANSFERS_MAX`]: refused.
//!
//! # Left out
//!
//! Roles of nodes, zones, witnesses; the removal, without an operator, of dead voters whose place nobody takes; change of the secret while nodes run.
#![forbid(unsafe_code)]

mod agreed;
mod asking;
mod balance;
mod cluster;
mod error;
mod formation;
mod founding;
mod gossiping;
mod identity;
mod introduction;
mod links;
mod membership;
mod message;
mod replacing;
mod request;
mod secret;
mod settings;
mod surface;
#[cfg(test)]
mod tests;
mod twins;
mod view;

pub use agreed::{REMOVED_MAX, TOKENS_MAX};
pub use asking::{TRANSFER_TIMEOUT, TRANSFERS_MAX, TTL_MAX};
pub use balance::{Busy, Crowd, Shift, TOLERANCE, even_out};
pub use cluster::Cluster;
pub use error::Error;
pub use formation::{ClusterId, Formation, Founder};
pub use gossip::{Address, Protocols};
pub use identity::{IDENTITY_BYTES_MAX, Identity};
pub use introduction::{INTRODUCTION_BYTES_MAX, Introduction, PROTOCOLS, Refusal};
pub use links::LINKS_MAX;
pub use membership::VOTERS_MAX;
pub use message::{Body, Forming, MESSAGE_BYTES_MAX, Message, MessageLane};
pub use request::{Command, Outcome, Reply, Request, Why};
pub use secret::{JoinToken, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, TokenId};
pub use settings::{SEEDS_MAX, Settings};
pub use surface::{Applied, Input, MemberChange, Output};
pub use view::{Member, Role, State, Token, View};
