//! What goes in and what comes out.

use crate::{HaltReason, MemberChange, Members, Message, MessageFault};
use base::{LogIndex, NodeId, ProposalId, RequestId, Term};

/// Names one [`Output::Persist`]; grows by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// What the disk gave back at start. All of it is outside input and is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The newest [`Write::hard_state`].
    pub hard_state: Option<Vec<u8>>,
    /// The newest snapshot bytes of [`Write::compact`] or [`Write::install`].
    pub snapshot: Option<Vec<u8>>,
    /// The entries after it.
    pub entries: Vec<(LogIndex, Vec<u8>)>,
    /// The index that the state tables contain everything through.
    pub applied: LogIndex,
}

/// One change of the disk. Its parts are done in the order of the fields, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// The snapshot that was received takes the place of the state tables and of the whole log: index, bytes to keep.
    pub install: Option<(LogIndex, Vec<u8>)>,
    /// Forget this index and all after it.
    pub truncate_from: Option<LogIndex>,
    /// Put these.
    pub entries: Vec<(LogIndex, Vec<u8>)>,
    /// Replace the hard state.
    pub hard_state: Option<Vec<u8>>,
    /// Forget the log through this index and keep these bytes instead.
    pub compact: Option<(LogIndex, Vec<u8>)>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants this in the log. Ends in exactly one of `Apply` (with the id), `Refused`, `Lost` or `Unknown`,
    /// unless this node stays cut off: the asker keeps a deadline.
    Propose {
        /// Names it.
        id: ProposalId,
        /// Not empty.
        data: Vec<u8>,
    },
    /// Somebody wants other members. Ends as `Propose` does, with `MembersChanged` for `Apply`.
    ChangeMembers {
        /// Names it.
        id: ProposalId,
        /// All at once.
        changes: Vec<MemberChange>,
    },
    /// Somebody wants to read what is now. Ends in `ReadReady` or `ReadFailed`.
    ReadIndex {
        /// Names it.
        id: RequestId,
    },
    /// A peer said this.
    Message {
        /// Who; proven by its connection.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// The write is durable.
    Persisted(WriteId),
    /// The state tables are durable through here: the log may be compacted through it.
    Checkpointed {
        /// What the tables contain everything through.
        applied: LogIndex,
    },
    /// A view of the state tables was opened for a peer.
    SnapshotReady {
        /// The peer.
        to: NodeId,
        /// What the view contains everything through.
        index: LogIndex,
    },
    /// The pieces and the message of a snapshot were sent, or that failed, or no view could be opened.
    SnapshotSent {
        /// The peer.
        to: NodeId,
        /// Whether all of it was handed to the connection.
        ok: bool,
    },
    /// Messages to this peer were lost: its connection broke or its queue was full.
    Unreachable {
        /// The peer.
        peer: NodeId,
    },
    /// This leader shall hand over. Without effect on others.
    TransferLeader {
        /// The next leader.
        to: NodeId,
    },
    /// The deadline has come.
    Wake,
}

/// Why a proposal was not taken. It is certain that it will not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another node leads, or none.
    NotLeader {
        /// Who leads, as far as is known.
        leader: Option<NodeId>,
    },
    /// The log in memory has reached its limit; it shrinks with the next checkpoint.
    LogFull,
    /// The data is longer than `entry_bytes_max`.
    TooLarge,
    /// The data is empty.
    Empty,
    /// Leadership is being handed over: the next leader takes it.
    HandingOver,
    /// Another membership change is under way, or too many proposals wait.
    Busy,
    /// These changes make no sense.
    InvalidMembers(&'static str),
}

/// What the host shall do. It starts these in order and waits for none; see the crate's documentation for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make this durable, then step `Persisted`.
    Persist {
        /// Names it.
        id: WriteId,
        /// What.
        write: Write,
    },
    /// Send this; it may get lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Open a view of the state tables and step `SnapshotReady`, or `SnapshotSent { ok: false }`.
    SnapshotWanted {
        /// For whom.
        to: NodeId,
    },
    /// Send the pieces of that view and then the message, and step `SnapshotSent`.
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// The index of the view.
        index: LogIndex,
        /// Handed to the receiver's `Input::Message` after all pieces.
        message: Message,
    },
    /// This is committed and on this node's disk: apply it.
    Apply {
        /// Where it is in the log.
        index: LogIndex,
        /// When it was proposed.
        term: Term,
        /// If it was proposed here in this life.
        proposal: Option<ProposalId>,
        /// What.
        data: Vec<u8>,
    },
    /// Everything through here is applied once the outputs before are: what came last has nothing for the planes.
    Advance {
        /// The index.
        index: LogIndex,
        /// Of the last entry.
        term: Term,
    },
    /// The rows of the installed snapshot are the state now: the planes forget theirs and load these.
    Restore {
        /// What they contain everything through.
        index: LogIndex,
    },
    /// Not proposed.
    Refused {
        /// Which.
        id: ProposalId,
        /// Why.
        why: Refusal,
    },
    /// Another entry was committed in its place: it will never be applied.
    Lost {
        /// Which.
        id: ProposalId,
    },
    /// A snapshot jumped over it: it was applied or lost, and this node cannot know which.
    Unknown {
        /// Which.
        id: ProposalId,
    },
    /// Read when everything through the index is applied here.
    ReadReady {
        /// Which.
        id: RequestId,
        /// Through where.
        index: LogIndex,
    },
    /// Nobody confirmed in time, or nobody leads.
    ReadFailed {
        /// Which.
        id: RequestId,
    },
    /// Somebody else leads, or in another term.
    Leader {
        /// Who, as far as is known.
        leader: Option<NodeId>,
        /// Since when.
        term: Term,
        /// Whether it is this node.
        is_self: bool,
    },
    /// The members are these now.
    MembersChanged {
        /// Since here.
        index: LogIndex,
        /// If the change was asked for here in this life.
        proposal: Option<ProposalId>,
        /// All of them.
        members: Members,
    },
    /// The log has grown long: make the state tables durable and step `Checkpointed`.
    Checkpoint,
    /// A peer's message was dropped.
    MessageRefused {
        /// From whom.
        from: NodeId,
        /// Why.
        why: MessageFault,
    },
    /// Stop the node. Nothing follows.
    Halt(HaltReason),
}
