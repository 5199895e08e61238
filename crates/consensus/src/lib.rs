//! Agreement: one log that is the same on all nodes, by Raft.
//!
//! # Problem
//!
//! Config, users, locks and membership must never disagree between nodes, whatever crashes or partitions. The algorithm
//! is the `raft` crate's (the engine, descendant of etcd's); this crate is its only importer and adds what it leaves to
//! its user, where mistakes are made: what waits for the disk, which bytes are trusted, where chance comes from.
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
mod wire;
mod writes;

pub use engine::{APPEND_BYTES_MAX, APPENDS_IN_FLIGHT_MAX, APPLY_BYTES_MAX, Consensus};
pub use error::{Error, HaltReason, MessageFault};
pub use interface::{Input, Output, Recovered, Refusal, Write, WriteId};
pub use members::{MEMBERS_MAX, MemberChange, Members};
pub use proposals::PROPOSALS_MAX;
pub use reads::READS_WAITING_MAX;
pub use settings::Settings;
pub use wire::{MESSAGE_BYTES_MAX, Message, MessageKind, WIRE_VERSION};

#[cfg(test)]
mod tests;
