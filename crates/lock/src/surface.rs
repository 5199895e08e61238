//! The three verbs' two enums, and the second entrance.

use crate::{Asker, Command, Outcome, Reply, Request, View};
use base::{ConnectionId, RequestId, Row};
use journal::{Kind, Subject};
use std::sync::Arc;

/// What comes in by the first entrance.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A question, to be answered by exactly one `Reply`, or by one `Propose` whose outcome the node reports, unless it is
    /// none: then a `Reply` follows later.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// The node answered this request itself.
    Unanswered {
        /// Which.
        asker: Asker,
        /// Its proposal may be in the log; else it is not and never will be.
        maybe_written: bool,
    },
    /// The connection is gone: its waiters leave.
    Closed(ConnectionId),
    /// Whether this node leads. To be said at every change of the leader.
    Leads(bool),
    /// Something was applied just now: the times of what it granted count from here.
    Applied,
    /// A piece of the state tables, in any order; only at start or while a snapshot is installed.
    Restore(Vec<Row>),
    /// Forget everything that is agreed: a snapshot follows as `Restore`. Readers keep the views they have until
    /// `Restored`.
    Reset,
    /// The last piece has come.
    Restored,
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
    /// Bring this into the log; nobody waits for it, and if it is lost it is proposed again later.
    Tidy(Command),
    /// A lock that is held; to be swapped in before anything that follows is done.
    Publish(Arc<View>),
    /// The lock is free; to be taken out before anything that follows is done.
    Retire(Arc<str>),
    /// For the journal.
    Event(Kind, Subject),
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

/// What `apply` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The same on every node. `None`: whoever asked waits in the queue, and is answered by `Output::Reply` later.
    pub outcome: Option<Outcome>,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
