//! The three verbs' two enums.

use crate::{
    Address, Command, Identity, Introduction, Message, Outcome, Refusal, Reply, Request, Secret,
    View,
};
use base::{ConnectionId, HybridTime, Instant, LogIndex, NodeId, RequestId, Row};
use std::sync::Arc;

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The node's state tables are there: the engine may start.
    Restored,
    /// There is a link to this node now, dialed at this address.
    PeerUp {
        /// Dialed.
        address: Address,
        /// Who answered.
        peer: Introduction,
    },
    /// No link to this node is left.
    PeerDown(NodeId),
    /// A link to this address was refused, by either side.
    PeerRefused {
        /// Dialed.
        address: Address,
        /// Why.
        why: Refusal,
    },
    /// Another node said this.
    Peer {
        /// Which node.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// Another node said anything at all.
    Heard(NodeId),
    /// Another node gave the cluster's secret for a token.
    Welcome(Secret),
    /// The newest `Output::KeepIdentity` is durable.
    IdentityKept,
    /// Somebody leads, or nobody.
    Leader {
        /// Who, as far as is known.
        leader: Option<NodeId>,
        /// Whether it is this node.
        is_self: bool,
    },
    /// Who takes part in agreement now.
    Members {
        /// Who votes.
        voters: Vec<NodeId>,
        /// Who listens.
        learners: Vec<NodeId>,
    },
    /// Everything through here is applied.
    Applied(LogIndex),
    /// A question, answered by one `Reply` or by one `Propose` whose outcome the node reports.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A piece of the state tables.
    Restore(Vec<Row>),
    /// Forget what is agreed: a snapshot follows as `Restore`.
    Reset,
    /// This node's disk is full or slow: another one should lead, for this reason.
    Unfit(&'static str),
    /// This node is to leave in peace.
    Leave,
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order and at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make this durable, then `Input::IdentityKept`.
    KeepIdentity(Identity),
    /// Start the engine with these first voters; none for a node that joins.
    Begin {
        /// The founders.
        voters: Vec<NodeId>,
    },
    /// Keep links to these addresses, and to no others.
    Links(Vec<Address>),
    /// Say this to a node, if there is a link to it.
    Peer {
        /// Which node.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// This node is alive, and was started at `life` by its hybrid clock.
    NodeAlive {
        /// Which node.
        node: NodeId,
        /// When it was started.
        life: HybridTime,
    },
    /// This node is heard no more.
    NodeGone {
        /// Which node.
        node: NodeId,
        /// When this node last heard it.
        heard: Instant,
    },
    /// This leader is to change the members of the agreement: learners to be, voters to be, removed.
    Change(MemberChange),
    /// This leader is to hand over.
    TransferLeader(NodeId),
    /// Bring this into the log for whoever asked.
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
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// The new view; to be swapped in before anything that follows is done.
    Publish(Arc<View>),
    /// The others know that this node leaves, or there was no time left.
    Left,
    /// The node must stop, for this reason.
    Halt(String),
    /// For the journal.
    Event(journal::Kind, journal::Subject),
}

/// One change of who takes part in agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Send it the log, without a vote.
    AddLearner(NodeId),
    /// Give it a vote.
    AddVoter(NodeId),
    /// Forget it.
    Remove(NodeId),
    /// Forget one and give the other its vote, at once.
    Replace {
        /// Never comes back.
        old: NodeId,
        /// Is where that was.
        new: NodeId,
    },
}

/// What `apply` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The same on every node.
    pub outcome: Outcome,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
