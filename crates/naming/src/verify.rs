//! Whether the nodes list the same: asked by an operator, service by service.
//!
//! ```text
//! operator ─► n1 ── Compare{range, a sum for each service in it} ──► every peer
//!               ◄── Compared{what differs there, instance by instance} ──
//!             n1 compares that with what it lists by then, and says where they differ
//! ```
//!
//! Both travel behind the deltas of their node. So what was just registered has arrived when it is compared, and a difference
//! is one that lasts, unless a peer is being sent more than a link carries at once (`Convergence::unsent`); ask again to be
//! sure. Lost, or the peer does not answer within `VERIFY_TIMEOUT`: it is named as silent.

use crate::{
    InstanceDigest, Naming, Place, Refusal, Reply, ServiceDigest, ServiceKey,
    converge::{DIGESTED_PER_PIECE, DIGESTS_PER_PIECE, differing},
    peers::Said,
};
use base::{ConnectionId, Duration, Instant, NodeId, RequestId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

/// How many comparisons may wait for other nodes. One more is refused.
pub const VERIFIES_MAX: usize = 16;

/// How long other nodes may take.
pub const VERIFY_TIMEOUT: Duration = Duration::from_secs(2);

/// How many services one peer names as differing; the rest is counted as more.
pub const DIFFERENCES_PER_PEER_MAX: usize = 100;

/// How many places of one service are named as differing.
pub const PLACES_PER_DIFFERENCE_MAX: usize = 100;

/// How many instances all services in one answer list together. Of a service with more than that only their number is said:
/// all of them would not fit into a message.
const LISTED_PER_ANSWER_MAX: usize = if cfg!(test) { 200 } else { 20_000 };

/// What the nodes list differently, of the services in one piece of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many services this node lists in this piece.
    pub services: usize,
    /// Where others list something else.
    pub differences: Vec<Difference>,
    /// Whether there are more than these.
    pub more_differences: bool,
    /// Who agrees or differs: those who answered.
    pub answered: Vec<NodeId>,
    /// Who did not answer.
    pub silent: Vec<NodeId>,
    /// Where this piece ended, if there are more services.
    pub last: Option<ServiceKey>,
}

/// A service that a peer lists differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which peer.
    pub peer: NodeId,
    /// Which service.
    pub service: ServiceKey,
    /// How many places differ. Of a service too large to be told instance by instance: how many there are.
    pub places_count: usize,
    /// Those, at most [`PLACES_PER_DIFFERENCE_MAX`]; none of a service that is too large.
    pub places: Vec<Place>,
}

/// "This is what I list in this range: where do you differ?"
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compare {
    number: u64,
    /// The range begins after this service, or with the first.
    after: Option<ServiceKey>,
    /// It ends with this one, or with the last.
    until: Option<ServiceKey>,
    services: Vec<ServiceDigest>,
}

/// "Here; and this is what I list there."
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    number: u64,
    services: Vec<(ServiceKey, Listed)>,
    more: bool,
}

/// What a node lists of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Listed {
    Instances(Vec<InstanceDigest>),
    /// More than a message takes.
    Many(usize),
}

#[derive(Debug)]
struct Verify {
    to: ConnectionId,
    id: RequestId,
    due: Instant,
    awaited: BTreeSet<NodeId>,
    found: Verified,
}

/// Comparisons that wait for other nodes.
#[derive(Debug, Default)]
pub(crate) struct Verifies {
    last_number: u64,
    waiting: BTreeMap<u64, Verify>,
}

impl Verifies {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // All have the same time, so the first one that came is due first.
        self.waiting.first_key_value().map(|(_, verify)| verify.due)
    }
}

impl Naming {
    /// Begins to compare what the nodes list, in the services after one. The answer comes when all have answered.
    pub(crate) fn verify(
        &mut self,
        to: ConnectionId,
        id: RequestId,
        after: Option<ServiceKey>,
    ) -> Option<Refusal> {
        if self.verifies.waiting.len() >= VERIFIES_MAX {
            return Some(Refusal::Busy { what: "comparisons", limit: VERIFIES_MAX });
        }
        let (services, more) = self.digests_in(after.as_ref(), None);
        let last = services.last().filter(|_| more).map(|last| last.service.clone());
        self.verifies.last_number += 1;
        let number = self.verifies.last_number;
        let found = Verified {
            services: services.len(),
            silent: self.alive.difference(&self.linked).copied().collect(),
            last: last.clone(),
            ..Verified::default()
        };
        let awaited = self.linked.clone();
        for peer in &awaited {
            let (after, until) = (after.clone(), last.clone());
            let compare = Compare { number, after, until, services: services.clone() };
            self.say(*peer, Said::Compare(compare));
        }
        let due = self.now.instant.after(VERIFY_TIMEOUT);
        self.verifies.waiting.insert(number, Verify { to, id, due, awaited, found });
        self.end_verify(number);
        None
    }

    /// Tells a peer where this node lists something else.
    pub(crate) fn compare(&mut self, from: NodeId, compare: Compare) {
        let Compare { number, after, until, services: theirs } = compare;
        if theirs.len() > DIGESTS_PER_PIECE || (until.is_some() && after >= until) {
            return self.refuse_junk(from, "a comparison");
        }
        let (ours, mut more) = self.digests_in(after.as_ref(), until.as_ref());
        // Beyond what was looked at nothing can be said.
        let end = ours.last().filter(|_| more).map(|last| last.service.clone());
        let sums = |list: Vec<ServiceDigest>| -> BTreeMap<ServiceKey, (usize, u64)> {
            list.into_iter().map(|one| (one.service, (one.instances, one.sum))).collect()
        };
        let (ours, theirs) = (sums(ours), sums(theirs));
        let names: BTreeSet<&ServiceKey> = ours.keys().chain(theirs.keys()).collect();
        let (mut services, mut listed) = (Vec::new(), 0);
        for name in names {
            if end.as_ref().is_some_and(|end| name > end) || ours.get(name) == theirs.get(name) {
                continue;
            }
            let count = ours.get(name).map_or(0, |(instances, _)| *instances);
            let many = count > LISTED_PER_ANSWER_MAX;
            listed += if many { 0 } else { count };
            if services.len() >= DIFFERENCES_PER_PEER_MAX || listed > LISTED_PER_ANSWER_MAX {
                more = true;
                break;
            }
            let instances =
                if many { Listed::Many(count) } else { Listed::Instances(self.digest_of(name)) };
            services.push((name.clone(), instances));
        }
        self.say(from, Said::Compared(Compared { number, services, more }));
    }

    pub(crate) fn compared(&mut self, from: NodeId, compared: Compared) {
        let Compared { number, services, more } = compared;
        if services.len() > DIFFERENCES_PER_PEER_MAX {
            return self.refuse_junk(from, "what differs");
        }
        let waits = self.verifies.waiting.get_mut(&number);
        if !waits.is_some_and(|verify| verify.awaited.remove(&from)) {
            return;
        }
        let mut differences = Vec::new();
        for (service, theirs) in services {
            let (places_count, mut places) = match theirs {
                Listed::Instances(theirs) => {
                    let places = differing(&self.digest_of(&service), &theirs);
                    (places.len(), places)
                }
                Listed::Many(count) => (count, Vec::new()),
            };
            places.truncate(PLACES_PER_DIFFERENCE_MAX);
            // It may have come to agree since.
            if places_count > 0 {
                differences.push(Difference { peer: from, service, places_count, places });
            }
        }
        let verify = self.verifies.waiting.get_mut(&number).expect("looked at above");
        verify.found.differences.extend(differences);
        verify.found.more_differences |= more;
        verify.found.answered.push(from);
        self.end_verify(number);
    }

    /// This node will not answer.
    pub(crate) fn verify_without(&mut self, peer: NodeId) {
        let numbers: Vec<u64> = self.verifies.waiting.keys().copied().collect();
        for number in numbers {
            let verify = self.verifies.waiting.get_mut(&number).expect("just listed");
            if verify.awaited.remove(&peer) {
                verify.found.silent.push(peer);
                self.end_verify(number);
            }
        }
    }

    /// Answers those who have waited for long enough.
    pub(crate) fn verifies_due(&mut self) {
        while let Some(mut first) = self.verifies.waiting.first_entry()
            && first.get().due <= self.now.instant
        {
            let silent = std::mem::take(&mut first.get_mut().awaited);
            first.get_mut().found.silent.extend(silent);
            let number = *first.key();
            self.end_verify(number);
        }
    }

    fn end_verify(&mut self, number: u64) {
        if self.verifies.waiting.get(&number).is_some_and(|verify| verify.awaited.is_empty()) {
            let verify = self.verifies.waiting.remove(&number).expect("looked at above");
            let Verify { to, id, mut found, .. } = verify;
            found.silent.sort_unstable();
            found.answered.sort_unstable();
            self.answer(to, id, Ok(crate::Answer::Reply(Reply::Verified(Box::new(found)))));
        }
    }

    /// What the services after one list, in short, for one piece; and whether there are more up to `until`.
    pub(crate) fn digests_in(
        &self,
        after: Option<&ServiceKey>,
        until: Option<&ServiceKey>,
    ) -> (Vec<ServiceDigest>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = until.map_or(Bound::Unbounded, Bound::Included);
        let listed = self.services.range::<ServiceKey, _>((from, to));
        let (mut services, mut digested) = (Vec::new(), 0);
        for (key, service) in listed.filter(|(_, service)| service.published) {
            if services.len() >= DIGESTS_PER_PIECE || digested >= DIGESTED_PER_PIECE {
                return (services, true);
            }
            let instances = &service.view.instances;
            digested += instances.len();
            let add =
                |all: u64, one: &Arc<crate::Instance>| all.wrapping_add(crate::converge::sum(one));
            services.push(ServiceDigest {
                service: ServiceKey::clone(key),
                instances: instances.len(),
                sum: instances.iter().fold(0, add),
            });
        }
        (services, false)
    }
}
