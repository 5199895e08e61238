//! Finding out what differs between two nodes: the digest of each owner, then its buckets, then the versions in those
//! that differ, then the records.
//!
//! The node whose digest differs from a peer's asks, and keeps the state of the exchange; the one that answers keeps
//! none. So an answer that is lost costs a repetition and leaves nothing behind.
//!
//! Whom to ask about an owner: the owner, if there is a link to it. Its digest follows its deltas on that link, so it
//! differs only if something was lost. A third node is asked about owners without a link only: those beyond a cut, and
//! those that are gone. Otherwise every state that is still on its way would look like a difference.

use crate::{
    BucketSet, Distro, Key, Message, OWNERS_PER_DIGEST, RECORDS_PER_WAKE, Summary,
    VERSIONS_PER_MESSAGE, Version, key::Spot,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use base::{Duration, Instant, NodeId};
use core::ops::Bound;

/// An exchange that has not moved for so long has lost a message, and the next digest begins it anew.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// One exchange with one peer about one owner.
#[derive(Debug)]
pub(crate) struct Exchange<K> {
    moved: Instant,
    /// Whether an operator wants everything compared, also what the peer would find by itself.
    repairs: bool,
    /// Whether the peer was asked for something.
    wanted: bool,
    /// Whether the peer has to be told something.
    owed: bool,
    /// What the peer listed and this node has not looked through yet.
    piece: Option<Piece<K>>,
}

/// How far this node has learned from a peer, on the present link, what its own earlier lives owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    /// Not at all.
    Unknown,
    /// It was compared. What one of them did not know has been asked for, or told, and may be on its way.
    Compared,
    /// The peer had nothing more to say.
    Known,
}

/// The versions that a peer listed for a range of keys.
#[derive(Debug)]
pub(crate) struct Piece<K> {
    buckets: BucketSet,
    /// How far this node has looked through its own records; at first where the range begins.
    after: Option<K>,
    until: Option<K>,
    versions: BTreeMap<K, Version>,
}

impl<K: Ord> Piece<K> {
    pub(crate) fn new(
        buckets: BucketSet,
        after: Option<K>,
        until: Option<K>,
        versions: Vec<(K, Version)>,
    ) -> Self {
        Self { buckets, after, until, versions: versions.into_iter().collect() }
    }
}

impl<K> Exchange<K> {
    pub(crate) fn is_comparing(&self) -> bool {
        self.piece.is_some()
    }
}

impl<K: Key, V: Clone> Distro<K, V> {
    pub(crate) fn compare_digests(&mut self, now: Instant, from: NodeId, theirs: &[Summary]) {
        if !self.peers.contains_key(&from) {
            return;
        }
        let theirs: BTreeMap<NodeId, Summary> =
            theirs.iter().map(|summary| (summary.owner, *summary)).collect();
        let ours = self.digests.summaries();
        let owners: BTreeSet<NodeId> =
            theirs.keys().copied().chain(ours.iter().map(|summary| summary.owner)).collect();
        let mut agreed = true;
        for owner in owners.into_iter().take(OWNERS_PER_DIGEST) {
            // What has a link of its own, that link's digest tells.
            let elsewhere = owner != from && self.peers.contains_key(&owner);
            if owner == self.node || elsewhere {
                continue;
            }
            if theirs.get(&owner).copied() != self.digests.summary(owner) {
                agreed = false;
                self.begin_exchange(now, from, owner);
            }
        }
        self.compare_former(now, from, theirs.get(&self.node).copied());
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.others_agreed_at = agreed.then_some(now);
            peer.review_agreement();
        }
    }

    /// Compares what earlier lives of this node owned, unless that is done on this link.
    fn compare_former(&mut self, now: Instant, from: NodeId, theirs: Option<Summary>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.former == Former::Known {
            return;
        }
        let ours = self.digests.summary(self.node);
        // What this node lists under its own name and does not own is of earlier lives.
        let lists_former = ours.is_some_and(|ours| ours.count > self.owned_count as u64);
        if theirs == ours || (theirs.is_none() && !lists_former) {
            peer.former = Former::Known;
        } else {
            self.begin_exchange(now, from, self.node);
        }
    }

    fn begin_exchange(&mut self, now: Instant, from: NodeId, owner: NodeId) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let running = peer.exchanges.get(&owner);
        if running.is_some_and(|exchange| now < exchange.moved.after(EXCHANGE_TIMEOUT)) {
            return;
        }
        let sums = self.digests.buckets(owner);
        self.ask_buckets(now, from, owner, sums);
    }

    /// An exchange is over.
    fn compared(&mut self, from: NodeId, owner: NodeId) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(exchange) = peer.exchanges.remove(&owner) else { return };
        if owner == self.node {
            // What this node told may be known to be deleted there: it is heard by the second time.
            let finished = !exchange.wanted && (!exchange.owed || peer.former == Former::Compared);
            peer.former = if finished { Former::Known } else { Former::Compared };
            peer.review_agreement();
        }
    }

    /// Whether an exchange leaves this state to the peer, which finds by this node's digest that it misses it.
    fn is_left_to_peer(&self, from: NodeId, owner: NodeId, version: Version) -> bool {
        let exchange = self.peers.get(&from).and_then(|peer| peer.exchanges.get(&owner));
        let repairs = exchange.is_some_and(|exchange| exchange.repairs);
        owner == self.node && self.issued(version.incarnation) && !repairs
    }

    /// Begins an exchange, in place of one that is running. Without sums the peer lists all it knows.
    pub(crate) fn ask_buckets(
        &mut self,
        now: Instant,
        from: NodeId,
        owner: NodeId,
        sums: Vec<u64>,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        // Where nothing is known there is nothing to leave out, either.
        let repairs = sums.is_empty();
        let exchange = Exchange { moved: now, repairs, wanted: false, owed: false, piece: None };
        peer.exchanges.insert(owner, exchange);
        self.send(from, Message::Buckets { owner, sums });
    }

    pub(crate) fn answer_buckets(&mut self, from: NodeId, owner: NodeId, sums: &[u64]) {
        let buckets = self.digests.differing(owner, sums);
        self.list_versions(from, owner, buckets, None);
    }

    /// Lists what this node knows, from a key on, for as many keys as one input may look at.
    pub(crate) fn list_versions(
        &mut self,
        to: NodeId,
        owner: NodeId,
        buckets: BucketSet,
        after: Option<K>,
    ) {
        const { assert!(RECORDS_PER_WAKE <= VERSIONS_PER_MESSAGE) };
        let mut versions = Vec::new();
        let mut until = None;
        let mut last: Option<&K> = None;
        for (count, (key, entry)) in self.after(after.as_ref()).enumerate() {
            if count == RECORDS_PER_WAKE || buckets.is_empty() {
                until = last.cloned();
                break;
            }
            last = Some(key);
            if self.is_in(owner, buckets, key, entry) {
                versions.push((key.clone(), entry.version));
            }
        }
        self.send(to, Message::Versions { owner, buckets, after, until, versions });
    }

    fn is_in(&self, owner: NodeId, buckets: BucketSet, key: &K, entry: &crate::Entry<V>) -> bool {
        entry.version.incarnation.node == owner
            && entry.listed()
            && buckets.contains(Spot::of(key).bucket())
    }

    /// Compares what a peer listed with what this node knows, and asks for what the peer knows better.
    pub(crate) fn compare_versions(&mut self, from: NodeId, owner: NodeId, piece: Piece<K>) {
        let wanted: Vec<K> = piece
            .versions
            .iter()
            .filter(|(key, theirs)| self.known(key) < Some(**theirs))
            .map(|(key, _)| key.clone())
            .collect();
        let owed: Vec<K> = piece
            .versions
            .iter()
            .filter(|(key, theirs)| {
                self.known(key).is_some_and(|known| {
                    known > **theirs && !self.is_left_to_peer(from, owner, known)
                })
            })
            .map(|(key, _)| key.clone())
            .collect();
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(exchange) = peer.exchanges.get_mut(&owner) else { return };
        // What was not asked for, or was repeated: the first one is being worked on.
        if exchange.is_comparing() {
            return;
        }
        exchange.moved = self.stepped;
        exchange.wanted |= !wanted.is_empty();
        exchange.owed |= !owed.is_empty();
        exchange.piece = Some(piece);
        owed.into_iter().for_each(|key| peer.owe(key));
        if !wanted.is_empty() {
            self.send(from, Message::Wanted { keys: wanted });
        }
    }

    /// Goes on with all comparisons, each for one piece.
    pub(crate) fn go_on_comparing(&mut self) {
        let comparing: Vec<(NodeId, NodeId)> = self
            .peers
            .iter()
            .flat_map(|(peer, state)| {
                let open = state.exchanges.iter().filter(|(_, exchange)| exchange.is_comparing());
                open.map(|(owner, _)| (*peer, *owner))
            })
            .collect();
        for (peer, owner) in comparing {
            self.compare_own(peer, owner);
        }
    }

    /// What this node knows in the range, and the peer did not list, the peer has to be told.
    fn compare_own(&mut self, from: NodeId, owner: NodeId) {
        let Some(mut piece) =
            self.peers.get_mut(&from).and_then(|peer| peer.exchanges.get_mut(&owner)?.piece.take())
        else {
            return;
        };
        let mut unlisted = Vec::new();
        let mut last = None;
        let mut finished = true;
        let begin = piece.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let end = piece.until.as_ref().map_or(Bound::Unbounded, Bound::Included);
        for (count, (key, entry)) in self.entries.range((begin, end)).enumerate() {
            if piece.buckets.is_empty() {
                break;
            }
            if count == RECORDS_PER_WAKE {
                finished = false;
                break;
            }
            last = Some(key.clone());
            if self.is_in(owner, piece.buckets, key, entry)
                && !piece.versions.contains_key(key)
                && !self.is_left_to_peer(from, owner, entry.version)
            {
                unlisted.push(key.clone());
            }
        }
        let stepped = self.stepped;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let owed = !unlisted.is_empty();
        unlisted.into_iter().for_each(|key| peer.owe(key));
        let Some(exchange) = peer.exchanges.get_mut(&owner) else { return };
        exchange.moved = stepped;
        exchange.owed |= owed;
        if !finished {
            piece.after = last;
            exchange.piece = Some(piece);
        } else if let Some(after) = piece.until {
            self.send(from, Message::More { owner, buckets: piece.buckets, after });
        } else {
            self.compared(from, owner);
        }
    }
}
