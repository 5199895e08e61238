//! What is wrong with settings, with bytes from the disk and with messages from peers.

use base::{LogIndex, NodeId};

/// Why a node cannot start, or a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings contradict themselves.
    #[error("settings of consensus: {what}")]
    Settings {
        /// What is wrong.
        what: &'static str,
    },
    /// A record has a version that this program does not know.
    #[error(
        "{what} has version {found}, this program reads {known}; start the version that wrote it"
    )]
    Version {
        /// Which record.
        what: &'static str,
        /// The version it has.
        found: u8,
        /// The version that is understood.
        known: u8,
    },
    /// A record cannot be read.
    #[error("{what} cannot be read: {why}")]
    Malformed {
        /// Which record.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The log on disk does not fit together. The node must not take part with it.
    #[error(
        "the log on disk is not whole at index {index}: {why}; if the others of its cluster run, start the node with an empty data directory and the same settings"
    )]
    Log {
        /// Where.
        index: LogIndex,
        /// What is wrong.
        why: &'static str,
    },
}

/// Why a message from a peer was dropped. The node lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// Its fields contradict each other, or the log of this node.
    Invalid(&'static str),
    /// It needs something that waits for the disk; the peer repeats it.
    Busy,
    /// The log in memory is twice as long as allowed; the peer repeats it after the next compaction.
    LogFull,
}

/// Why the node must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// The leader knows that this node had acknowledged entries that are not here: its disk lost them.
    #[error(
        "this node had acknowledged the log through entry {commit}, as {leader} knows, but on its disk it ends with entry {last}: the data directory is an older copy, or the disk has lost what it had taken. If the others of its cluster run, start it with an empty data directory and the same settings: it gets everything from them and takes its old place"
    )]
    LogLost {
        /// The leader.
        leader: NodeId,
        /// What the leader knows to be committed here.
        commit: LogIndex,
        /// Where the log of this node ends.
        last: LogIndex,
    },
}
