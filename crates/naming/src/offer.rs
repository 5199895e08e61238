//! An offer: one instance that one client offers in one service. The record that Distro replicates.

use crate::{ClientId, Place, ServiceKey};
use base::{ConnectionId, HybridTime, NodeId};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    sync::{Arc, LazyLock},
};

/// Names an offer. Ordered so that the offers of a service are neighbours, and in there those of a place.
///
/// Each of its parts is shared by several keys, so that a key is small, and two keys are mostly told apart, or found to be
/// the same, without reading texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfferKey {
    pub(crate) service: Arc<ServiceKey>,
    pub(crate) place: Arc<Place>,
    pub(crate) client: Arc<ClientId>,
}

fn compared<T: Ord>(a: &Arc<T>, b: &Arc<T>) -> Ordering {
    if Arc::ptr_eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

impl Ord for OfferKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let Self { service, place, client } = self;
        compared(service, &other.service)
            .then_with(|| compared(place, &other.place))
            .then_with(|| compared(client, &other.client))
    }
}

impl PartialOrd for OfferKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OfferKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OfferKey {}

impl OfferKey {
    /// Not after any other of the service.
    pub(crate) fn first_of(service: Arc<ServiceKey>) -> Self {
        Self::first_at(service, Place::first())
    }

    /// Not after any other of the place.
    pub(crate) fn first_at(service: Arc<ServiceKey>, place: Arc<Place>) -> Self {
        static FIRST: LazyLock<Arc<ClientId>> = LazyLock::new(|| {
            let first = ConnectionId { node: NodeId(0), boot: HybridTime(0), counter: 0 };
            Arc::new(ClientId::Connection(first))
        });
        Self { service, place, client: FIRST.clone() }
    }

    pub(crate) fn is_of(&self, service: &Arc<ServiceKey>) -> bool {
        compared(&self.service, service).is_eq()
    }

    pub(crate) fn is_at(&self, service: &Arc<ServiceKey>, place: &Arc<Place>) -> bool {
        self.is_of(service) && compared(&self.place, place).is_eq()
    }
}

impl distro::Key for OfferKey {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut text = |text: &str| {
            // With its length, so that no two keys run together.
            sink(&(text.len() as u32).to_le_bytes());
            sink(text.as_bytes());
        };
        let ServiceKey { namespace, group, name } = &*self.service;
        for part in [namespace, group, name, &self.place.ip, &self.place.cluster_name] {
            text(part);
        }
        sink(&self.place.port.to_le_bytes());
        match &*self.client {
            ClientId::Connection(ConnectionId { node, boot, counter }) => {
                for number in [node.0, boot.0, *counter] {
                    sink(&number.to_le_bytes());
                }
            }
            ClientId::Address { ip, port } => {
                sink(ip.as_bytes());
                sink(&port.to_le_bytes());
            }
        }
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        match &*self.client {
            ClientId::Connection(id) => Some(id.node),
            ClientId::Address { .. } => None,
        }
    }
}

/// The same name, ordered so that the offers of a client are neighbours, and in there those of a service.
#[derive(Clone, Debug)]
pub(crate) struct ByClient {
    client: Arc<ClientId>,
    service: Arc<ServiceKey>,
    place: Arc<Place>,
}

impl Ord for ByClient {
    fn cmp(&self, other: &Self) -> Ordering {
        let Self { client, service, place } = self;
        compared(client, &other.client)
            .then_with(|| compared(service, &other.service))
            .then_with(|| compared(place, &other.place))
    }
}

impl PartialOrd for ByClient {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByClient {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByClient {}

impl ByClient {
    /// Not after any other of the client.
    pub(crate) fn first_of(client: Arc<ClientId>) -> Self {
        let service = ServiceKey { namespace: "".into(), group: "".into(), name: "".into() };
        Self { client, service: Arc::new(service), place: Place::first() }
    }

    /// Not after any other of the client in this service.
    pub(crate) fn first_in(client: Arc<ClientId>, service: Arc<ServiceKey>) -> Self {
        Self { client, service, place: Place::first() }
    }

    pub(crate) fn client(&self) -> &ClientId {
        &self.client
    }

    pub(crate) fn service(&self) -> &Arc<ServiceKey> {
        &self.service
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(crate) fn is_of(&self, client: &Arc<ClientId>) -> bool {
        compared(&self.client, client).is_eq()
    }

    pub(crate) fn is_in(&self, client: &Arc<ClientId>, service: &Arc<ServiceKey>) -> bool {
        self.is_of(client) && compared(&self.service, service).is_eq()
    }
}

impl From<OfferKey> for ByClient {
    fn from(OfferKey { service, place, client }: OfferKey) -> Self {
        Self { client, service, place }
    }
}

impl From<ByClient> for OfferKey {
    fn from(ByClient { client, service, place }: ByClient) -> Self {
        Self { service, place, client }
    }
}
