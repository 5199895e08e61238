//! The founding: from nodes that belong nowhere to exactly one cluster.
//!
//! # The problem
//!
//! All nodes are started with the same settings, in any order: whom to look for (*seeds*) and how many of them found the
//! cluster (*expect*). Some come minutes late, some are restarted in the middle, some lose their disk. Raft needs the
//! same first voters on all of them, exactly once; two groups that each took the other for late would be two clusters
//! with one name.
//!
//! # Steps
//!
//! ```text
//! Fresh ──(all of S propose S)──► Adopted S ──(all of S have adopted S)──► Formed S: Raft starts with voters S
//!   └────(linked to a node of a cluster)──► Joining
//! ```
//!
//! Each step is on the node's own disk before the node says it.
//!
//! 1. A fresh node proposes S, the lowest `expect` ids among the fresh nodes that it is linked with at addresses of its
//!    seeds, itself included; or a set that contains it and that somebody has adopted. A proposal binds nobody.
//! 2. When all of S are heard to propose or to have adopted S, it adopts S. That binds its id for good.
//! 3. When all of S are heard to have adopted S, or one of them to have formed, it has formed.
//!
//! # Why there are not two
//!
//! * An id adopts one set, ever: S is written once, and a node that gives up takes another id. So two sets that share an id
//!   are never both adopted by all of their ids, and a set that is not adopted by all never forms.
//! * Two sets that share no id are made of nodes at different addresses, as long as no disk is lost. Members of a set are
//!   linked at addresses of the seeds, and `expect` is more than half of these, so two sets share an address.
//! * If a disk is lost, one address has two ids, one after the other. With `expect` = all addresses, no second set is
//!   complete without a node of the first one that still has its disk, which is not fresh. (With fewer expected, a disk
//!   that is lost while some nodes never were linked with the cluster may lead to a second one. Wait for all nodes
//!   before a disk is wiped.)
//!
//! # Messages
//!
//! There is one, [`Forming`]: where I am and whom I propose. It is said to all linked nodes again and again until the
//! sender belongs to a cluster, and in answer to those that do not. A lost one is followed by the next one. An old one does
//! no harm: adoption and formation are true for ever, and a proposal is believed for [`BELIEVED_FOR`] only and binds nobody;
//! that its sender has adopted is what counts.
//!
//! # When it cannot be completed
//!
//! S adopted by this node, and one of S lost its disk or adopted another set before: S never forms. If every founder is
//! either here and has not formed, or is replaced, for [`GRACE`], this node gives up by taking a new id, as if its disk was
//! lost. That is always safe. A founder that is only away may have formed: for it, one waits.
//!
//! # Invariants
//!
//! ```text
//! formation ∈ Fresh → {Adopted → Formed, Joining}; never back, never to another set
//! what is said is on disk
//! Formed S at any node ⇒ every id of S has Adopted S or Formed S on its disk, or has lost it
//! ```
//!
//! # Left out
//!
//! A seed that is one name for several nodes; sets chosen by zone.

use crate::{Address, ClusterId, Formation, Forming, Founder, Introduction};
use base::{Duration, Instant, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// How often a node says where it is until it belongs to a cluster.
pub(crate) const SAY_INTERVAL: Duration = Duration::from_millis(300);
/// How long a proposal is believed.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_secs(3);
/// How long a set must be beyond hope before a node gives up its id.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
/// How many other nodes are looked at; more are not candidates.
pub(crate) const OTHERS_MAX: usize = 128;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Make this durable, then `kept`.
    Keep(Formation),
    /// Say `words` to this node.
    Say(NodeId),
    /// Take a new id and stop, for this reason.
    GiveUp(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    /// Where it says it is.
    address: Address,
    linked: bool,
    at_seed: bool,
    /// Its cluster, as it was introduced.
    cluster: Option<ClusterId>,
    /// What it said last, and when.
    said: Option<(Instant, Forming)>,
}

/// The state machine.
#[derive(Clone, Debug)]
pub(crate) struct Founding {
    me: Founder,
    expect: Option<usize>,
    seeds: BTreeSet<Address>,
    /// What is on disk.
    formation: Formation,
    /// What is being written.
    writing: Option<Formation>,
    others: BTreeMap<NodeId, Other>,
    proposes: Vec<NodeId>,
    beyond_hope_since: Option<Instant>,
    say_at: Instant,
    given_up: bool,
}

impl Founding {
    pub(crate) fn new(
        now: Instant,
        me: Founder,
        formation: Formation,
        seeds: &[Address],
        expect: Option<u32>,
    ) -> Self {
        Self {
            me,
            expect: expect.map(|expect| expect as usize),
            seeds: seeds.iter().cloned().collect(),
            formation,
            writing: None,
            others: BTreeMap::new(),
            proposes: Vec::new(),
            beyond_hope_since: None,
            say_at: now,
            given_up: false,
        }
    }

    /// What this node says to others.
    pub(crate) fn words(&self) -> Forming {
        Forming { formation: self.formation.clone(), proposes: self.proposes.clone() }
    }

    /// When `wake` is due: as long as the node belongs nowhere and is linked with somebody.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let alone = self.others.values().all(|other| !other.linked);
        (!self.is_over() && !alone).then_some(self.say_at)
    }

    /// A link to a node, dialed at this address.
    pub(crate) fn linked(
        &mut self,
        now: Instant,
        dialed: &Address,
        peer: &Introduction,
    ) -> Vec<Act> {
        if self.is_over()
            || (self.others.len() >= OTHERS_MAX && !self.others.contains_key(&peer.node))
        {
            return Vec::new();
        }
        let at_seed = self.seeds.contains(dialed);
        let other = self.others.entry(peer.node).or_insert_with(|| Other {
            address: peer.address.clone(),
            linked: true,
            at_seed,
            cluster: None,
            said: None,
        });
        other.linked = true;
        other.at_seed |= at_seed;
        other.address = peer.address.clone();
        other.cluster = peer.cluster.or(other.cluster);
        let mut acts = vec![Act::Say(peer.node)];
        self.look(now, &mut acts);
        acts
    }

    /// No link to it is left.
    pub(crate) fn unlinked(&mut self, node: NodeId) {
        if let Some(other) = self.others.get_mut(&node) {
            other.linked = false;
        }
    }

    /// Another node said where it is.
    pub(crate) fn heard(
        &mut self,
        now: Instant,
        from: NodeId,
        address: &Address,
        forming: Forming,
    ) -> Vec<Act> {
        if self.is_over() {
            // The word that helps it on. Those who belong somewhere need none.
            return if forming.formation.cluster().is_none() {
                vec![Act::Say(from)]
            } else {
                Vec::new()
            };
        }
        if self.others.len() >= OTHERS_MAX && !self.others.contains_key(&from) {
            return Vec::new();
        }
        let other = self.others.entry(from).or_insert_with(|| Other {
            address: address.clone(),
            linked: false,
            at_seed: false,
            cluster: None,
            said: None,
        });
        // What came by a detour may be older than what is known. What was adopted stays adopted.
        let older = other
            .said
            .as_ref()
            .is_some_and(|(_, said)| rank(&said.formation) > rank(&forming.formation));
        if !older {
            other.said = Some((now, forming));
        }
        let mut acts = Vec::new();
        self.look(now, &mut acts);
        acts
    }

    /// What was to be kept is on disk.
    pub(crate) fn kept(&mut self, now: Instant, formation: &Formation) -> Vec<Act> {
        self.writing = None;
        self.formation = formation.clone();
        self.proposes.clear();
        let mut acts = self.say_to_all();
        self.look(now, &mut acts);
        acts
    }

    pub(crate) fn wake(&mut self, now: Instant) -> Vec<Act> {
        if self.is_over() || self.say_at > now {
            return Vec::new();
        }
        self.say_at = now.after(SAY_INTERVAL);
        let mut acts = Vec::new();
        self.look(now, &mut acts);
        acts.extend(self.say_to_all());
        acts
    }

    /// A new id is being written: nothing more comes of this one.
    fn is_over(&self) -> bool {
        self.given_up || self.formation.cluster().is_some()
    }

    fn say_to_all(&self) -> Vec<Act> {
        let linked = self.others.iter().filter(|(_, other)| other.linked);
        linked.map(|(node, _)| Act::Say(*node)).collect()
    }

    /// Takes the next step, if it is time for one.
    fn look(&mut self, now: Instant, acts: &mut Vec<Act>) {
        if self.writing.is_some() || self.is_over() {
            return;
        }
        let next = match &self.formation {
            Formation::Fresh => self.look_for_others(now, acts),
            Formation::Adopted { cluster, founders } => {
                let (cluster, founders) = (*cluster, founders.clone());
                if self.is_formed(cluster, &founders) {
                    Some(Formation::Formed { cluster, founders })
                } else {
                    self.hope(now, cluster, &founders, acts);
                    None
                }
            }
            Formation::Formed { .. } | Formation::Joining { .. } => None,
        };
        if let Some(next) = next {
            self.writing = Some(next.clone());
            acts.push(Act::Keep(next));
        }
    }

    fn look_for_others(&mut self, now: Instant, acts: &mut Vec<Act>) -> Option<Formation> {
        if let Some(cluster) = self.others.values().filter(|o| o.linked).find_map(Other::cluster) {
            return Some(Formation::Joining { cluster });
        }
        let set = self.choose(now);
        if set != self.proposes {
            self.proposes = set;
            acts.extend(self.say_to_all());
        }
        let agreed = !self.proposes.is_empty()
            && self.proposes.iter().filter(|node| **node != self.me.node).all(|node| {
                self.others.get(node).is_some_and(|other| {
                    other.has_adopted(&self.proposes)
                        || other.recent(now).is_some_and(|said| said.proposes == self.proposes)
                })
            });
        agreed.then(|| {
            let founders: Vec<Founder> =
                self.proposes.iter().map(|node| self.founder(*node)).collect();
            Formation::Adopted { cluster: ClusterId::of_founders(&founders), founders }
        })
    }

    fn founder(&self, node: NodeId) -> Founder {
        let address = self.others.get(&node).map(|other| other.address.clone());
        if node == self.me.node { self.me.clone() } else { Founder { node, address } }
    }

    /// Whom to found a cluster with; nobody, as long as there are too few.
    fn choose(&self, now: Instant) -> Vec<NodeId> {
        let Some(expect) = self.expect else { return Vec::new() };
        let candidates = || self.others.iter().filter(|(_, other)| other.linked && other.at_seed);
        for (_, other) in candidates() {
            if let Some(set) = other.adopted()
                && set.len() == expect
                && set.iter().any(|founder| founder.node == self.me.node)
            {
                return set.iter().map(|founder| founder.node).collect();
            }
        }
        let fresh = candidates().filter(|(_, other)| {
            other.recent(now).is_some_and(|said| said.formation == Formation::Fresh)
        });
        let mut set: Vec<NodeId> = fresh.map(|(node, _)| *node).chain([self.me.node]).collect();
        set.sort_unstable();
        if set.len() < expect {
            return Vec::new();
        }
        set.truncate(expect);
        if set.contains(&self.me.node) { set } else { Vec::new() }
    }

    /// Whether all have adopted, or one has seen that they did.
    fn is_formed(&self, cluster: ClusterId, founders: &[Founder]) -> bool {
        let others = || founders.iter().filter(|founder| founder.node != self.me.node);
        let set: Vec<NodeId> = founders.iter().map(|founder| founder.node).collect();
        self.others.values().any(|other| other.cluster() == Some(cluster))
            || others().all(|founder| {
                self.others.get(&founder.node).is_some_and(|other| other.has_adopted(&set))
            })
    }

    /// Whether the set can still be completed; gives up when it could not for long enough.
    fn hope(
        &mut self,
        now: Instant,
        cluster: ClusterId,
        founders: &[Founder],
        acts: &mut Vec<Act>,
    ) {
        let others = founders.iter().filter(|founder| founder.node != self.me.node);
        let mut lost = None;
        let mut all_here = true;
        for founder in others {
            if self.is_lost(cluster, founder) {
                lost = Some(founder.node);
            } else {
                let here = self.others.get(&founder.node);
                all_here &= here.is_some_and(|other| other.linked && other.recent(now).is_some());
            }
        }
        let Some(lost) = lost.filter(|_| all_here) else {
            self.beyond_hope_since = None;
            return;
        };
        let since = *self.beyond_hope_since.get_or_insert(now);
        if now.since(since) >= GRACE {
            self.given_up = true;
            acts.push(Act::GiveUp(format!(
                "the cluster that this node was to found cannot be formed: founder {lost} lost its data or founds another one. \
                 This node has taken a new id; start it again"
            )));
        }
    }

    /// Whether a founder can never complete the set: it belongs to another one, or another node is in its place.
    fn is_lost(&self, cluster: ClusterId, founder: &Founder) -> bool {
        let here = self.others.get(&founder.node);
        if let Some(other) = here {
            if other.cluster().is_some_and(|its| its != cluster) {
                return true;
            }
            if let Some((_, Forming { formation: Formation::Adopted { cluster: its, .. }, .. })) =
                &other.said
            {
                return *its != cluster;
            }
        }
        let linked = here.is_some_and(|other| other.linked);
        !linked
            && self.others.iter().any(|(node, other)| {
                *node != founder.node
                    && other.linked
                    && Some(&other.address) == founder.address.as_ref()
            })
    }
}

impl Other {
    fn cluster(&self) -> Option<ClusterId> {
        let said = self.said.as_ref().and_then(|(_, said)| said.formation.cluster());
        said.or(self.cluster)
    }

    fn recent(&self, now: Instant) -> Option<&Forming> {
        let (at, said) = self.said.as_ref()?;
        (now.since(*at) <= BELIEVED_FOR).then_some(said)
    }

    fn adopted(&self) -> Option<&[Founder]> {
        match &self.said.as_ref()?.1.formation {
            Formation::Adopted { founders, .. } => Some(founders),
            Formation::Fresh | Formation::Formed { .. } | Formation::Joining { .. } => None,
        }
    }

    fn has_adopted(&self, set: &[NodeId]) -> bool {
        let founders = match self.said.as_ref().map(|(_, said)| &said.formation) {
            Some(Formation::Adopted { founders, .. } | Formation::Formed { founders, .. }) => {
                founders
            }
            Some(Formation::Fresh | Formation::Joining { .. }) | None => return false,
        };
        founders.len() == set.len()
            && founders.iter().zip(set).all(|(founder, node)| founder.node == *node)
    }
}

/// A node never says less than it said before.
fn rank(formation: &Formation) -> u8 {
    match formation {
        Formation::Fresh => 0,
        Formation::Adopted { .. } => 1,
        Formation::Formed { .. } | Formation::Joining { .. } => 2,
    }
}
