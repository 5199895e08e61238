//! Which messages of peers reach the engine. It panics, or believes, where a message contradicts itself or the log;
//! here such a message is an answer, not the end of the node.

use crate::{
    HaltReason, Message, MessageFault, MessageKind, memory_log::MemoryLog, wire::NUMBER_MAX,
};
use base::{LogIndex, NodeId};
use raft::{RawNode, StateRole};

/// How many read rounds of followers a leader keeps open.
const READ_ROUNDS_MAX: usize = 4096;

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    /// Of no use now, and no fault of the peer.
    Ignore,
    Refuse(MessageFault),
    Halt(HaltReason),
}

pub(crate) struct Gate<'a> {
    pub(crate) raw: &'a RawNode<MemoryLog>,
    pub(crate) has_unpersisted_log: bool,
    pub(crate) has_install: bool,
    pub(crate) log_bytes_max: usize,
}

impl Gate<'_> {
    pub(crate) fn verdict(&self, from: NodeId, message: &Message) -> Verdict {
        if let Err(why) = form(message) {
            return Verdict::Refuse(MessageFault::Invalid(why));
        }
        let raft = &self.raw.raft;
        let last = raft.raft_log.last_index();
        match message.kind {
            MessageKind::Append => {
                if message.entries.is_empty() || self.raw.store().bytes() <= 2 * self.log_bytes_max
                {
                    Verdict::Take
                } else {
                    Verdict::Refuse(MessageFault::LogFull)
                }
            }
            // The engine takes an index above its own log for a match and would commit what does not exist.
            MessageKind::AppendReply if !message.reject && message.index > last => {
                if message.term == raft.term && raft.state == StateRole::Leader {
                    Verdict::Refuse(MessageFault::Invalid("acknowledges what was never sent"))
                } else {
                    Verdict::Take
                }
            }
            MessageKind::AppendReply if self.is_late_rejection(from, message) => Verdict::Ignore,
            MessageKind::AppendReply | MessageKind::HeartbeatReply => Verdict::Take,
            // A vote counts only for a candidate whose log is on disk; the engine asserts that.
            MessageKind::VoteReply | MessageKind::PreVoteReply | MessageKind::TimeoutNow => {
                if self.has_unpersisted_log { Verdict::Ignore } else { Verdict::Take }
            }
            MessageKind::Vote | MessageKind::PreVote => Verdict::Take,
            // One snapshot at a time: the staged rows belong to the one that is being installed.
            MessageKind::Snapshot if self.has_install => Verdict::Refuse(MessageFault::Busy),
            MessageKind::Snapshot => Verdict::Take,
            MessageKind::Heartbeat if message.commit > last && message.term >= raft.term => {
                Verdict::Halt(HaltReason::LogLost {
                    leader: from,
                    commit: LogIndex(message.commit),
                    last: LogIndex(last),
                })
            }
            MessageKind::Heartbeat => Verdict::Take,
            MessageKind::ReadIndex => {
                // Only the leader answers; the asker repeats.
                let leads = raft.state == StateRole::Leader;
                if leads && raft.pending_read_count() < READ_ROUNDS_MAX {
                    Verdict::Take
                } else {
                    Verdict::Ignore
                }
            }
            MessageKind::ReadIndexReply => {
                if raft.leader_id == from.0 {
                    Verdict::Take
                } else {
                    Verdict::Ignore
                }
            }
        }
    }
}

impl Gate<'_> {
    /// A rejection from before the follower's log matched. The engine (0.7.0) would go back behind the match and repeat,
    /// or send a snapshot for, what the follower has.
    fn is_late_rejection(&self, from: NodeId, message: &Message) -> bool {
        let next = message.index.min(message.reject_hint + 1);
        message.reject
            && self.raw.raft.prs().get(from.0).is_some_and(|progress| next <= progress.matched)
    }
}

/// What can be said without knowing the state of the node.
fn form(message: &Message) -> Result<(), &'static str> {
    let numbers = [
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ];
    if numbers.iter().any(|number| *number > NUMBER_MAX) {
        return Err("a number is out of range");
    }
    // Term 0 means "from myself" to the engine and would pass all its checks of terms.
    if (message.term == 0) != (message.kind == MessageKind::ReadIndex) {
        return Err("its term is missing, or has no place here");
    }
    if message.kind != MessageKind::Append && !message.entries.is_empty() {
        return Err("it carries entries");
    }
    if message.kind == MessageKind::ReadIndex && message.context.0.is_empty() {
        return Err("it names no read round");
    }
    // The engine answers 0 when asked for a term behind its log: a 0 would match there, and leave a gap. Our logs begin
    // behind a snapshot, so there is always an entry before.
    if message.kind == MessageKind::Append && (message.log_term == 0 || message.index == 0) {
        return Err("it does not say what comes before its entries");
    }
    let (mut index, mut term) = (message.index, message.log_term);
    for entry in &message.entries {
        if entry.index != index + 1 || entry.term < term || entry.term == 0 {
            return Err("its entries are out of order");
        }
        (index, term) = (entry.index, entry.term);
    }
    if matches!(message.kind, MessageKind::Append | MessageKind::Snapshot) && term > message.term {
        return Err("its entries are newer than its term");
    }
    match &message.snapshot {
        Some(_) if message.kind != MessageKind::Snapshot => Err("it carries a snapshot"),
        None if message.kind == MessageKind::Snapshot => Err("the snapshot is missing"),
        Some(snapshot) => {
            if snapshot.index == 0 || snapshot.index > NUMBER_MAX {
                return Err("the index of the snapshot is out of range");
            }
            if snapshot.term == 0 || snapshot.term > message.term {
                return Err("the term of the snapshot is out of range");
            }
            snapshot.members.check()
        }
        None => Ok(()),
    }
}
