//! The cluster and its members.

use crate::dates::rfc3339;
use base::NodeId;
use cluster::{Crowd, Formation, Role, State, View};
use serde::{Deserialize, Serialize};

/// The cluster, as the node that answers knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its id; absent while that node belongs to none.
    pub id: Option<String>,
    /// How far that node has come: `fresh` (it belongs nowhere), `adopted` (it has promised itself to the founders),
    /// `formed` (the cluster exists) or `joining`.
    pub formation: String,
    /// By node.
    pub members: Vec<Member>,
    /// Open invitations, by id.
    pub tokens: Vec<OpenToken>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which.
    pub node: String,
    /// `alive`, `suspect`, `down` or `left`.
    pub state: String,
    /// `voter`, `learner` or `none`.
    pub role: String,
    /// It leads, as far as is known.
    pub leader: bool,
    /// It is the node that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Whether the node that answers has a link to it; of itself always.
    pub linked: bool,
    /// Where other nodes reach it.
    pub peer: Option<String>,
    /// Where clients reach it.
    pub api: Option<String>,
    /// When it was started.
    pub started_at: Option<String>,
    /// How far the registry here may lag behind what this member holds, in milliseconds; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// How many entries of the log it still lacks; whoever leads knows it of all members, others of themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_behind: Option<u64>,
    /// How many clients with a stream it serves; absent if that was not asked for, or not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
}

/// An open invitation, without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenToken {
    /// Its name.
    pub id: String,
    /// Until when it is taken.
    pub expires_at: String,
}

/// What is sent to invite a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationTerms {
    /// How long the invitation holds, in seconds; a day when absent.
    #[serde(default)]
    pub ttl_s: Option<u64>,
}

/// An invitation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// For `--token`. Shown this once.
    pub token: String,
    /// Until when it is taken.
    pub expires_at: String,
    /// What to run on the new node, if it is known where this one is reached.
    pub join: Option<String>,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invitation").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Who is to lead, or leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leadership {
    /// Which node.
    pub node: String,
}

impl Cluster {
    /// The view in words; of a node that has not said anything yet: that it belongs nowhere.
    pub(crate) fn of(view: Option<&View>) -> Self {
        let Some(view) = view else {
            let (id, formation) = (None, "fresh".to_owned());
            return Self { id, formation, members: Vec::new(), tokens: Vec::new() };
        };
        let formation = match view.formation {
            Formation::Fresh => "fresh",
            Formation::Adopted { .. } => "adopted",
            Formation::Formed { .. } => "formed",
            Formation::Joining { .. } => "joining",
        };
        let token = |(id, token): (&cluster::TokenId, &cluster::Token)| OpenToken {
            id: id.to_string(),
            expires_at: rfc3339(token.expires_ms),
        };
        Self {
            id: view.formation.cluster().map(|id| id.to_string()),
            formation: formation.to_owned(),
            members: view.members.iter().map(Member::from).collect(),
            tokens: view.tokens.iter().map(token).collect(),
        }
    }
}

impl Cluster {
    /// How far each member's registry is from this node's, and its log from the leader's.
    pub(crate) fn with_lags(mut self, status: &crate::Status) -> Self {
        for (node, lag) in &status.lags {
            if let Some(member) = self.member(*node) {
                member.lag_ms = u64::try_from(lag.as_millis()).ok();
            }
        }
        for (node, behind) in &status.behind {
            if let Some(member) = self.member(*node) {
                member.log_behind = Some(*behind);
            }
        }
        self
    }

    /// How many clients each member serves.
    pub(crate) fn with_clients(mut self, crowds: &[Crowd]) -> Self {
        for crowd in crowds {
            if let Some(member) = self.member(crowd.node) {
                member.clients = Some(crowd.streams);
            }
        }
        self
    }

    fn member(&mut self, node: NodeId) -> Option<&mut Member> {
        let node = node.to_string();
        self.members.iter_mut().find(|member| member.node == node)
    }
}

impl From<&cluster::Member> for Member {
    fn from(member: &cluster::Member) -> Self {
        let text = |address: &cluster::Address| address.as_str().to_owned();
        let state = match member.state {
            State::Alive => "alive",
            State::Suspect => "suspect",
            State::Down => "down",
            State::Left => "left",
        };
        let role = match member.role {
            Role::Voter => "voter",
            Role::Learner => "learner",
            Role::None => "none",
        };
        Self {
            node: member.node.to_string(),
            state: state.to_owned(),
            role: role.to_owned(),
            leader: member.is_leader,
            is_self: member.is_self,
            linked: member.is_linked,
            peer: member.peer.as_ref().map(text),
            api: member.api.as_ref().map(text),
            started_at: member.started_ms.map(rfc3339),
            lag_ms: None,
            log_behind: None,
            clients: None,
        }
    }
}
