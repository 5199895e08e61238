//! Agreement: one log that is the same on all nodes, by Raft.
//!
//! # Problem
//!
//! Config, users, locks and membership must never disagree between nodes, whatever crashes or partitions. The algorithm
//! is the `raft` crate's (the engine, descendant of etcd's); this crate is its only importer and adds what it leaves to
//! its user, where mistakes are made: what waits for the disk, which bytes are trusted, where chance comes from.
//!
//! # Roles
//!
//! A *voter* is follower, (pre-)candidate or leader; a *learner* receives the log without a vote. A sole voter leads at
//! once when it starts. A node with no voters in its settings and nothing on disk waits for a leader to send it the log.
//!
//! # Messages
//!
//! [`MessageKind`] says for each what happens if it is lost: everything is repeated by a timer, so a message may be lost,
//! doubled, delayed and reordered. Proposals are not forwarded: [`Refusal::NotLeader`] names the leader.
//!
//! # What the driver (`node`) does with each output
//!
//! It starts outputs in order and waits for none before it starts the next. All disk work of a node ([`Output::Persist`],
//! applying rows, [`Output::Checkpoint`], [`Output::Restore`]) goes through *one* queue in this order.
//!
//! * [`Output::Persist`]: append everything in [`Write`] in one durable transaction, then step [`Input::Persisted`] with
//!   its id. One is on its way at most; what comes up meanwhile gathers in the next: that is the group commit. With
//!   [`Write::install`], first let the staged pieces take the place of the tables and of the log. If the disk is full:
//!   acknowledge nothing, drop this value, reopen the disk and call [`Consensus::recover`] anew; the outcome of what was
//!   proposed and not answered is unknown. If the fsync failed: stop the node.
//! * [`Output::Send`]: encode, hand to the peer's connection or drop it; after a broken connection or a full queue step
//!   [`Input::Unreachable`].
//! * [`Output::Apply`]: apply to the plane and give the changed rows to the tables with this index. It is already on this
//!   node's disk and committed. `proposal` names the asker, who may be answered now.
//! * [`Output::Advance`]: record this as the applied index of the tables (without rows): reads may wait for it, and a
//!   snapshot is named by it.
//! * [`Output::Checkpoint`]: make the tables durable, then step [`Input::Checkpointed`] with their applied index. A driver
//!   may also do so whenever it likes. The hard state that commits the entries was made durable before this output; a
//!   checkpoint that already contains later entries is no harm, see [`Consensus::durable_commit`].
//! * [`Output::SnapshotWanted`]: open a view of the tables and step [`Input::SnapshotReady`] with its applied index, or
//!   [`Input::SnapshotSent`] with `ok: false`. Drop a view that no [`Output::SendSnapshot`] asked for within a minute, and
//!   step `SnapshotSent { ok: false }` then as well.
//! * [`Output::SendSnapshot`]: send all pieces of that view, then the message, in one stream; step `SnapshotSent`. The
//!   receiver stages the pieces and steps [`Input::Message`] only after the last one; if no [`Write::install`] with that
//!   index follows, the staged pieces are forgotten. It refuses a second stream until the first is decided.
//! * [`Output::Restore`]: the tables were replaced: the planes forget their state and load the rows anew, before any
//!   later `Apply`.
//! * [`Output::Refused`], [`Output::Lost`], [`Output::Unknown`]: answer the asker; only the last leaves the outcome open.
//!   A proposal of a node that is cut off gets no answer: the driver keeps a deadline.
//! * [`Output::ReadReady`]: read as soon as the applied index has reached this one. [`Output::ReadFailed`]: answer
//!   "stale", or an error.
//! * [`Output::Leader`], [`Output::MembersChanged`]: show them, open and close peer links. At start `MembersChanged` is
//!   repeated for what is in the log.
//! * [`Output::MessageRefused`]: count it. [`Output::Halt`]: stop the node; its disk has lost what it had acknowledged.
//!
//! At start: open the disk, give what it recovered to [`Consensus::recover`], restore the planes from the tables; the
//! entries after the tables' applied index come as `Apply`.
//!
//! Offline, when a majority is lost for good: [`standing`] tells what a log says, [`alone`] what makes its node the sole
//! voter of it. `survivor.rs` argues why all of the log is kept.
//!
//! # Invariants
//!
//! * applied ≤ min(commit, persisted) ≤ last; all of them only grow, but for an uncommitted `last`.
//! * a vote, an acknowledgement or a term leaves the node only after the hard state and entries it speaks of are durable;
//!   a leader sends entries earlier, but only in a term that is durable. So are the answers to heartbeats, which
//!   acknowledge no entry.
//! * compacted ≤ applied of the newest durable checkpoint.
//! * at most one leader per term; two nodes never apply different data at one index.
//! * same seed, inputs and times ⇒ same outputs.
//!
//! # Limits
//!
//! `entry_bytes_max`: [`Refusal::TooLarge`]. `log_bytes_max`: [`Refusal::LogFull`] until a checkpoint lets the log shrink;
//! a follower drops appends above twice of it. [`PROPOSALS_MAX`]: [`Refusal::Busy`]. [`READS_WAITING_MAX`]: `ReadFailed`.
//!
//! # Left out
//!
//! Lease reads (clocks may drift), forwarding of proposals (the node does that with its own requests), witnesses.
#![forbid(unsafe_code)]

mod admit;
mod engine;
mod error;
mod interface;
mod members;
mod memory_log;
mod proposals;
mod reads;
mod recover;
mod settings;
mod snapshots;
mod survivor;
mod wire;
mod writes;

pub use engine::{APPEND_BYTES_MAX, APPENDS_IN_FLIGHT_MAX, APPLY_BYTES_MAX, Consensus};
pub use error::{Error, HaltReason, MessageFault};
pub use interface::{Input, Output, Recovered, Refusal, Write, WriteId};
pub use members::{MEMBERS_MAX, MemberChange, Members};
pub use proposals::PROPOSALS_MAX;
pub use reads::READS_WAITING_MAX;
pub use settings::Settings;
pub use survivor::{LogStanding, alone, standing};
pub use wire::{MESSAGE_BYTES_MAX, Message, MessageKind, WIRE_VERSION};

#[cfg(test)]
mod tests;
