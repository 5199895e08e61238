//! What can go wrong on disk, and what the caller must do about it.

use std::{fmt, io};

/// Why the disk did not do what it was asked. Each variant says what the node does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No space is left, reserve included. Nothing of the failed call was kept.
    ///
    /// Duty: acknowledge nothing, refuse writes, make space, call [`crate::Disk::reopen`], go on from what it recovers.
    #[error(
        "no space left on the disk of {file}; free some space, then the node goes on by itself"
    )]
    Full {
        /// The file that could not grow.
        file: &'static str,
    },
    /// The operating system could not make written bytes durable, so what it did with them is unknown.
    ///
    /// Duty: stop the node, never retry: after a failed fsync the next one may succeed without having written anything.
    #[error(
        "{file} could not be made durable ({why}); the node stops, check the disk before it is started again"
    )]
    SyncFailed {
        /// The file whose fsync failed.
        file: &'static str,
        /// What the operating system said.
        why: String,
    },
    /// Bytes are not what was written.
    ///
    /// Duty: stop the node. It must neither vote nor lead with this data. With an empty directory it is a new node, which
    /// gets everything from the others and takes the old one's place.
    #[error(
        "{what} is corrupt ({where_}); the node takes no part with this data. If the others of its cluster run, start it with an empty data directory and the same settings: it gets everything from them and takes its old place. If it is alone, restore a backup"
    )]
    Corrupt {
        /// Which file or record.
        what: String,
        /// Where in it, or how that was found.
        where_: String,
    },
    /// Another process, or another node of this process, works on these files.
    ///
    /// Duty: stop; give each node a data directory of its own.
    #[error(
        "{place} is already in use by another node; give each node a data directory of its own"
    )]
    InUse {
        /// The directory.
        place: String,
    },
    /// The file was written by a version of Trine that this one does not know.
    ///
    /// Duty: stop; start the version that wrote it.
    #[error(
        "{file} has format {found}, this version reads format {known}; start the version that wrote it"
    )]
    Version {
        /// Which file.
        file: &'static str,
        /// The format it has.
        found: u32,
        /// The format that is understood.
        known: u32,
    },
    /// A piece of a snapshot from a peer does not fit. The pieces so far are as good as never received.
    ///
    /// Duty: drop the transfer; the leader sends a new one.
    #[error("piece {number} of a snapshot is refused: {why}; the transfer starts over")]
    Piece {
        /// Which piece, from 0.
        number: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Any other refusal of the operating system: a missing directory, permissions, a failed read or write.
    ///
    /// Duty: stop the node; nothing of the failed call was acknowledged.
    #[error("{file}: {why}")]
    Io {
        /// Which file.
        file: &'static str,
        /// What the operating system said.
        why: String,
    },
}

impl Error {
    pub(crate) fn corrupt(what: impl fmt::Display, where_: impl fmt::Display) -> Self {
        Self::Corrupt { what: what.to_string(), where_: where_.to_string() }
    }
}

/// The first thing that went wrong under redb; redb itself only says "previous I/O error" from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Full,
    Sync(String),
    Io(String),
}

impl Fault {
    pub(crate) fn of(error: &io::Error) -> Self {
        if is_full(error) { Self::Full } else { Self::Io(error.to_string()) }
    }

    pub(crate) fn error(self, file: &'static str) -> Error {
        match self {
            Self::Full => Error::Full { file },
            Self::Sync(why) => Error::SyncFailed { file, why },
            Self::Io(why) => Error::Io { file, why },
        }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
