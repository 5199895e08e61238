//! Everything that one node keeps on disk: the Raft log with its hard state, and the rows of the replicated state
//! machines.
//!
//! # Problem
//!
//! What a node has acknowledged must be there after a power cut, and bytes that the disk changed must be found before
//! anyone is served from them or votes with them. redb does the first; this crate adds what redb leaves to its user.
//!
//! # Two files
//!
//! * `raft.redb`: every commit is durable when it returns. Many log writes share one transaction, one fsync.
//! * `tables.redb`: not durable between checkpoints, since the log holds the truth; after a crash it is as it was at the
//!   last checkpoint, and the node applies the log from there on.
//!
//! Beside them `hint`, which nobody relies on: pieces with a checksum each, appended and never synced, begun anew under
//! another name that is given up when the new one is complete.
//!
//! # Invariants
//!
//! * acknowledged(append) ⇒ recovered(append), after a crash at any write or fsync.
//! * recovered.entries has no gap and begins at `compacted + 1`.
//! * after a crash the rows and `applied` are those of one checkpoint, never a mixture.
//! * acknowledged(append) ⇒ recovered(append) or an error, after any bit flipped while the node was killed.
//! * a value is served only if its checksum over key and value is right.
//! * after a failed fsync nothing is written any more in this life.
//! * the rows of a half received snapshot are never served.
//!
//! # Left out
//!
//! Encryption at rest, and more than one writer: one thread of the node owns the [`Disk`].
#![forbid(unsafe_code)]

mod area;
mod backend;
mod database;
mod disk;
mod error;
mod hint;
mod log;
mod record;
mod sim_disk;
mod snapshot;
mod tables;
mod witness;

pub use area::{Place, RESERVE_BYTES};
pub use database::FORMAT_VERSION;
pub use disk::{Disk, Recovered};
pub use error::Error;
pub use hint::HINT_BYTES_MAX;
pub use log::{Compact, Entry, LOG_CACHE_BYTES, LogWrite};
pub use sim_disk::{SECTOR_BYTES, SimDisk, Survivors};
pub use snapshot::{PIECE_BYTES, PIECE_BYTES_MAX, SnapshotReader};
pub use tables::{KeyValue, Range, Row, TABLES_CACHE_BYTES};

#[cfg(test)]
mod tests;
