//! Connections: what lives and ends with them.

use crate::{
    ClientId, Naming, Place, ServiceKey, Subscriber,
    offer::{ByClient, OfferKey},
};
use base::ConnectionId;
use distro::Input;
use journal::Kind;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// How many offers, and how many subscriptions, of a closed connection one step ends at most.
pub const CLOSED_PER_WAKE: usize = 1000;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// As the owner of offers.
    pub(crate) client: Arc<ClientId>,
    /// Where it offered something last. Most clients are at one place, or at least at one address, in all services.
    pub(crate) place: Arc<Place>,
    pub(crate) subscriptions: BTreeSet<Arc<ServiceKey>>,
    /// How many offers it has in all services.
    pub(crate) offers_count: usize,
    /// What it said of itself last; shared by its subscriptions, which mostly say the same.
    subscriber: Option<Arc<Subscriber>>,
}

/// A closed connection whose offers and subscriptions are being ended in pieces.
#[derive(Debug)]
pub(crate) struct Closing {
    id: ConnectionId,
    subscriptions: VecDeque<Arc<ServiceKey>>,
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
        let connection = Connection { client, place, subscriptions, offers_count: 0, subscriber };
        self.connections.entry(id).or_insert(connection);
    }

    pub(crate) fn closed(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.watchers.close(id);
        let subscriptions = connection.subscriptions.into_iter().collect();
        self.closing.push_back(Closing { id, subscriptions });
        self.close_piece();
    }

    /// Ends what the longest closed connection left, for one piece.
    pub(crate) fn close_piece(&mut self) {
        let Some(mut closing) = self.closing.pop_front() else { return };
        let client = Arc::new(ClientId::Connection(closing.id));
        let offers: Vec<OfferKey> = self
            .by_client
            .range(ByClient::first_of(client.clone())..)
            .take_while(|offer| offer.is_of(&client))
            .take(CLOSED_PER_WAKE)
            .map(|offer| offer.clone().into())
            .collect();
        let subscriptions = closing.subscriptions.len().min(CLOSED_PER_WAKE);
        for key in closing.subscriptions.drain(..subscriptions) {
            self.remove_subscription(closing.id, &key);
        }
        if offers.len() == CLOSED_PER_WAKE || !closing.subscriptions.is_empty() {
            self.closing.push_front(closing);
        }
        for key in offers {
            self.instance_event(Kind::ConnectionLost, &key);
            self.distro(Input::Delete { key });
        }
    }
}
