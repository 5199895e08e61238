//! An offer: one instance that one client offers in one service. The record that Distro replicates.

use crate::{ClientId, Place, ServiceKey};
use base::{ConnectionId, HybridTime, NodeId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names an offer. Ordered so that the offers of a service are neighbours, and in there those of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OfferKey {
    pub(crate) service: Arc<ServiceKey>,
    pub(crate) place: Place,
    pub(crate) client: ClientId,
}

impl OfferKey {
    /// Not after any other of the service.
    pub(crate) fn first_of(service: Arc<ServiceKey>) -> Self {
        Self::first_at(service, Place::first())
    }

    /// Not after any other of the place.
    pub(crate) fn first_at(service: Arc<ServiceKey>, place: Place) -> Self {
        let first = ConnectionId { node: NodeId(0), boot: HybridTime(0), counter: 0 };
        Self { service, place, client: ClientId::Connection(first) }
    }

    pub(crate) fn is_of(&self, service: &Arc<ServiceKey>) -> bool {
        Arc::ptr_eq(&self.service, service) || self.service == *service
    }

    pub(crate) fn is_at(&self, service: &ServiceKey, place: &Place) -> bool {
        *self.service == *service && self.place == *place
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
        match &self.client {
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
}

/// The same name, ordered so that the offers of a client are neighbours, and in there those of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByClient {
    client: ClientId,
    service: Arc<ServiceKey>,
    place: Place,
}

impl ByClient {
    /// Not after any other of the client.
    pub(crate) fn first_of(client: ClientId) -> Self {
        let service = ServiceKey { namespace: "".into(), group: "".into(), name: "".into() };
        Self { client, service: Arc::new(service), place: Place::first() }
    }

    /// Not after any other of the client in this service.
    pub(crate) fn first_in(client: ClientId, service: Arc<ServiceKey>) -> Self {
        Self { client, service, place: Place::first() }
    }

    pub(crate) fn client(&self) -> &ClientId {
        &self.client
    }

    pub(crate) fn is_in(&self, client: &ClientId, service: &ServiceKey) -> bool {
        self.client == *client && *self.service == *service
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
