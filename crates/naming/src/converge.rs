//! How far the registries of the nodes agree: after a start, now, and by the instance.
//!
//! A node that has just started knows what its hint said, and then what its peers send. Whoever asked it before it has heard
//! them would see services smaller than they are. So it says how far it has come (`CaughtUp`), and readiness follows from
//! that: a node is ready when the digests of all peers it can reach have agreed with its own once, or after
//! `CATCH_UP_TIMEOUT`, which is marked; one that has no peers is ready at once if it knows of no other members, and else
//! after that time. What was reached is not taken back: a node that has served goes on.

use crate::{Instance, Naming, Place, Refusal, Reply, ServiceKey};
use base::{Duration, Instant, NodeId};
use distro::Standing;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, hash::Hasher, sync::Arc};

/// A node that has not caught up by then serves all the same.
pub const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// How many services one piece of digests names at most.
pub const DIGESTS_PER_PIECE: usize = 1_000;

/// A piece of digests ends with the service that brings it to so many instances.
pub(crate) const DIGESTED_PER_PIECE: usize = 20_000;

/// How far a node has come since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaughtUp {
    /// It has no peers, or has not heard of any.
    #[default]
    Alone,
    /// It has peers, and does not know all that they know.
    Waiting,
    /// It knew all that its peers knew.
    Agreed,
    /// It did not get that far in time.
    TimedOut,
}

/// How far this node and a peer agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convergence {
    /// The peer.
    pub peer: NodeId,
    /// Whether there is a link to it.
    pub linked: bool,
    /// Since when its digest has not agreed with this node's; digests are compared every
    /// [`distro::DIGEST_PERIOD`]. `None`: they never agreed on this link.
    pub lag: Option<Duration>,
    /// How many records it has still to be sent.
    pub unsent: usize,
}

/// What a service lists, in short. The same on all nodes that list the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDigest {
    /// Which.
    pub service: ServiceKey,
    /// How many instances.
    pub instances: usize,
    /// Over all of them.
    pub sum: u64,
}

/// What a service lists at one place, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDigest {
    /// Where.
    pub place: Place,
    /// Over what is listed there.
    pub sum: u64,
    /// Who owns it; `None` of a persistent instance.
    pub owner: Option<NodeId>,
    /// Whether its owner is gone.
    pub orphan: bool,
}

/// Where two nodes list something else, and what is listed at one only; both in the order of their places.
#[must_use]
pub fn differing(ours: &[InstanceDigest], theirs: &[InstanceDigest]) -> Vec<Place> {
    let sums = |list: &[InstanceDigest]| -> BTreeSet<(Place, u64)> {
        list.iter().map(|one| (one.place.clone(), one.sum)).collect()
    };
    let (ours, theirs) = (sums(ours), sums(theirs));
    let places = ours.symmetric_difference(&theirs).map(|(place, _)| place.clone());
    places.collect::<BTreeSet<Place>>().into_iter().collect()
}

/// Not for secrets: it finds what differs by accident.
pub(crate) fn sum(instance: &Instance) -> u64 {
    let bytes = postcard::to_allocvec(instance).expect("an instance is plain data");
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(&bytes);
    hasher.finish()
}

/// How far a node has come since it was started, and when that was.
#[derive(Debug)]
pub(crate) struct Start {
    began: Instant,
    reached: CaughtUp,
    finished: bool,
}

impl Start {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, reached: CaughtUp::Alone, finished: false }
    }

    /// When to stop waiting.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.finished).then(|| self.began.after(CATCH_UP_TIMEOUT))
    }
}

impl Naming {
    /// How far this node has come since it was started.
    #[must_use]
    pub fn caught_up(&self) -> CaughtUp {
        self.start.reached
    }

    /// Whether the registry may be read, by the rule above. `members` is how many nodes the cluster has, as far as this one
    /// knows.
    #[must_use]
    pub fn is_ready(&self, members: usize) -> bool {
        match self.start.reached {
            CaughtUp::Agreed | CaughtUp::TimedOut => true,
            CaughtUp::Waiting => false,
            CaughtUp::Alone => {
                members <= 1 || self.start.began.after(CATCH_UP_TIMEOUT) <= self.now.instant
            }
        }
    }

    /// How far this node and each of its peers agree.
    #[must_use]
    pub fn convergence(&self) -> Vec<Convergence> {
        let now = self.hearing().instant;
        self.others()
            .into_iter()
            .map(|peer| Convergence {
                peer,
                linked: self.linked.contains(&peer),
                lag: self.agreed_at(peer).map(|at| now.since(at)),
                unsent: self.distro.unsent_count(peer) + self.health.unsent_count(peer),
            })
            .collect()
    }

    /// Looks how far this node has come.
    pub(crate) fn review_start(&mut self) {
        if self.start.finished {
            return;
        }
        let others = self.others();
        let late = self.start.began.after(CATCH_UP_TIMEOUT) <= self.now.instant;
        let agreed = others.iter().all(|peer| self.agreed_at(*peer).is_some());
        self.start.reached = match (others.is_empty(), agreed && self.restoring.is_none()) {
            (true, _) => CaughtUp::Alone,
            (false, true) => CaughtUp::Agreed,
            (false, false) if late => CaughtUp::TimedOut,
            (false, false) => CaughtUp::Waiting,
        };
        self.start.finished = late || self.start.reached == CaughtUp::Agreed;
    }

    /// A piece of what all services list, in short: those after `after`.
    pub(crate) fn digests(&self, after: Option<&ServiceKey>) -> Reply {
        let (services, more) = self.digests_in(after, None);
        Reply::Digests { services, more }
    }

    /// What one service lists, in short, instance by instance.
    pub(crate) fn digest_of(&self, service: &ServiceKey) -> Vec<InstanceDigest> {
        let shared = self.shared(service);
        let shown = self.services.get(&shared).filter(|service| service.published);
        let instances = shown.map_or_else(Vec::new, |shown| shown.view.instances.to_vec());
        let instances = instances.iter().map(|instance| {
            let place = Arc::new(Place::of(instance));
            let offers = self.offers_at(&shared, &place).filter(|(_, entry)| entry.listed());
            let offer = offers.max_by_key(|(_, entry)| entry.version.incarnation);
            let offer = offer.filter(|_| instance.ephemeral).map(|(_, entry)| entry);
            InstanceDigest {
                sum: sum(instance),
                owner: offer.map(|entry| entry.version.incarnation.node),
                orphan: offer.is_some_and(|entry| entry.standing != Standing::Living),
                place: Place::clone(&place),
            }
        });
        instances.collect()
    }

    /// Compares everything with a peer, now.
    pub(crate) fn repair(&mut self, peer: NodeId) -> Result<Reply, Refusal> {
        if !self.linked.contains(&peer) {
            return Err(Refusal::NoLink(peer));
        }
        self.distro(distro::Input::Repair { peer });
        self.health(distro::Input::Repair { peer });
        Ok(Reply::Done)
    }

    /// All other nodes that live or are linked.
    fn others(&self) -> BTreeSet<NodeId> {
        self.alive.union(&self.linked).copied().collect()
    }

    /// When all that a peer knows was last known here.
    fn agreed_at(&self, peer: NodeId) -> Option<Instant> {
        Some(self.distro.agreed_at(peer)?.min(self.health.agreed_at(peer)?))
    }
}
