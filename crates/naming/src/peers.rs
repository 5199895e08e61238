//! What the registries of two nodes say to each other.

use crate::{
    Instance, Naming, Output,
    checks::CheckKey,
    forward::{Answered, Asked},
    leave::Handed,
    offer::OfferKey,
    verify::{Compare, Compared},
};
use base::{HybridTime, Instant, NodeId};
use distro::Input;
use journal::{Kind, Subject};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// One message between the registries of two nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerMessage(pub(crate) Said);

/// What it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// About what clients offer.
    Offers(distro::Message<OfferKey, Arc<Instance>>),
    /// About how persistent instances are.
    Health(distro::Message<CheckKey, bool>),
    /// "You are responsible for this client: do this for it." Lost: the asker does it itself.
    Asked(Box<Asked>),
    /// "Where do we list something else?" Lost: the asker says that this node was silent.
    Compare(Compare),
    /// "Here." Lost: as above.
    Compared(Compared),
    /// "This came of it." Lost: the asker does it itself, too.
    Answered(Answered),
    /// "I stop: own these from now on." Lost: they are orphans.
    Handed(Vec<Handed>),
    /// "One message of those was taken." Lost: the one that leaves waits for it in vain, for a while.
    Taken,
}

/// Of a record: who owns it, and which it is. For simulators that plant a bug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferName(NodeId, OfferKey);

impl PeerMessage {
    /// Whether it compares what two nodes know of clients' offers. For simulators that plant a bug.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        matches!(&self.0, Said::Offers(distro::Message::Digest { .. }))
    }

    /// Without the offers that are deleted. For simulators that plant a bug.
    #[must_use]
    pub fn without_deletions(mut self) -> Self {
        if let Said::Offers(distro::Message::Delta { records, .. }) = &mut self.0 {
            records.retain(|record| record.value.is_some());
        }
        self
    }

    /// Its states are newer than they are. For simulators that plant a bug.
    #[must_use]
    pub fn made_newest(mut self) -> Self {
        if let Said::Offers(distro::Message::Delta { records, .. }) = &mut self.0 {
            for record in records {
                let at = &mut record.version.incarnation.at;
                *at = HybridTime::from_unix_ms(at.unix_ms() + 1_000);
            }
        }
        self
    }

    /// Whether it lists what the sender knows of an owner; then the records of that owner that it does not list, as deletions
    /// newer than they are. For simulators that plant a bug: what another node does not know is not gone.
    #[must_use]
    pub fn absences(&self, known: &mut BTreeMap<OfferName, Self>) -> Vec<Self> {
        match &self.0 {
            Said::Offers(distro::Message::Delta { records, .. }) => {
                for record in records {
                    let mut gone = record.clone();
                    let at = &mut gone.version.incarnation.at;
                    *at = HybridTime::from_unix_ms(at.unix_ms() + 1_000);
                    gone.value = None;
                    let name = OfferName(record.version.incarnation.node, record.key.clone());
                    let message = distro::Message::Delta { number: u64::MAX, records: vec![gone] };
                    known.insert(name, Self(Said::Offers(message)));
                }
                Vec::new()
            }
            Said::Offers(distro::Message::Versions { owner, versions, .. }) => {
                let listed = |key: &OfferKey| versions.iter().any(|(listed, _)| listed == key);
                let absent = known.iter().filter(|(name, _)| name.0 == *owner && !listed(&name.1));
                absent.map(|(_, gone)| gone.clone()).collect()
            }
            Said::Offers(_)
            | Said::Health(_)
            | Said::Asked(_)
            | Said::Compare(_)
            | Said::Compared(_)
            | Said::Handed(_)
            | Said::Taken
            | Said::Answered(_) => Vec::new(),
        }
    }

    /// Whether somebody waits for it. Such a message must not wait behind long ones.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        match &self.0 {
            Said::Asked(_) | Said::Answered(_) => true,
            // Behind the deltas: otherwise what is on its way would look like a difference.
            Said::Compare(_) | Said::Compared(_) => false,
            Said::Offers(_) | Said::Health(_) | Said::Handed(_) | Said::Taken => false,
        }
    }
}

impl Naming {
    pub(crate) fn peer_up(&mut self, peer: NodeId) {
        self.linked.insert(peer);
        self.distro(Input::PeerUp { peer });
        self.health(Input::PeerUp { peer });
    }

    pub(crate) fn peer_down(&mut self, peer: NodeId) {
        self.linked.remove(&peer);
        self.forwards.give_up(self.now.instant, peer);
        self.verify_without(peer);
        self.not_taken(peer);
        self.distro(Input::PeerDown { peer });
        self.health(Input::PeerDown { peer });
    }

    pub(crate) fn node_alive(&mut self, owner: NodeId, life: HybridTime) {
        if owner != self.node {
            self.alive.insert(owner);
            // A life begins above all versions that the ones before may have given out. Subscribers who come from that node
            // must not take the views of this one for older than theirs.
            self.distro.clock().observe(self.now, life);
        }
        self.distro(Input::OwnerAlive { owner, life });
        self.health(Input::OwnerAlive { owner, life });
    }

    pub(crate) fn node_gone(&mut self, owner: NodeId, heard: Instant) {
        self.alive.remove(&owner);
        self.forwards.give_up(self.now.instant, owner);
        let heard = self.on_hearing_clock(heard);
        self.distro(Input::OwnerGone { owner, heard });
        self.health(Input::OwnerGone { owner, heard });
    }

    pub(crate) fn peer_said(&mut self, from: NodeId, PeerMessage(said): PeerMessage) {
        match said {
            Said::Offers(mut message) => {
                self.share_heard(&mut message);
                self.distro(Input::Received { from, message });
            }
            Said::Health(message) => self.health(Input::Received { from, message }),
            Said::Asked(asked) => self.asked(from, *asked),
            Said::Answered(answered) => self.answered(from, answered),
            Said::Compare(compare) => self.compare(from, compare),
            Said::Compared(compared) => self.compared(from, compared),
            Said::Handed(handed) => self.handed(from, handed),
            Said::Taken => self.taken(from),
        }
    }

    pub(crate) fn say(&mut self, to: NodeId, said: Said) {
        self.outputs.push_back(Output::Peer { to, message: PeerMessage(said) });
    }

    pub(crate) fn refuse_junk(&mut self, from: NodeId, what: &str) {
        let why = format!("{what} of {from} was not taken: no node of ours sends its like");
        self.outputs.push_back(Output::Event(Kind::Refused(why.into()), Subject::Node));
    }

    pub(crate) fn malformed(&mut self, from: NodeId, why: &distro::Malformed) {
        let why = format!("a message of {from} was not taken: {why}");
        self.outputs.push_back(Output::Event(Kind::Refused(why.into()), Subject::Node));
    }
}
