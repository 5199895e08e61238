//! Who takes whose place: a machine that lost its disk comes back under a new id, at the address where the old one was.
//!
//! The old id would stay a voter that never answers: with four voters of which one is dead, the next loss ends writes. So
//! whoever leads takes the old one out for good, and gives the new one its vote in the same change of the members.
//!
//! # When
//!
//! All of it must be so, by what the leader itself sees: gossip knows the old one as dead or gone; there is no link to it; it
//! was not heard for [`REPLACED_AFTER`], all of that while this node led; and whoever is linked at the very address where
//! the old one was last known says that it is another node, and has a vote or is ready for one. So nobody is taken out who
//! may just be slow, or whose disk may be elsewhere under an address of its own: it would be alive, with another address.
//!
//! # Why it is sound
//!
//! * It is what an operator would do by [`crate::Command::Remove`], under the same guard: of the voters that are left, most
//!   are alive. A joint change is decided by majorities of the old and of the new voters, so no decision is lost by it,
//!   and in a minority nothing of it comes to pass.
//! * The old id is on the removed list before it loses its vote. If its disk comes back after all, elsewhere or because
//!   the machine had been started with another directory, it is refused and told so: it never votes again. What it had
//!   acknowledged is with the majority that acknowledged it too.
//! * The new one has caught up before, so at no time fewer copies are counted on than before.
//!
//! Where an old one was is what gossip says; if gossip knows nothing of it in this life, where it founded the cluster.

use crate::{Address, Cluster, Command, Formation, Output};
use base::{Duration, NodeId};
use journal::{Kind, Subject};

/// How long a member must not have been heard before another one takes its place.
pub(crate) const REPLACED_AFTER: Duration = Duration::from_secs(10);

impl Cluster {
    /// Takes out who was replaced: first in the log, so that it is never forgotten.
    pub(crate) fn next_replaced(&self) -> Option<Output> {
        let members = self.membership.voters.iter().chain(&self.membership.learners).copied();
        let lost = members
            .filter(|node| !self.agreed.removed.contains(node) && self.is_lost(*node))
            .find(|node| self.replaced_by(*node).is_some() && self.can_do_without(*node));
        lost.map(|node| Output::Tidy(Command::Remove(node)))
    }

    pub(crate) fn tell_of_replacement(&mut self, change: &Output) {
        let Output::Tidy(Command::Remove(old)) = change else { return };
        if let (Some(new), Some(place)) = (self.replaced_by(*old), self.place_of(*old)) {
            let why = format!("{old} never comes back: {new} is at its address {place} instead");
            self.outputs.push_back(Output::Event(Kind::Replaced(why.into()), Subject::Node));
        }
    }

    /// Whether a node that is ready for a vote has to wait, because its address is still that of another member that this
    /// one is not linked with.
    pub(crate) fn waits_for_place(&self, newcomer: NodeId) -> bool {
        let Some(linked) = self.links.up.get(&newcomer) else { return false };
        let members = self.membership.voters.iter().chain(&self.membership.learners).copied();
        members
            .filter(|node| *node != newcomer && *node != self.me.node)
            .filter(|node| !self.links.up.contains_key(node))
            .any(|node| self.place_of(node) == Some(&linked.peer.address))
    }

    /// Who is where this member was, and has a vote or is ready for one.
    pub(crate) fn replaced_by(&self, old: NodeId) -> Option<NodeId> {
        let place = self.place_of(old)?;
        let at_place = self.links.up.iter().filter(|(node, linked)| {
            **node != old && linked.peer.address == *place && self.is_alive(**node)
        });
        at_place.map(|(node, _)| *node).find(|node| {
            let voters = &self.membership.voters;
            !self.agreed.removed.contains(node) && (voters.contains(node) || self.is_ready(*node))
        })
    }

    fn is_lost(&self, node: NodeId) -> bool {
        let now = self.now.instant;
        let silent_since = |since| self.heard.get(&node).map_or(since, |heard| heard.at.max(since));
        node != self.me.node
            && !self.is_alive(node)
            && !self.links.up.contains_key(&node)
            && self
                .membership
                .leads_since
                .is_some_and(|since| now.since(silent_since(since)) >= REPLACED_AFTER)
    }

    /// Where a member was last known to be.
    fn place_of(&self, node: NodeId) -> Option<&Address> {
        let known = self.gossip.as_ref().and_then(|gossip| gossip.member(node));
        if let Some(member) = known {
            return Some(member.record.address());
        }
        match &self.identity.formation {
            Formation::Formed { founders, .. } => {
                founders.iter().find(|founder| founder.node == node)?.address.as_ref()
            }
            Formation::Fresh | Formation::Adopted { .. } | Formation::Joining { .. } => None,
        }
    }
}
