//! What readers see of the cluster without asking.

use crate::{
    Address, Cluster, Formation, Introduction, Output, PROTOCOLS, Refusal, Secret, TokenId,
    gossiping::started_ms,
};
use base::{HybridTime, NodeId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The cluster as one node sees it. Replaced as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What this node says of itself on every link.
    pub me: Introduction,
    /// How far this node has come into a cluster.
    pub formation: Formation,
    /// Everybody who is known, this node too, by id.
    pub members: Vec<Member>,
    /// What nodes of the cluster prove to each other, if there is one.
    pub secret: Option<Secret>,
    /// Open invitations.
    pub tokens: BTreeMap<TokenId, Token>,
    /// Those that never come back.
    pub removed: BTreeSet<NodeId>,
    /// Copies of data directories whose original lives: the node and the life of the copy.
    pub twins: BTreeMap<NodeId, HybridTime>,
}

/// One node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub node: NodeId,
    /// Where other nodes reach it; `None` if it was never heard of.
    pub peer: Option<Address>,
    /// Where clients reach it, if it told.
    pub api: Option<Address>,
    /// Which life of it; not when it was started: a life begins above all times that the one before may have given out.
    pub life: Option<HybridTime>,
    /// When it was started, by its wall clock, in milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// How it stands.
    pub state: State,
    /// What it does in agreement.
    pub role: Role,
    /// It is this node.
    pub is_self: bool,
    /// It leads, as far as this node knows.
    pub is_leader: bool,
    /// There is a link to it; of this node itself always.
    pub is_linked: bool,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody doubts it.
    Alive,
    /// Somebody could not reach it.
    Suspect,
    /// It is heard no more.
    Down,
    /// It said goodbye.
    Left,
}

/// What a node does in agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It decides.
    Voter,
    /// It receives the log.
    Learner,
    /// Nothing (yet).
    None,
}

/// An open invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its key.
    pub key: Secret,
    /// It is not taken after this time of the wall clock, in milliseconds.
    pub expires_ms: u64,
}

impl View {
    pub(crate) fn of_nobody(me: Introduction, formation: Formation) -> Self {
        Self {
            me,
            formation,
            members: Vec::new(),
            secret: None,
            tokens: BTreeMap::new(),
            removed: BTreeSet::new(),
            twins: BTreeMap::new(),
        }
    }

    /// Whether this node takes a link from or to another one.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, other: &Introduction) -> Result<(), Refusal> {
        if other.node == self.me.node && other.life == self.me.life {
            return Err(Refusal::Itself);
        }
        if other.node == self.me.node {
            // Of two with one id, the one that was started later is the copy.
            return Err(if other.life > self.me.life { Refusal::Twin } else { Refusal::Itself });
        }
        if self.removed.contains(&other.node) {
            return Err(Refusal::Removed);
        }
        if self.twins.get(&other.node).is_some_and(|life| *life == other.life) {
            return Err(Refusal::Twin);
        }
        if other.protocols.max < PROTOCOLS.min || other.protocols.min > PROTOCOLS.max {
            return Err(Refusal::Protocols);
        }
        match (self.me.cluster, other.cluster) {
            (Some(mine), Some(other)) if mine != other => Err(Refusal::OtherCluster),
            _ => Ok(()),
        }
    }

    /// The key of a token, as long as it is good.
    #[must_use]
    pub fn token_key(&self, id: TokenId, now_ms: u64) -> Option<&Secret> {
        self.tokens.get(&id).filter(|token| now_ms < token.expires_ms).map(|token| &token.key)
    }

    /// Who leads, as far as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.is_leader)
    }
}

impl Cluster {
    /// Publishes the view anew, if anything in it changed.
    pub(crate) fn refresh_view(&mut self) {
        if !std::mem::take(&mut self.view_is_old) {
            return;
        }
        let view = View {
            me: self.me.clone(),
            formation: self.identity.formation.clone(),
            members: self.listed(),
            secret: self.secret().cloned(),
            tokens: self.agreed.tokens.clone(),
            removed: self.agreed.removed.iter().copied().filter(|n| self.is_removed(*n)).collect(),
            twins: self.twins.clone(),
        };
        if view != *self.view {
            self.view = Arc::new(view);
            self.outputs.push_back(Output::Publish(self.view.clone()));
        }
    }

    /// Everybody in gossip or in agreement who was not removed, and this node.
    fn listed(&self) -> Vec<Member> {
        let gossip = self.gossip.as_ref();
        let known = gossip.into_iter().flat_map(gossip::Gossip::members).map(gossip::Member::node);
        let agreed = self.membership.voters.iter().chain(&self.membership.learners).copied();
        let mut nodes: BTreeSet<NodeId> = known.chain(agreed).chain([self.me.node]).collect();
        nodes.retain(|node| !self.is_removed(*node));
        nodes.into_iter().map(|node| self.list(node)).collect()
    }

    fn list(&self, node: NodeId) -> Member {
        let is_self = node == self.me.node;
        let gossip = self.gossip.as_ref();
        let known = gossip.and_then(
            |gossip| {
                if is_self { Some(gossip.own()) } else { gossip.member(node) }
            },
        );
        let addresses = known.map(|member| &member.record.description.addresses);
        let peer = addresses.and_then(|addresses| addresses.first()).cloned();
        let api = addresses.and_then(|addresses| addresses.get(1)).cloned();
        let role = if self.membership.voters.contains(&node) {
            Role::Voter
        } else if self.membership.learners.contains(&node) {
            Role::Learner
        } else {
            Role::None
        };
        Member {
            node,
            peer: peer.or_else(|| is_self.then(|| self.settings.advertise.clone())),
            api: api.or_else(|| self.settings.api.clone().filter(|_| is_self)),
            life: if is_self {
                Some(self.me.life)
            } else {
                known.map(|member| HybridTime(member.generation().0))
            },
            started_ms: if is_self {
                Some(self.started_ms)
            } else {
                known.and_then(|member| started_ms(&member.record.description))
            },
            state: match known.map(|member| member.state) {
                Some(gossip::State::Alive) => State::Alive,
                Some(gossip::State::Suspect) => State::Suspect,
                Some(gossip::State::Left) => State::Left,
                None if is_self => State::Alive,
                Some(gossip::State::Down) | None => State::Down,
            },
            role,
            is_self,
            is_leader: self.membership.leader == Some(node),
            is_linked: is_self || self.links.up.contains_key(&node),
        }
    }
}
