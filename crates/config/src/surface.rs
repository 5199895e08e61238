//! The three verbs' two enums, and the second entrance.

use crate::{Command, ConfigKey, Entry, Grays, Outcome, Reply, Request};
use base::{ConnectionId, RequestId, Row};
use std::sync::Arc;

/// Rows of a state table as read: key and value, in the order asked for; or why they could not be read.
pub type LoadedRows = Result<Vec<(Vec<u8>, Vec<u8>)>, String>;

/// What comes in by the first entrance.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all inputs are requests; a box would cost each of them"
)]
pub enum Input {
    /// A connection closed: its listeners end.
    Closed(ConnectionId),
    /// A question, to be answered by exactly one `Reply`, or by one `Propose` whose outcome the node reports to the
    /// one who asked.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A piece of the state tables, in any order; only at start or while a snapshot is installed.
    Restore(Vec<Row>),
    /// Forget everything: a snapshot follows as `Restore`. Readers keep the views they have until `Restored`.
    Reset,
    /// The last piece has come: what was there before `Reset` and is not there now is retired, and its listeners are
    /// told. The first `apply` after a restore implies it.
    Restored,
    /// The rows that `Output::Load` asked for, in its order, or why they could not be read.
    Loaded {
        /// Of the `Load`.
        id: u64,
        /// The rows.
        rows: LoadedRows,
    },
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order and at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Bring this command into the log; tell the one who asked what came of it.
    Propose {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The command.
        command: Command,
    },
    /// The key's current entry; to be swapped in before anything that follows is done.
    Publish(Arc<Entry>),
    /// The key is gone; to be taken out before anything that follows is done.
    Retire(ConfigKey),
    /// The gray versions of a key, all of them; to be swapped in before anything that follows is done. An empty set is
    /// to be taken out.
    PublishGrays(Arc<Grays>),
    /// The key's md5, as this listener sees it, is no longer the one that it held.
    Notify {
        /// The listening connection.
        to: ConnectionId,
        /// Which of its listeners.
        listener: u64,
        /// The key.
        key: ConfigKey,
        /// Its md5 now; empty when it is gone.
        md5: Arc<str>,
    },
    /// A config came or went whose name this connection watches.
    Existence {
        /// The watching connection.
        to: ConnectionId,
        /// The key.
        key: ConfigKey,
        /// Whether there is such a config now.
        exists: bool,
    },
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Read rows of a table from `from` (inclusive) towards smaller keys, down to `until` (inclusive), at most `limit`;
    /// answer with `Input::Loaded`.
    Load {
        /// To tell the answers apart.
        id: u64,
        /// Table of this plane.
        table: u8,
        /// The greatest key wanted.
        from: Vec<u8>,
        /// The smallest key wanted.
        until: Vec<u8>,
        /// How many at most.
        limit: usize,
    },
    /// The state cannot be trusted (a row does not read): the node must stop, for this reason.
    Halt(String),
    /// For the journal.
    Event(journal::Kind, journal::Subject),
}

/// What `apply` came to: the outcome for the one who asked, and the rows for the state tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The same on every node.
    pub outcome: Outcome,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
