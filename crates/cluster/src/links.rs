//! With whom this node wants links, and who answered where.

use crate::{Address, Cluster, Introduction, Output, Refusal};
use base::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// How many links a node wants at most; addresses beyond it wait for others to go.
pub const LINKS_MAX: usize = 128;
/// Of how many addresses it is remembered who answered there.
const MATCHED_MAX: usize = 1024;

/// A node that there is a link to.
#[derive(Clone, Debug)]
pub(crate) struct Linked {
    /// Where it was dialed.
    pub(crate) dialed: Address,
    pub(crate) peer: Introduction,
}

/// What is known of addresses.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) up: BTreeMap<NodeId, Linked>,
    /// Who answered at an address, last.
    matched: BTreeMap<Address, NodeId>,
    /// Where members that talk to this node say they are, as long as there is no link to them.
    pub(crate) said: BTreeMap<NodeId, Address>,
    /// Other names of this node.
    own_names: BTreeSet<Address>,
    /// What was said last.
    wanted: Vec<Address>,
}

impl Links {
    /// The node behind an address, if there is a link to it.
    pub(crate) fn at(&self, address: &Address) -> Option<NodeId> {
        let mut up = self.up.iter();
        up.find(|(_, linked)| linked.dialed == *address || linked.peer.address == *address)
            .map(|(node, _)| *node)
    }

    pub(crate) fn opened(&mut self, dialed: Address, peer: Introduction) {
        self.own_names.remove(&dialed);
        // Whoever answers there: it is known now.
        self.said.retain(|node, address| *node != peer.node && *address != dialed);
        if self.matched.len() < MATCHED_MAX || self.matched.contains_key(&dialed) {
            self.matched.insert(dialed.clone(), peer.node);
        }
        match self.up.get_mut(&peer.node) {
            // A second link to the same life: the first one is kept, and the second one is wanted no more.
            Some(linked) if linked.peer.life == peer.life => linked.peer = peer,
            Some(_) | None => {
                self.up.insert(peer.node, Linked { dialed, peer });
            }
        }
    }

    pub(crate) fn refused(&mut self, dialed: Address, why: Refusal) {
        if why == Refusal::Itself && self.own_names.len() < MATCHED_MAX {
            self.own_names.insert(dialed);
        }
    }
}

impl Cluster {
    /// Says which links are wanted, if these are others than before.
    pub(crate) fn refresh_links(&mut self) {
        let wanted = self.wanted_links();
        if wanted != self.links.wanted {
            self.links.wanted.clone_from(&wanted);
            self.outputs.push_back(Output::Links(wanted));
        }
    }

    /// A member that this node has no link to talks to it: it can be reached where it says it is. Gossip may know it
    /// elsewhere, for instance where a copy of it has just stopped.
    pub(crate) fn note_place(&mut self, from: NodeId, address: &Address) {
        let is_other = from != self.me.node && self.membership.is_member(from);
        if is_other
            && !self.links.up.contains_key(&from)
            && self.links.said.get(&from) != Some(address)
        {
            self.links.said.insert(from, address.clone());
            self.links_are_old = true;
        }
    }

    /// All members that did not leave, and every address where nobody is known to be: one address for a node that is
    /// linked, all of its addresses while it is not.
    fn wanted_links(&self) -> Vec<Address> {
        let mut wanted = BTreeSet::new();
        let removed = |node: &NodeId| self.is_removed(*node);
        let members = self.gossip.iter().flat_map(gossip::Gossip::members);
        let members = members.filter(|member| member.state != gossip::State::Left);
        for member in members.filter(|member| !removed(&member.node())) {
            match self.links.up.get(&member.node()) {
                Some(linked) => wanted.insert(linked.dialed.clone()),
                None => wanted.insert(member.record.address().clone()),
            };
        }
        for address in self.settings.seeds.iter().chain(&self.identity.peers) {
            match self.links.matched.get(address) {
                Some(node) if removed(node) => {}
                Some(node) => match self.links.up.get(node) {
                    Some(linked) => {
                        wanted.insert(linked.dialed.clone());
                    }
                    None => {
                        wanted.insert(address.clone());
                    }
                },
                None => {
                    wanted.insert(address.clone());
                }
            }
        }
        let said = self.links.said.iter();
        wanted.extend(
            said.filter(|(node, _)| !self.links.up.contains_key(node) && !removed(node))
                .map(|(_, address)| address.clone()),
        );
        wanted.remove(&self.settings.advertise);
        wanted.retain(|address| !self.links.own_names.contains(address));
        wanted.into_iter().take(LINKS_MAX).collect()
    }
}
