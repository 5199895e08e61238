//! Who votes and who only listens. Membership is by node id, never by address, and lives in the log.

use base::NodeId;
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfState};
use serde::{Deserialize, Serialize};

/// How many nodes a cluster may list.
pub const MEMBERS_MAX: usize = 1024;

/// The members as of some log index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// Who receives the log without a vote.
    pub learners: Vec<NodeId>,
    /// While several voters change at once: those who voted before. A decision then needs both majorities.
    pub voters_outgoing: Vec<NodeId>,
    /// Voters before the change that are learners after it.
    pub learners_next: Vec<NodeId>,
    /// The leader ends the change by itself.
    pub auto_leave: bool,
}

/// One change of the membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// Give a vote. A node should first have caught up as a learner.
    AddVoter(NodeId),
    /// Send the log, without a vote.
    AddLearner(NodeId),
    /// Forget the node.
    Remove(NodeId),
}

impl MemberChange {
    pub(crate) fn node(self) -> NodeId {
        match self {
            Self::AddVoter(node) | Self::AddLearner(node) | Self::Remove(node) => node,
        }
    }

    pub(crate) fn single(self) -> ConfChangeSingle {
        let mut single = ConfChangeSingle { node_id: self.node().0, ..Default::default() };
        single.set_change_type(match self {
            Self::AddVoter(_) => ConfChangeType::AddNode,
            Self::AddLearner(_) => ConfChangeType::AddLearnerNode,
            Self::Remove(_) => ConfChangeType::RemoveNode,
        });
        single
    }

    /// The protobuf form that the engine parses when its leader is asked for a change. Written by hand, so that no
    /// bytes of a peer or a disk ever reach its parser: `changes = 2 { change_type = 1, node_id = 2 }`.
    pub(crate) fn protobuf(changes: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for change in changes {
            let kind = match change {
                Self::AddVoter(_) => 0,
                Self::Remove(_) => 1,
                Self::AddLearner(_) => 2,
            };
            let mut single = vec![0x08, kind, 0x10];
            let mut id = change.node().0;
            while id >= 0x80 {
                single.push(id as u8 | 0x80);
                id >>= 7;
            }
            single.push(id as u8);
            bytes.push(0x12);
            bytes.push(single.len() as u8);
            bytes.extend(single);
        }
        bytes
    }
}

impl Members {
    /// Whether a change of several voters is under way.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }

    /// Whether this node alone decides.
    #[must_use]
    pub fn is_sole_voter(&self, id: NodeId) -> bool {
        self.voters == [id] && !self.is_joint()
    }

    pub(crate) fn is_alone(&self, id: NodeId) -> bool {
        self.is_sole_voter(id) && self.learners.is_empty()
    }

    pub(crate) fn is_voter(&self, id: NodeId) -> bool {
        self.voters.contains(&id) || self.voters_outgoing.contains(&id)
    }

    pub(crate) fn from_state(state: &ConfState) -> Self {
        let ids = |ids: &[u64]| {
            let mut ids: Vec<_> = ids.iter().copied().map(NodeId).collect();
            ids.sort_unstable();
            ids
        };
        Self {
            voters: ids(&state.voters),
            learners: ids(&state.learners),
            voters_outgoing: ids(&state.voters_outgoing),
            learners_next: ids(&state.learners_next),
            auto_leave: state.auto_leave,
        }
    }

    pub(crate) fn state(&self) -> ConfState {
        let ids = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
        ConfState {
            voters: ids(&self.voters),
            learners: ids(&self.learners),
            voters_outgoing: ids(&self.voters_outgoing),
            learners_next: ids(&self.learners_next),
            auto_leave: self.auto_leave,
            ..ConfState::default()
        }
    }

    /// What makes the engine panic when it is told such members.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let lists = [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next];
        if lists.iter().any(|ids| ids.len() > MEMBERS_MAX) {
            return Err("too many members");
        }
        if lists.iter().any(|ids| ids.iter().any(|id| id.0 == 0) || !ids.is_sorted_by(|a, b| a < b))
        {
            return Err("members are not a sorted list of ids");
        }
        if self.voters.is_empty() {
            return Err("there is no voter");
        }
        let both = |a: &[NodeId], b: &[NodeId]| a.iter().any(|id| b.contains(id));
        if both(&self.learners, &self.voters)
            || both(&self.learners, &self.voters_outgoing)
            || both(&self.learners_next, &self.voters)
            || both(&self.learners_next, &self.learners)
        {
            return Err("a node is voter and learner at once");
        }
        if self.learners_next.iter().any(|id| !self.voters_outgoing.contains(id)) {
            return Err("a learner to be did not vote before");
        }
        if self.auto_leave && !self.is_joint() {
            return Err("there is no joint change to leave");
        }
        Ok(())
    }

    /// Whether `changes` can be proposed now: simulates them on a copy.
    pub(crate) fn check_changes(&self, changes: &[MemberChange]) -> Result<(), &'static str> {
        if self.is_joint() {
            return Err("another change is under way");
        }
        if changes.is_empty() || changes.len() > MEMBERS_MAX {
            return Err("a change needs between one and MEMBERS_MAX nodes");
        }
        let mut seen: Vec<NodeId> = Vec::new();
        let mut voters = self.voters.clone();
        for change in changes {
            let node = change.node();
            if node.0 == 0 {
                return Err("node id 0 is reserved");
            }
            if seen.contains(&node) {
                return Err("a node is named twice");
            }
            seen.push(node);
            voters.retain(|voter| *voter != node);
            if let MemberChange::AddVoter(_) = change {
                voters.push(node);
            }
        }
        if voters.is_empty() {
            return Err("no voter would be left");
        }
        Ok(())
    }
}
