//! Distro: every node stores every record, one node owns each, and all agree once they have talked.
//!
//! # The problem
//!
//! A registry must take writes on every side of a partition: an instance that starts while the cluster is cut must be
//! found at least by its own side. So there is no majority to ask. What remains is to make the states of a record
//! comparable, so that nodes that were apart end with the same one whatever they heard, in whatever order, however
//! often.
//!
//! # Roles
//!
//! A *record* belongs to a client, the thing outside that can be heard. Its *owner* is the node that the client talks
//! to; only the owner originates states of it. All other nodes store what the owner said. There is no leader, no
//! election and no list of owners: who owns a record is read off its version.
//!
//! # Versions
//!
//! ```text
//! version     = (incarnation, seq)          seq grows with each state the owner originates
//! incarnation = (hybrid time, node)         issued when a node begins to own the record
//! ```
//!
//! A node takes a record over by issuing an incarnation. The hybrid clock follows every incarnation that the node is told
//! of, so the new one is greater, and the former owner's ownership ends as soon as it hears of it. (What is too far ahead to be
//! followed, of a node whose wall clock is wrong by more than a day, is taken in all the same: then the new one is one tick above
//! it, for this record alone.) No permission is asked: that is what "writable on both sides" costs, and the greater incarnation
//! is what heals it. An owner that stops in good order says who is to own a record next (above, where that is known), and that
//! one takes it over (`TakeOver`) without the record being anybody's orphan.
//!
//! # Messages
//!
//! Between nodes that have a link to each other; the link keeps their order, or breaks.
//!
//! * `Delta` (owner → all peers at once, and whoever knows better → who asked): states, each complete in itself. A
//!   `value` of `None` is a deletion, a state like any other. Lost: digests bring it again. Repeated, late, out of
//!   order: the version tells, and it changes nothing. An older state than the receiver's is answered with the newer one.
//! * `DeltaTaken`: the next may come. Lost: the sender goes on after `DELTA_TIMEOUT`. What a peer has still to be sent is a
//!   set of keys, so one that is slow gets the newest states and costs no queue.
//! * `Digest` (all → all peers, every `DIGEST_PERIOD`): per owner one sum over all states, so that agreement costs
//!   24 bytes an owner. Lost: the next one tells the same.
//! * `Buckets`, `Versions`, `More`, `Wanted`: how the node whose digest differs finds out in what, from the peer that
//!   said it. Lost: begun anew after `EXCHANGE_TIMEOUT`. The side that answers keeps no state.
//! * The *hint* (a node → itself after a restart): the states it listed. Lost: clients register again, and until they
//!   have, services look smaller than they are.
//!
//! A new node is sent nothing special: everything differs, so it asks for everything, in pieces, from all peers at
//! once, and knows that it has caught up when digests agree. Two nodes that cannot reach each other agree through a third
//! that reaches both, because digests speak of all owners.
//!
//! A node that comes back is a new node as to what its former lives owned: it does not answer for those records, and knows
//! of them what its hint said. Its peers find in its first digest what it lacks, and send it. But that is not enough to
//! call itself caught up, so on each new link it compares the records under its own name, too, until the peer has nothing to
//! add. Only about former lives: what it issued in this one is on its way to the peers all the time, differs from what they
//! say in every round, and is theirs to ask for.
//!
//! # Invariants
//!
//! ```text
//! merge:      state' = max(state, record) by version; commutative, associative, idempotent
//! absence:    no record is ever deleted because somebody else does not have it
//! ownership:  this node owns r  ⇔  r is living ∧ version(r).incarnation.node = self, and it was issued in this life
//! origin:     a remote state of an incarnation that this node issued in this life is refused, and answered with a greater
//! connected:  so is any remote state of a record that this node owns while no other one can hear its client
//! digest(n) = Σ item(key, version) over what n lists; digests equal on all nodes  ⇔  they list the same states
//! one place:  a key is either an entry or a tombstone, never both
//! caught up:  agreed with n  ⇒  every record of a former life of this node that n listed at the link's begin is known here
//! orphans:    standing = Orphan → Hidden at heard + ORPHAN_LISTED_TIME → dropped at heard + ORPHAN_KEEP_TIME
//! ```
//!
//! # Orphans
//!
//! The owner of a record may die without a word, and so may this node itself. Then the client probably lives, and is
//! about to talk to another node. So its record stays listed for `ORPHAN_LISTED_TIME` after anyone last heard the owner
//! or the client; after that it is hidden. A hidden record is kept for `ORPHAN_KEEP_TIME`: its version still refuses
//! older states. When the client is heard, the node that hears it writes the record and owns it (*adoption*). A client
//! that comes back under another name writes another record; whoever knows that both mean the same thing deletes the
//! orphan, with an incarnation of its own, so that it is gone for good and everywhere. It may be mistaken: what the client said
//! under its former name may be on its way for longer than it took the client to leave, and its new owner be cut off just
//! then. So an owner that is the only one to hear a client (`Key::heard_only_by`) lets nobody end its record.
//!
//! # What is left out
//!
//! Who is alive is told from outside (`OwnerAlive`, `OwnerGone`), and so is what a link is. Forwarding a client's request
//! to the node that is `responsible` for it happens above, where requests are known; what is done for another node is done
//! as of the time at which that node asked (`WriteAsked`), so that a request that comes late cannot undo what the client did
//! after it. Wall clocks are not trusted for
//! anything but being roughly right: one that is ahead drags the hybrid clocks of all others along, up to a day, which is harmless.
//! Compared with Nacos: its client revision is a hash that tells "different" but not "newer", so a late message
//! overwrites a newer one and a late change resurrects what was deleted. Here the version decides. Its nodes verify each
//! client with each peer every 5 s; here one sum stands for all clients of an owner.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod asked;
mod digest;
mod exchange;
mod key;
mod merge;
mod message;
mod orphan;
mod owner;
mod peer;
mod record;
mod responsible;
mod surface;
#[cfg(test)]
mod tests;
mod tombstone;
mod version;

pub use digest::{BUCKETS_COUNT, BucketSet, Summary};
pub use exchange::EXCHANGE_TIMEOUT;
pub use key::Key;
pub use merge::HYBRID_TIME_MAX;
pub use message::{Malformed, Message, OWNERS_PER_DIGEST, RECORDS_PER_DELTA, VERSIONS_PER_MESSAGE};
pub use orphan::{ORPHAN_KEEP_TIME, ORPHAN_LISTED_TIME};
pub use peer::{DELTA_TIMEOUT, DELTAS_IN_FLIGHT_MAX, DIGEST_PERIOD, UNSENT_MAX};
pub use record::{Entry, Record, Standing};
pub use responsible::responsible;
pub use surface::{Change, Input, Output};
pub use tombstone::{TOMBSTONE_KEEP_TIME, TOMBSTONES_MAX};
pub use version::{Incarnation, Version};

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use base::{HybridClock, HybridTime, Instant, NodeId, Now};
use core::ops::Bound;
use digest::Digests;
use key::Spot;
use orphan::Sweep;
use owner::Owner;
use peer::Peer;
use tombstone::Tombstones;

/// How many records one `Wake` handles at most before the machine asks for another.
pub const RECORDS_PER_WAKE: usize = 1000;

/// One node's copy of all records.
#[derive(Debug)]
pub struct Distro<K, V> {
    node: NodeId,
    clock: HybridClock,
    /// Incarnations of this node that are not later were issued in an earlier life: nobody answers for them now.
    boot: HybridTime,
    entries: BTreeMap<K, Entry<V>>,
    tombstones: Tombstones<K>,
    /// When to look at an orphan next. An entry may be out of date: what counts is `Entry::heard`.
    orphans: BTreeSet<(Instant, K)>,
    owners: BTreeMap<NodeId, Owner>,
    sweeps: VecDeque<Sweep<K>>,
    owned_count: usize,
    digests: Digests,
    peers: BTreeMap<NodeId, Peer<K>>,
    stepped: Instant,
    outputs: VecDeque<Output<K, V>>,
}

impl<K: Key, V: Clone> Distro<K, V> {
    /// An empty copy. `clock` must be above all that an earlier life of the node may have given out.
    #[must_use]
    pub fn new(now: Now, node: NodeId, mut clock: HybridClock) -> Self {
        let boot = clock.tick(now);
        Self {
            node,
            clock,
            boot,
            entries: BTreeMap::new(),
            tombstones: Tombstones::new(),
            orphans: BTreeSet::new(),
            owners: BTreeMap::new(),
            sweeps: VecDeque::new(),
            owned_count: 0,
            digests: Digests::default(),
            peers: BTreeMap::new(),
            stepped: now.instant,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input<K, V>) {
        self.stepped = now.instant;
        match input {
            Input::Write { key, value } => {
                let version = self.next_version(now, &key);
                self.write(now, key, version, value);
            }
            Input::Claim { key, value } => {
                let version = self.issue(now, self.known(&key));
                self.write(now, key, version, value);
            }
            Input::Amend { key, value } => self.amend(key, value),
            Input::Delete { key } => self.delete(now, key),
            Input::TakeOver { key, heard } => self.take_over(now, key, heard),
            Input::Spread { key } => self.spread(&key),
            Input::WriteAsked { key, value, at } => self.write_asked(now, key, value, at),
            Input::DeleteAsked { key, at } => self.delete_asked(now, key, at),
            Input::Learned { from, record } => self.merge(now, from, record),
            Input::Repair { peer } => self.repair(now.instant, peer),
            Input::Heard { key } => self.heard(now, key),
            Input::Received { from, message } => self.received(now, from, message),
            Input::PeerUp { peer } => self.peer_up(now.instant, peer),
            Input::PeerDown { peer } => self.peer_down(peer),
            Input::Restore(record) => self.restore(now, record),
            Input::OwnerGone { owner, heard } => self.owner_gone(owner, heard),
            Input::OwnerAlive { owner, life } => self.owner_alive(now.instant, owner, life),
            Input::Wake => self.wake(now),
        }
        self.flush(now.instant);
    }

    /// The next thing to be told, in the order in which it happened.
    pub fn poll(&mut self) -> Option<Output<K, V>> {
        self.outputs.pop_front()
    }

    /// When to step `Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let sweep = (!self.sweeps.is_empty()).then_some(self.stepped);
        let orphan = self.orphans.first().map(|(at, _)| *at);
        let peers = self.peers_deadline();
        [sweep, orphan, self.tombstones.deadline(), peers].into_iter().flatten().min()
    }

    /// The record, unless it is unknown or deleted.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Entry<V>> {
        self.entries.get(key)
    }

    /// The newest state that this node knows of the record, also that it was deleted.
    #[must_use]
    pub fn state(&self, key: &K) -> Option<Record<K, V>> {
        let living = self.entries.get(key).map(|entry| (entry.version, Some(entry.value.clone())));
        let (version, value) = living.or_else(|| Some((self.tombstones.version(key)?, None)))?;
        Some(Record { key: key.clone(), version, value })
    }

    /// All records that are not deleted, from this key on, in order.
    pub fn from<'a>(
        &'a self,
        key: &K,
    ) -> impl Iterator<Item = (&'a K, &'a Entry<V>)> + use<'a, K, V> {
        self.entries.range((Bound::Included(key), Bound::Unbounded))
    }

    /// All records that are not deleted, after this key or from the beginning, in order.
    pub fn after<'a>(
        &'a self,
        key: Option<&K>,
    ) -> impl Iterator<Item = (&'a K, &'a Entry<V>)> + use<'a, K, V> {
        self.entries.range((key.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
    }

    /// Whether this node owns the record in this state.
    #[must_use]
    pub fn owns(&self, entry: &Entry<V>) -> bool {
        entry.standing == Standing::Living && self.issued(entry.version.incarnation)
    }

    /// How many records this node owns.
    #[must_use]
    pub fn owned_count(&self) -> usize {
        self.owned_count
    }

    /// How many records there are, hidden ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many deletions are remembered.
    #[must_use]
    pub fn tombstones_count(&self) -> usize {
        self.tombstones.len()
    }

    /// Whether this node was ever told of another one that owns records.
    #[must_use]
    pub fn knows_others(&self) -> bool {
        !self.owners.is_empty()
    }

    /// The hybrid clock that issues incarnations, for what else must be ordered with them.
    pub fn clock(&mut self) -> &mut HybridClock {
        &mut self.clock
    }

    /// Begins to own a record of which this version is known. Only one that the clock did not follow can be later than the clock.
    fn issue(&mut self, now: Now, known: Option<Version>) -> Version {
        let above = known.map_or(0, |version| version.incarnation.at.0.saturating_add(1));
        let at = self.clock.tick(now).max(HybridTime(above));
        Version { incarnation: Incarnation { at, node: self.node }, seq: 1 }
    }

    fn next_version(&mut self, now: Now, key: &K) -> Version {
        match self.entries.get(key) {
            Some(entry) if self.owns(entry) => entry.version.next(),
            Some(_) | None => self.issue(now, self.known(key)),
        }
    }

    fn take_over(&mut self, now: Now, key: K, heard: Instant) {
        let Some(value) = self.entries.get(&key).map(|entry| entry.value.clone()) else { return };
        let version = self.issue(now, self.known(&key));
        let entry =
            Entry { version, value, heard: heard.min(now.instant), standing: Standing::Living };
        self.put(key.clone(), entry);
        self.spread(&key);
        self.tell(key, Change::Written);
    }

    fn write(&mut self, now: Now, key: K, version: Version, value: V) {
        assert!(self.known(&key) < Some(version), "a version is issued above what is known");
        let entry = Entry { version, value, heard: now.instant, standing: Standing::Living };
        self.put(key.clone(), entry);
        self.spread(&key);
        self.tell(key, Change::Written);
    }

    fn amend(&mut self, key: K, value: V) {
        let Some(entry) = self.entries.get(&key) else { return };
        if self.owns(entry) {
            let (version, heard) = (entry.version.next(), entry.heard);
            self.put(key.clone(), Entry { version, value, heard, standing: Standing::Living });
            self.spread(&key);
            self.tell(key, Change::Written);
        }
    }

    fn delete(&mut self, now: Now, key: K) {
        if !self.entries.contains_key(&key) {
            return;
        }
        let version = self.next_version(now, &key);
        self.bury(now, key.clone(), version);
        self.spread(&key);
    }

    fn heard(&mut self, now: Now, key: K) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.heard = now.instant;
        if entry.standing == Standing::Hidden {
            self.stand(&key, Standing::Orphan);
            self.watch_orphan(now.instant, key.clone());
            self.tell(key, Change::Orphaned);
        }
    }

    fn wake(&mut self, now: Now) {
        self.sweep(now.instant);
        self.go_on_comparing();
        self.age_orphans(now.instant);
        self.tombstones.collect(now.instant, RECORDS_PER_WAKE);
    }

    fn put(&mut self, key: K, entry: Entry<V>) {
        self.tombstones.supersede(&key);
        self.owned_count += usize::from(self.owns(&entry));
        let spot = Spot::of(&key);
        if entry.listed() {
            self.digests.add(spot, entry.version);
        }
        if let Some(former) = self.entries.insert(key, entry) {
            self.forget(spot, &former);
        }
    }

    fn bury(&mut self, now: Now, key: K, version: Version) {
        self.tombstones.bury(now.instant, key.clone(), version);
        if let Some(former) = self.entries.remove(&key) {
            self.forget(Spot::of(&key), &former);
            self.tell(key, Change::Deleted);
        }
    }

    fn forget(&mut self, spot: Spot, former: &Entry<V>) {
        self.owned_count -= usize::from(self.owns(former));
        if former.listed() {
            self.digests.remove(spot, former.version);
        }
    }

    fn tell(&mut self, key: K, change: Change) {
        self.outputs.push_back(Output::Changed { key, change });
    }
}
