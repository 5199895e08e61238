//! Who takes part in agreement: nodes that come, get a vote, are removed; and who leads.
//!
//! The log says who *shall* never come back, and Raft's own membership says who takes part. Whoever leads makes the second
//! follow from the first and from who asks to join, one change after the other, and looks again when one is done. So
//! nothing is lost when a leader dies in between: the next one sees the same difference.

use crate::{Body, Cluster, Formation, MemberChange, Output};
use base::{Duration, Instant, LogIndex, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// How often a node asks to take part, and how often whoever leads looks again.
pub(crate) const TEND_INTERVAL: Duration = Duration::from_secs(1);
/// How long a node that asked counts as one that asks.
const ASKED_FOR: Duration = Duration::from_secs(3);
/// A learner gets a vote when it lacks no more entries than this.
const LAG_MAX: u64 = 256;
/// How many vote at most; more decide more slowly, and learners can follow without a vote.
pub const VOTERS_MAX: usize = 9;
/// How long one change of the members may take before it is asked for again.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many nodes may ask at once.
const JOINS_MAX: usize = 256;
/// How long a node that handed over its leadership for its disk's sake keeps one that came back to it.
const HAND_OVER_INTERVAL: Duration = Duration::from_secs(30);

/// What this node knows of who takes part.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    pub(crate) voters: BTreeSet<NodeId>,
    pub(crate) learners: BTreeSet<NodeId>,
    pub(crate) leader: Option<NodeId>,
    pub(crate) leads: bool,
    /// Since when this node leads, if it does.
    pub(crate) leads_since: Option<Instant>,
    pub(crate) applied: LogIndex,
    /// Who asked to take part, when, and how far it is.
    joins: BTreeMap<NodeId, (Instant, LogIndex)>,
    /// A change is under way until then.
    changing_until: Option<Instant>,
    handed_over: Option<Instant>,
}

impl Membership {
    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }

    /// Who leads has something to look after.
    fn has_work(&self, removed: &BTreeSet<NodeId>) -> bool {
        !self.joins.is_empty() || removed.iter().any(|node| self.is_member(*node))
    }
}

impl Cluster {
    /// Whether a node was removed, and takes part no more.
    pub(crate) fn is_removed(&self, node: NodeId) -> bool {
        self.agreed.removed.contains(&node) && !self.membership.is_member(node)
    }

    pub(crate) fn members_changed(&mut self, voters: Vec<NodeId>, learners: Vec<NodeId>) {
        let before: BTreeSet<NodeId> =
            self.membership.voters.union(&self.membership.learners).copied().collect();
        self.membership.voters = voters.into_iter().collect();
        self.membership.learners = learners.into_iter().collect();
        self.membership.changing_until = None;
        let membership = &self.membership;
        self.links.said.retain(|node, _| membership.is_member(*node));
        // How far a node is counts from when it gets the log.
        self.membership.joins.clear();
        self.view_is_old = true;
        self.links_are_old = true;
        for node in before {
            if node != self.me.node && self.is_removed(node) {
                self.say(node, Body::Removed);
            }
        }
        self.look_at_self();
        self.tend_members();
    }

    /// A member that finds that it is none any more stops.
    pub(crate) fn look_at_self(&mut self) {
        if !self.membership.voters.is_empty() && self.is_removed(self.me.node) {
            self.expelled();
        }
    }

    pub(crate) fn expelled(&mut self) {
        self.outputs.push_back(Output::Halt(format!(
            "node {} was removed from the cluster for good: to bring this machine back, start it with an empty data directory and join",
            self.me.node
        )));
    }

    pub(crate) fn led_by(&mut self, leader: Option<NodeId>, is_self: bool) {
        self.membership.leader = leader;
        self.membership.leads = is_self;
        let since = self.membership.leads_since.unwrap_or(self.now.instant);
        self.membership.leads_since = is_self.then_some(since);
        self.membership.changing_until = None;
        if !is_self {
            self.membership.joins.clear();
        }
        self.view_is_old = true;
        self.answer_transfers();
        self.go_on_leaving();
        self.tend_members();
    }

    /// Whether this node has no vote yet and wants one.
    fn asks(&self) -> bool {
        self.begun
            && matches!(self.identity.formation, Formation::Joining { .. })
            && !self.membership.voters.contains(&self.me.node)
    }

    /// Asks everybody: whoever leads hears it.
    pub(crate) fn ask_to_join(&mut self) {
        if self.asks() {
            let applied = self.membership.applied;
            let linked: Vec<NodeId> = self.links.up.keys().copied().collect();
            for node in linked {
                self.say(node, Body::Join { applied });
            }
        }
    }

    pub(crate) fn asked_to_join(&mut self, from: NodeId, applied: LogIndex) {
        let joins = &mut self.membership.joins;
        if self.membership.leads && (joins.len() < JOINS_MAX || joins.contains_key(&from)) {
            joins.insert(from, (self.now.instant, applied));
            self.tend_members();
        }
    }

    /// The next change of the members, if this node leads and there is one to make.
    pub(crate) fn tend_members(&mut self) {
        let now = self.now.instant;
        let membership = &mut self.membership;
        membership.joins.retain(|_, (at, _)| now.since(*at) <= ASKED_FOR);
        if !membership.leads || membership.changing_until.is_some_and(|until| now < until) {
            return;
        }
        membership.changing_until = None;
        if let Some(change) = self.next_change() {
            self.tell_of_replacement(&change);
            self.membership.changing_until = Some(now.after(CHANGE_TIMEOUT));
            self.outputs.push_back(change);
        }
    }

    fn next_change(&self) -> Option<Output> {
        let Membership { voters, learners, joins, .. } = &self.membership;
        let me = self.me.node;
        for node in self.agreed.removed.iter().filter(|node| self.membership.is_member(**node)) {
            if *node != me {
                return Some(Output::Change(self.removal(*node)));
            }
            // The next leader does it.
            if let Some(next) = self.successor() {
                return Some(Output::TransferLeader(next));
            }
        }
        if let Some(first) = self.next_replaced() {
            return Some(first);
        }
        for node in joins.keys() {
            if voters.contains(node) || self.agreed.removed.contains(node) {
                continue;
            }
            if !learners.contains(node) {
                return Some(Output::Change(MemberChange::AddLearner(*node)));
            }
            if self.is_ready(*node) && voters.len() < VOTERS_MAX && !self.waits_for_place(*node) {
                return Some(Output::Change(MemberChange::AddVoter(*node)));
            }
        }
        None
    }

    /// Whether a learner asks for a vote and has nearly all of the log.
    pub(crate) fn is_ready(&self, node: NodeId) -> bool {
        let Membership { learners, applied, joins, .. } = &self.membership;
        let its = joins.get(&node).map_or(0, |(_, its)| its.0);
        learners.contains(&node) && its > 0 && its + LAG_MAX >= applied.0
    }

    /// How a removed member is taken out: whoever is where it was gets its vote, if it is to have one.
    fn removal(&self, old: NodeId) -> MemberChange {
        let voters = &self.membership.voters;
        let next = self.replaced_by(old).filter(|new| !voters.contains(new));
        match next {
            Some(new) if voters.contains(&old) => MemberChange::Replace { old, new },
            Some(_) | None => MemberChange::Remove(old),
        }
    }

    /// Who could lead in this node's place.
    pub(crate) fn successor(&self) -> Option<NodeId> {
        let voters = self.membership.voters.iter().copied();
        let others = voters.filter(|node| *node != self.me.node);
        let fit = |node: &NodeId| {
            self.links.up.contains_key(node)
                && self.is_alive(*node)
                && !self.agreed.removed.contains(node)
        };
        others.filter(fit).min()
    }

    /// This node's disk is full or slow: another one should lead, if one can. Not again and again: the other one may
    /// be no better off.
    pub(crate) fn hand_over(&mut self, why: &str) {
        let now = self.now.instant;
        let recently =
            self.membership.handed_over.is_some_and(|at| now.since(at) < HAND_OVER_INTERVAL);
        if !self.membership.leads || recently {
            return;
        }
        if let Some(next) = self.successor() {
            self.membership.handed_over = Some(now);
            self.file(format!("leadership goes to {next}: {why}"));
            self.outputs.push_back(Output::TransferLeader(next));
        }
    }

    /// Whether there is something to be done every now and then.
    pub(crate) fn has_to_tend(&self) -> bool {
        let asks = self.asks() && !self.links.up.is_empty();
        let leads = self.membership.leads
            && (self.membership.has_work(&self.agreed.removed)
                || !self.agreed.tokens.is_empty()
                || self.membership.voters.iter().any(|node| !self.is_alive(*node)));
        asks || leads
    }
}
