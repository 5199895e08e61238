//! The nodes that this one has a link to: what they have still to be sent, and when to compare notes.
//!
//! What a peer has still to be sent is a set of keys, not a queue of states: a slow peer gets the newest state of each
//! record and never costs more than one key per record.

use crate::{
    Distro, Key, Message, OWNERS_PER_DIGEST, Output, RECORDS_PER_DELTA, Record,
    exchange::{Exchange, Former},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use base::{Duration, Instant, NodeId, Now};

/// How often two nodes compare what they know (design §3).
pub const DIGEST_PERIOD: Duration = Duration::from_secs(2);

/// How many deltas may be on their way to one peer. More than one, so that a link with latency stays busy; few, so
/// that a slow peer is sent newer states instead of more of them.
pub const DELTAS_IN_FLIGHT_MAX: usize = 4;

/// A delta that was not acknowledged for so long is lost; digests will tell what was in it.
pub const DELTA_TIMEOUT: Duration = Duration::from_secs(2);

/// How many records a peer may be behind before this node stops counting which, and leaves it to the digests.
pub const UNSENT_MAX: usize = 100_000;

/// A node with which this one has a link.
#[derive(Debug)]
pub(crate) struct Peer<K> {
    unsent: BTreeSet<K>,
    /// Deltas on their way, and when they left; oldest first.
    in_flight: VecDeque<(u64, Instant)>,
    last_number: u64,
    digest_at: Instant,
    /// By owner: finding out what differs.
    pub(crate) exchanges: BTreeMap<NodeId, Exchange<K>>,
    /// When its digest last agreed with ours.
    pub(crate) agreed_at: Option<Instant>,
    /// When its last digest agreed with ours about all but what this node owned in earlier lives; `None` if it did not.
    pub(crate) others_agreed_at: Option<Instant>,
    /// What it knows of earlier lives of this node.
    pub(crate) former: Former,
}

impl<K: Key> Peer<K> {
    fn new(now: Instant) -> Self {
        Self {
            unsent: BTreeSet::new(),
            in_flight: VecDeque::new(),
            last_number: 0,
            digest_at: now,
            exchanges: BTreeMap::new(),
            agreed_at: None,
            others_agreed_at: None,
            former: Former::Unknown,
        }
    }

    pub(crate) fn review_agreement(&mut self) {
        if self.former == Former::Known && self.others_agreed_at.is_some() {
            self.agreed_at = self.others_agreed_at;
        }
    }

    pub(crate) fn owe(&mut self, key: K) {
        if self.unsent.len() < UNSENT_MAX {
            self.unsent.insert(key);
        }
    }

    fn deadline(&self, stepped: Instant) -> Instant {
        let compare = self.exchanges.values().any(Exchange::is_comparing).then_some(stepped);
        // The digest waits for what is unsent: a peer that gets it then has all that it speaks of.
        let send = match self.in_flight.front() {
            Some((_, sent)) if !self.unsent.is_empty() => sent.after(DELTA_TIMEOUT),
            Some(_) | None => self.digest_at,
        };
        compare.map_or(send, |at| at.min(send))
    }
}

impl<K: Key, V: Clone> Distro<K, V> {
    /// When this peer's digest last agreed with what this node knows; `None` if it never did, or there is no link.
    #[must_use]
    pub fn agreed_at(&self, peer: NodeId) -> Option<Instant> {
        self.peers.get(&peer)?.agreed_at
    }

    /// How many records this peer has still to be sent, as far as this node knows.
    #[must_use]
    pub fn unsent_count(&self, peer: NodeId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.unsent.len())
    }

    pub(crate) fn peer_up(&mut self, now: Instant, peer: NodeId) {
        assert!(peer != self.node, "a node has no link to itself");
        self.peers.insert(peer, Peer::new(now));
    }

    pub(crate) fn peer_down(&mut self, peer: NodeId) {
        self.peers.remove(&peer);
    }

    /// Takes one message of a peer.
    pub(crate) fn received(&mut self, now: Now, from: NodeId, message: Message<K, V>) {
        if let Err(why) = message.check() {
            return self.outputs.push_back(Output::Malformed { from, why });
        }
        match message {
            Message::Delta { number, records } => {
                for record in records {
                    self.merge(now, from, record);
                }
                self.send(from, Message::DeltaTaken { number });
            }
            Message::DeltaTaken { number } => self.delta_taken(from, number),
            Message::Digest { summaries } => self.compare_digests(now.instant, from, &summaries),
            Message::Buckets { owner, sums } => self.answer_buckets(from, owner, &sums),
            Message::Versions { owner, buckets, after, until, versions } => {
                let piece = crate::exchange::Piece::new(buckets, after, until, versions);
                self.compare_versions(from, owner, piece);
            }
            Message::More { owner, buckets, after } => {
                self.list_versions(from, owner, buckets, Some(after));
            }
            Message::Wanted { keys } => {
                if let Some(peer) = self.peers.get_mut(&from) {
                    keys.into_iter().for_each(|key| peer.owe(key));
                }
            }
        }
    }

    /// Every peer has to learn of this record's new state.
    pub(crate) fn spread(&mut self, key: &K) {
        for peer in self.peers.values_mut() {
            peer.owe(key.clone());
        }
    }

    pub(crate) fn send(&mut self, to: NodeId, message: Message<K, V>) {
        // Without a link there is nobody to say it to; with a new one, digests are compared at once.
        if self.peers.contains_key(&to) {
            self.outputs.push_back(Output::Send { to, message });
        }
    }

    /// Sends what peers may be sent now. After every input: whatever it changed leaves in one message.
    pub(crate) fn flush(&mut self, now: Instant) {
        for (id, peer) in &mut self.peers {
            if peer.in_flight.front().is_some_and(|(_, sent)| sent.after(DELTA_TIMEOUT) <= now) {
                peer.in_flight.clear();
            }
            while !peer.unsent.is_empty() && peer.in_flight.len() < DELTAS_IN_FLIGHT_MAX {
                let mut records = Vec::new();
                while records.len() < RECORDS_PER_DELTA
                    && let Some(key) = peer.unsent.pop_first()
                {
                    let known = self.entries.get(&key);
                    let living = known.map(|entry| (entry.version, Some(entry.value.clone())));
                    let state = living.or_else(|| Some((self.tombstones.version(&key)?, None)));
                    records.extend(state.map(|(version, value)| Record { key, version, value }));
                }
                peer.last_number += 1;
                let number = peer.last_number;
                peer.in_flight.push_back((number, now));
                let message = Message::Delta { number, records };
                self.outputs.push_back(Output::Send { to: *id, message });
            }
            if peer.unsent.is_empty() && peer.digest_at <= now {
                peer.digest_at = now.after(DIGEST_PERIOD);
                let message = Message::Digest { summaries: self.digests.summaries() };
                self.outputs.push_back(Output::Send { to: *id, message });
            }
        }
    }

    /// Asks a peer for all it knows, owner by owner, as if this node knew nothing; its own records, too. The digest says to
    /// the peer at once what it may not have heard of.
    pub(crate) fn repair(&mut self, now: Instant, id: NodeId) {
        let known = self.digests.owners().chain(self.owners.keys().copied());
        let owners: BTreeSet<NodeId> = known.chain([id, self.node]).collect();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.digest_at = now;
        peer.agreed_at = None;
        for owner in owners.into_iter().take(OWNERS_PER_DIGEST) {
            self.ask_buckets(now, id, owner, Vec::new());
        }
    }

    pub(crate) fn peers_deadline(&self) -> Option<Instant> {
        self.peers.values().map(|peer| peer.deadline(self.stepped)).min()
    }

    fn delta_taken(&mut self, from: NodeId, number: u64) {
        if let Some(peer) = self.peers.get_mut(&from) {
            // The link keeps the order: what was sent before has been taken as well, or was lost.
            peer.in_flight.retain(|(sent, _)| *sent > number);
        }
    }
}
