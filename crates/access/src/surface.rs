//! The three verbs' two enums, and the second entrance.

use crate::{Command, Outcome, Reply, Request, View};
use base::{ConnectionId, RequestId, Row};
use std::sync::Arc;

/// What comes in by the first entrance.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A question, to be answered by exactly one `Reply`, or by one `Propose` whose outcome the node reports.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A piece of the state tables; only at start or while a snapshot is installed. The view is published once per
    /// piece.
    Restore(Vec<Row>),
    /// Forget everything: a snapshot follows as `Restore`.
    Reset,
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
    /// The new tables; to be swapped in before anything that follows is done.
    Publish(Arc<View>),
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
    /// For the journal.
    Event(journal::Kind, journal::Subject),
}

/// What `apply` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The same on every node.
    pub outcome: Outcome,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
