//! Connections: what lives and ends with them.

use crate::{
    ClientId, Naming, Place, ServiceKey, Subscriber,
    offer::{ByClient, OfferKey},
};
use base::{ConnectionId, Instant};
use distro::{Input, ORPHAN_LISTED_TIME};
use journal::Kind;
use std::{
    collections::{BTreeSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

/// How many offers, and how many subscriptions, of a closed connection one step ends at most.
pub const CLOSED_PER_WAKE: usize = 1000;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// As the owner of offers.
    pub(crate) client: Arc<ClientId>,
    /// By the clock that views are stamped with.
    pub(crate) opened_at: u64,
    /// Where it offered something last. Most clients are at one place, or at least at one address, in all services.
    pub(crate) place: Arc<Place>,
    pub(crate) subscriptions: BTreeSet<Arc<ServiceKey>>,
    /// How many offers it has in all services.
    pub(crate) offers_count: usize,
    /// What it said of itself last; shared by its subscriptions, which mostly say the same.
    subscriber: Option<Arc<Subscriber>>,
    /// It was asked to go to another node: if it closes until then, it has gone there.
    moving: Option<Instant>,
}

/// A closed connection whose offers and subscriptions are being ended in pieces.
#[derive(Debug)]
pub(crate) struct Closing {
    id: ConnectionId,
    subscriptions: VecDeque<Arc<ServiceKey>>,
    /// Its client is expected on another node: only what is offered there already ends.
    moving: bool,
    /// The last offer that was looked at.
    after: Option<ByClient>,
}

impl Connection {
    pub(crate) fn share(&mut self, subscriber: Subscriber) -> Arc<Subscriber> {
        let same = self.subscriber.take().filter(|shared| **shared == subscriber);
        self.subscriber.insert(same.unwrap_or_else(|| Arc::new(subscriber))).clone()
    }
}

impl Naming {
    pub(crate) fn opened(&mut self, id: ConnectionId) {
        let client = Arc::new(ClientId::Connection(id));
        let (subscriptions, subscriber) = (BTreeSet::new(), None);
        let place = Place::first();
        let (offers_count, moving) = (0, None);
        let opened_at = self.distro.clock().tick(self.now).unix_ms();
        let connection = Connection {
            client,
            opened_at,
            place,
            subscriptions,
            offers_count,
            subscriber,
            moving,
        };
        self.connections.entry(id).or_insert(connection);
    }

    pub(crate) fn closed(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.watchers.close(id);
        let now = self.hearing().instant;
        let moving = connection.moving.is_some_and(|until| now <= until);
        if moving {
            let until = now.after(ORPHAN_LISTED_TIME);
            self.moved.push_back((until, id));
        }
        let subscriptions = connection.subscriptions.into_iter().collect();
        self.closing.push_back(Closing { id, subscriptions, moving, after: None });
        self.close_piece();
    }

    /// The client is on its way to another node. Its instances must not be missing until it is there.
    pub(crate) fn moving(&mut self, id: ConnectionId) {
        let until = self.hearing().instant.after(ORPHAN_LISTED_TIME);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.moving = Some(until);
        }
    }

    /// Clients that did not come to another node in time are gone.
    pub(crate) fn moved_due(&mut self) {
        let now = self.hearing().instant;
        while let Some((until, id)) = self.moved.front().copied()
            && until <= now
        {
            self.moved.pop_front();
            let subscriptions = VecDeque::new();
            self.closing.push_back(Closing { id, subscriptions, moving: false, after: None });
        }
    }

    /// What clients that moved have left at the place of this offer, if it is later.
    pub(crate) fn moved_to(&self, key: &OfferKey) -> Vec<OfferKey> {
        if self.moved.is_empty() {
            return Vec::new();
        }
        let is_left = |left: &OfferKey| match &*left.client {
            ClientId::Connection(id) => !self.connections.contains_key(id),
            ClientId::Address { .. } => false,
        };
        self.offers_at(&key.service, &key.place)
            .filter(|(left, entry)| {
                left.client != key.client && self.distro.owns(entry) && is_left(left)
            })
            .map(|(left, _)| left.clone())
            .filter(|left| self.is_followed(left))
            .collect()
    }

    /// Ends what the longest closed connection left, for one piece.
    pub(crate) fn close_piece(&mut self) {
        let Some(mut closing) = self.closing.pop_front() else { return };
        let client = Arc::new(ClientId::Connection(closing.id));
        let first = ByClient::first_of(client.clone());
        let from = closing.after.take().map_or(Bound::Included(first), Bound::Excluded);
        let offers: Vec<ByClient> = self
            .by_client
            .range((from, Bound::Unbounded))
            .take_while(|offer| offer.is_of(&client))
            .take(CLOSED_PER_WAKE)
            .cloned()
            .collect();
        closing.after = offers.last().cloned();
        let subscriptions = closing.subscriptions.len().min(CLOSED_PER_WAKE);
        for key in closing.subscriptions.drain(..subscriptions) {
            self.remove_subscription(closing.id, &key);
        }
        let moving = closing.moving;
        if offers.len() == CLOSED_PER_WAKE || !closing.subscriptions.is_empty() {
            self.closing.push_front(closing);
        }
        for key in offers.into_iter().map(OfferKey::from) {
            if moving && self.is_followed(&key) {
                self.end_followed(key, Kind::Adopted);
            } else if !moving {
                self.instance_event(Kind::ConnectionLost, &key);
                self.distro(Input::Delete { key });
            }
        }
    }
}
