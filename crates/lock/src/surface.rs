//! The three verbs' two enums.

use crate::{Command, LockName, Reply, Request};
use base::{ConnectionId, LogIndex, RequestId, Row};
use std::sync::Arc;

/// What comes in by the first entrance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A question, to be answered by exactly one `Output::Reply`, or by one `Output::Propose` whose outcome the node
    /// reports, or gives back as `Waits`.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// The outcome of a proposal of this node was `Queued`: its client is answered later, by `Output::Reply`.
    Waits {
        /// Who asked, and what they called it; `None` if they were answered meanwhile.
        asker: Option<(ConnectionId, RequestId)>,
        /// For which lock.
        name: LockName,
        /// As whom.
        owner: Arc<str>,
        /// With which entry it began.
        since: LogIndex,
        /// How long, in milliseconds.
        patience_ms: u64,
    },
    /// A connection closed: what was asked on it and waits, waits no longer.
    Closed(ConnectionId),
    /// Whether this node leads: then it says what has expired.
    Leads(bool),
    /// A piece of the state tables, in any order; only at start or while a snapshot is installed.
    Restore(Vec<Row>),
    /// Forget everything: a snapshot follows as `Restore`.
    Reset,
    /// The last piece has come.
    Restored,
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order and at once.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Bring this command into the log; nobody waits for it, and if it is lost it is proposed again later.
    Tidy(Command),
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// The state cannot be trusted (a row does not read): the node must stop, for this reason.
    Halt(String),
}
