//! Pushes to clients of 1.x: one `UdpSession` per node.
//!
//! Such a client polls its lists over HTTP every 10 s and says with each poll at which UDP port it listens. Each (ip, port)
//! is one subscriber with a connection of its own towards the registry. Datagrams get lost; the poll is the guarantee, the
//! push only makes it quick:
//!
//! * A push that is not confirmed within 10 s is sent once more. A newer view takes its place after 1 s.
//! * A subscription that no poll renews for 30 s ends, and with the last one the subscriber's connection.
//! * A confirmation counts only from the address that was pushed to and with the stamp that was sent there.
//! * At a limit (`SUBSCRIBERS_MAX`, `SUBSCRIPTIONS_PER_SUBSCRIBER_MAX`, `DATAGRAM_BYTES_MAX`) nothing is pushed, and the
//!   client finds changes at its next poll.
//!
//! Invariants: `timers` = { (s.due, s) }; `in_flight` = { (address, stamp) → s | s.sent has that stamp };
//! ∀ subscriber: it has a slot; ∀ slot: datagrams in flight ≤ 1 ∧ views held ≤ 2.

mod datagram;
mod receiver;

pub use datagram::DATAGRAM_BYTES_MAX;
pub(crate) use receiver::Receiver;

use crate::{Answer, Views};
use base::{ConnectionId, Duration, Instant, Now, RequestId};
use bytes::Bytes;
use naming::{ClusterNames, Reply, Request, ServiceKey, ServiceView};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

/// Addresses that are pushed to by one node.
pub const SUBSCRIBERS_MAX: usize = 10_000;
/// Lists that one address is pushed.
pub const SUBSCRIPTIONS_PER_SUBSCRIBER_MAX: usize = 1_000;
/// How long a subscription lives without a poll; clients poll every 10 s.
const RENEWED_WITHIN: Duration = Duration::from_secs(30);
/// How long a push may stay unconfirmed before it is sent again.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may stand in the way of a newer view.
const SUPERSEDED_AFTER: Duration = Duration::from_secs(1);
/// How often the same view is sent.
const SENDS_MAX: u32 = 2;

/// A client of 1.x read a list and wants its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpSubscription {
    /// Where it listens: the other end of its TCP connection, with the port it named.
    pub address: SocketAddr,
    /// Its user agent.
    pub agent: Arc<str>,
    /// Its application, if it names one.
    pub application: Arc<str>,
    /// What it read.
    pub service: ServiceKey,
    /// Of these cluster names only; empty means all.
    pub clusters: ClusterNames,
    /// Version of the list it got; 0 if there is no such service.
    pub shown: u64,
}

/// What comes in.
#[derive(Debug)]
pub enum UdpInput {
    /// Somebody subscribes, or polls again.
    Subscribe {
        /// A new connection's id, for the case that the subscriber is new.
        connection: ConnectionId,
        /// Who and what.
        subscription: UdpSubscription,
    },
    /// The answer to `UdpOutput::Ask`.
    Answer {
        /// Whose question it was.
        connection: ConnectionId,
        /// Which.
        id: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// A new view of a service that this connection subscribes to.
    Push {
        /// Whose.
        connection: ConnectionId,
        /// The view.
        view: Arc<ServiceView>,
    },
    /// A datagram arrived.
    Datagram {
        /// From there, if that is true.
        from: SocketAddr,
        /// Its payload.
        bytes: Bytes,
    },
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order.
#[derive(Debug)]
pub enum UdpOutput {
    /// A subscriber's connection begins.
    Open(ConnectionId),
    /// Ask the registry; exactly one `UdpInput::Answer` follows.
    Ask {
        /// Who asks.
        connection: ConnectionId,
        /// Unique within the connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A subscriber confirmed a push.
    Acknowledged {
        /// Whose.
        connection: ConnectionId,
        /// Which subscription.
        service: ServiceKey,
        /// Its version.
        version: u64,
    },
    /// A subscriber's connection ended; the reason is for the journal.
    Close {
        /// Whose.
        connection: ConnectionId,
        /// Why.
        reason: &'static str,
    },
    /// Send this.
    Datagram {
        /// Where to.
        to: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
}

/// All UDP subscribers of a node.
#[derive(Debug)]
pub struct UdpSession {
    subscribers_max: usize,
    refused_count: u64,
    subscribers: BTreeMap<SocketAddr, Subscriber>,
    addresses: BTreeMap<ConnectionId, SocketAddr>,
    slots: BTreeMap<SlotKey, Slot>,
    timers: BTreeSet<(Instant, SlotKey)>,
    in_flight: BTreeMap<(SocketAddr, u64), SlotKey>,
    asked: BTreeMap<(ConnectionId, RequestId), ServiceKey>,
    newest_ask: RequestId,
    newest_stamp_ms: u64,
    /// The newest push as it was written out: subscribers of a service come one after the other.
    written: Option<Written>,
    outputs: VecDeque<UdpOutput>,
}

/// A list of an address: clients hold one for each set of clusters.
type SlotKey = (SocketAddr, ServiceKey, ClusterNames);

#[derive(Debug)]
struct Subscriber {
    connection: ConnectionId,
    slots: usize,
}

#[derive(Debug)]
struct Slot {
    renewed: Instant,
    /// The newest version that the subscriber read or confirmed.
    shown: u64,
    /// The newest view, until it is sent, with how often it was.
    unsent: Option<(Arc<ServiceView>, u32)>,
    sent: Option<Sent>,
    /// When it is looked at again.
    due: Instant,
}

#[derive(Debug)]
struct Sent {
    stamp: u64,
    view: Arc<ServiceView>,
    sends: u32,
    at: Instant,
}

#[derive(Debug)]
struct Written {
    view: Arc<ServiceView>,
    clusters: ClusterNames,
    stamp: u64,
    bytes: Option<Bytes>,
}

impl Default for UdpSession {
    fn default() -> Self {
        Self::new(SUBSCRIBERS_MAX)
    }
}

impl UdpSession {
    /// A session that pushes to this many clients at most.
    #[must_use]
    pub fn new(subscribers_max: usize) -> Self {
        Self {
            subscribers_max,
            refused_count: 0,
            subscribers: BTreeMap::new(),
            addresses: BTreeMap::new(),
            slots: BTreeMap::new(),
            timers: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            asked: BTreeMap::new(),
            newest_ask: RequestId(0),
            newest_stamp_ms: 0,
            written: None,
            outputs: VecDeque::new(),
        }
    }

    /// Subscriptions that were not taken at a limit, since it was made. Their clients poll.
    #[must_use]
    pub fn refused_count(&self) -> u64 {
        self.refused_count
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, views: &impl Views, input: UdpInput) {
        match input {
            UdpInput::Subscribe { connection, subscription } => {
                self.subscribe(now, views, connection, subscription);
            }
            UdpInput::Answer { connection, id, answer } => self.answer(connection, id, &answer),
            UdpInput::Push { connection, view } => self.push(now, views, connection, &view),
            UdpInput::Datagram { from, bytes } => self.datagram(now, views, from, &bytes),
            UdpInput::Wake => {}
        }
        while let Some((_, key)) = self.timers.first().filter(|(due, _)| *due <= now.instant) {
            let key = key.clone();
            self.tend(now, views, &key);
        }
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<UdpOutput> {
        self.outputs.pop_front()
    }

    /// When to step `UdpInput::Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    fn subscribe(
        &mut self,
        now: Now,
        views: &impl Views,
        connection: ConnectionId,
        subscription: UdpSubscription,
    ) {
        let UdpSubscription { address, agent, application, service, clusters, shown } =
            subscription;
        let key = (address, service, clusters);
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.renewed = now.instant;
            self.show(&key, shown);
            return self.tend(now, views, &key);
        }
        let new = !self.subscribers.contains_key(&address);
        if new {
            if self.subscribers.len() >= self.subscribers_max {
                self.refused_count += 1;
                return;
            }
            self.subscribers.insert(address, Subscriber { connection, slots: 0 });
            self.addresses.insert(connection, address);
            self.outputs.push_back(UdpOutput::Open(connection));
        }
        let subscribed = self.slots_of(address, &key.1).next().is_some();
        let subscriber = self.subscribers.get_mut(&address).expect("made above if it was new");
        if subscriber.slots >= SUBSCRIPTIONS_PER_SUBSCRIBER_MAX {
            self.refused_count += 1;
            return;
        }
        subscriber.slots += 1;
        let connection = subscriber.connection;
        let due = now.instant.after(RENEWED_WITHIN);
        let slot = Slot { renewed: now.instant, shown, unsent: None, sent: None, due };
        self.timers.insert((due, key.clone()));
        let service = key.1.clone();
        self.slots.insert(key, slot);
        if !subscribed {
            // All clusters: what a slot wants of a view is chosen when it is written out.
            let subscriber =
                naming::Subscriber { address: address.to_string().into(), agent, application };
            let clusters = ClusterNames::from([]);
            let request = Request::Subscribe { service: service.clone(), clusters, subscriber };
            let id = self.ask(connection, request);
            self.asked.insert((connection, id), service);
        }
    }

    fn ask(&mut self, connection: ConnectionId, request: Request) -> RequestId {
        self.newest_ask = self.newest_ask.next();
        let id = self.newest_ask;
        self.outputs.push_back(UdpOutput::Ask { connection, id, request });
        id
    }

    /// A subscription that was refused is none: the client's next poll makes it again.
    fn answer(&mut self, connection: ConnectionId, id: RequestId, answer: &Answer) {
        let Some(service) = self.asked.remove(&(connection, id)) else { return };
        if *answer == Answer::Naming(Reply::Done) {
            return;
        }
        let Some(address) = self.addresses.get(&connection).copied() else { return };
        let keys: Vec<SlotKey> = self.slots_of(address, &service).cloned().collect();
        for key in keys {
            self.remove(&key, "the registry refused its subscription");
        }
    }

    fn push(
        &mut self,
        now: Now,
        views: &impl Views,
        connection: ConnectionId,
        view: &Arc<ServiceView>,
    ) {
        let Some(address) = self.addresses.get(&connection).copied() else { return };
        let keys: Vec<SlotKey> = self.slots_of(address, &view.key).cloned().collect();
        for key in keys {
            let slot = self.slots.get_mut(&key).expect("listed above");
            let sent = slot.sent.as_ref().map_or(0, |sent| sent.view.version);
            if view.version > slot.shown.max(sent) {
                slot.unsent = Some((view.clone(), 0));
                self.tend(now, views, &key);
            }
        }
    }

    fn datagram(&mut self, now: Now, views: &impl Views, from: SocketAddr, bytes: &[u8]) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let Some(stamp) = datagram::confirmed(bytes) else { return };
        let Some(key) = self.in_flight.get(&(from, stamp)).cloned() else { return };
        let slot = self.slots.get_mut(&key).expect("what is in flight has a slot");
        let version = slot.sent.as_ref().expect("in_flight says so").view.version;
        self.show(&key, version);
        let connection = self.subscribers.get(&from).expect("it has a slot").connection;
        let service = key.1.clone();
        self.outputs.push_back(UdpOutput::Acknowledged { connection, service, version });
        self.tend(now, views, &key);
    }

    /// The subscriber has this version: what is not newer need not be sent (again).
    fn show(&mut self, key: &SlotKey, version: u64) {
        let slot = self.slots.get_mut(key).expect("looked up by the caller");
        slot.shown = slot.shown.max(version);
        let shown = slot.shown;
        slot.unsent.take_if(|(view, _)| view.version <= shown);
        if let Some(sent) = slot.sent.take_if(|sent| sent.view.version <= shown) {
            self.in_flight.remove(&(key.0, sent.stamp));
        }
    }

    /// Does what is due for a slot, and plans when to look again.
    fn tend(&mut self, now: Now, views: &impl Views, key: &SlotKey) {
        let slot = self.slots.get_mut(key).expect("looked up by the caller");
        let ends = slot.renewed.after(RENEWED_WITHIN);
        if ends <= now.instant {
            return self.remove(key, "it polls no more");
        }
        if let Some(sent) = slot.sent.take_if(|sent| {
            sent.at.after(ACK_TIMEOUT) <= now.instant
                || (slot.unsent.is_some() && sent.at.after(SUPERSEDED_AFTER) <= now.instant)
        }) {
            self.in_flight.remove(&(key.0, sent.stamp));
            if slot.unsent.is_none() && sent.sends < SENDS_MAX {
                slot.unsent = Some((sent.view, sent.sends));
            }
        }
        if slot.sent.is_none()
            && let Some((view, sends)) = slot.unsent.take()
        {
            self.send(now, views, key, view, sends + 1);
        }
        let slot = self.slots.get_mut(key).expect("sending removes no slot");
        let patience = if slot.unsent.is_some() { SUPERSEDED_AFTER } else { ACK_TIMEOUT };
        let due = slot.sent.as_ref().map_or(ends, |sent| ends.min(sent.at.after(patience)));
        let before = std::mem::replace(&mut slot.due, due);
        self.timers.remove(&(before, key.clone()));
        self.timers.insert((due, key.clone()));
    }

    fn send(
        &mut self,
        now: Now,
        views: &impl Views,
        key: &SlotKey,
        view: Arc<ServiceView>,
        sends: u32,
    ) {
        let same = self.written.take().filter(|written| {
            written.clusters == key.2
                && written.view.key == view.key
                && written.view.version == view.version
        });
        let written = same.unwrap_or_else(|| {
            // Whole milliseconds, as nanoseconds: a client in JavaScript gives back no other number unchanged.
            self.newest_stamp_ms = now.unix_ms.max(self.newest_stamp_ms + 1);
            let stamp = self.newest_stamp_ms.saturating_mul(1_000_000);
            let bytes = datagram::push(views, &view, &key.2, stamp);
            Written { view: view.clone(), clusters: key.2.clone(), stamp, bytes }
        });
        if let Some(bytes) = written.bytes.clone() {
            let (to, stamp) = (key.0, written.stamp);
            self.outputs.push_back(UdpOutput::Datagram { to, bytes });
            self.in_flight.insert((to, stamp), key.clone());
            let slot = self.slots.get_mut(key).expect("looked up by the caller");
            slot.sent = Some(Sent { stamp, view, sends, at: now.instant });
        }
        self.written = Some(written);
    }

    fn remove(&mut self, key: &SlotKey, reason: &'static str) {
        let (address, service, _) = key;
        let slot = self.slots.remove(key).expect("looked up by the caller");
        self.timers.remove(&(slot.due, key.clone()));
        if let Some(sent) = slot.sent {
            self.in_flight.remove(&(*address, sent.stamp));
        }
        let subscriber = self.subscribers.get_mut(address).expect("it has a slot");
        subscriber.slots -= 1;
        let connection = subscriber.connection;
        if subscriber.slots == 0 {
            self.subscribers.remove(address);
            self.addresses.remove(&connection);
            self.outputs.push_back(UdpOutput::Close { connection, reason });
        } else if self.slots_of(*address, service).next().is_none() {
            self.ask(connection, Request::Unsubscribe { service: service.clone() });
        }
    }

    fn slots_of(
        &self,
        address: SocketAddr,
        service: &ServiceKey,
    ) -> impl Iterator<Item = &SlotKey> {
        let first = (address, service.clone(), ClusterNames::from([]));
        let service = service.clone();
        self.slots
            .range(first..)
            .map(|(key, _)| key)
            .take_while(move |key| key.0 == address && key.1 == service)
    }

    /// Panics when the invariants do not hold.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        let timers = self.slots.iter().map(|(key, slot)| (slot.due, key.clone())).collect();
        assert_eq!(self.timers, timers);
        let flying = |(key, slot): (&SlotKey, &Slot)| {
            Some(((key.0, slot.sent.as_ref()?.stamp), key.clone()))
        };
        let in_flight = self.slots.iter().filter_map(flying).collect();
        assert_eq!(self.in_flight, in_flight);
        for (address, subscriber) in &self.subscribers {
            assert_eq!(self.addresses.get(&subscriber.connection), Some(address));
            let slots = self.slots.keys().filter(|key| key.0 == *address).count();
            assert!(slots > 0 && slots == subscriber.slots, "{address}: {slots} slots");
        }
        assert_eq!(self.addresses.len(), self.subscribers.len());
        assert!(self.slots.keys().all(|key| self.subscribers.contains_key(&key.0)));
    }
}
