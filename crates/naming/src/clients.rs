//! Lists of clients, for those who look after the registry: who there is, what each offers and wants to know, and the same
//! from the side of a service.
//!
//! Lists that grow with the registry are told in pieces: who asks says after which entry to go on.

use crate::{ClientId, Naming, Place, Refusal, Reply, ServiceKey, Subscriber, offer::ByClient};
use base::ConnectionId;
use std::{ops::Bound, sync::Arc};

/// How many clients, or services, one piece looks at.
pub const CLIENTS_PER_PIECE: usize = 1_000;
/// How many publishers or subscribers of one service are told; the rest is left out.
pub const CLIENTS_OF_SERVICE_MAX: usize = 10_000;

/// Names a client of either kind. Ordered: connections, then addresses, then those of persistent instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientName {
    /// A gRPC connection, or a subscriber by UDP.
    Connection(ConnectionId),
    /// An instance that came over HTTP and lives by its beats.
    Address {
        /// Of the instance.
        ip: Arc<str>,
        /// Of the instance.
        port: u16,
    },
    /// Of a persistent instance.
    Persistent {
        /// Of the instance.
        ip: Arc<str>,
        /// Of the instance.
        port: u16,
    },
}

impl From<&ClientId> for ClientName {
    fn from(client: &ClientId) -> Self {
        match client {
            ClientId::Connection(id) => Self::Connection(*id),
            ClientId::Address { ip, port } => Self::Address { ip: ip.clone(), port: *port },
        }
    }
}

impl Naming {
    /// A piece of the list of all clients: those after `after`.
    pub(crate) fn clients(&self, after: Option<ClientName>) -> Reply {
        let mut clients = Vec::new();
        let room = |clients: &Vec<ClientName>| CLIENTS_PER_PIECE - clients.len();
        let from = match &after {
            None => Some(Bound::Unbounded),
            Some(ClientName::Connection(id)) => Some(Bound::Excluded(*id)),
            Some(ClientName::Address { .. } | ClientName::Persistent { .. }) => None,
        };
        if let Some(from) = from {
            let connections = self.connections.range((from, Bound::Unbounded));
            clients.extend(
                connections.take(CLIENTS_PER_PIECE).map(|(id, _)| ClientName::Connection(*id)),
            );
        }
        let last = match &after {
            Some(ClientName::Persistent { .. }) => None,
            Some(ClientName::Address { ip, port }) => Some((ip.clone(), *port)),
            Some(ClientName::Connection(_)) | None => Some(("".into(), 0)),
        };
        if let Some((ip, port)) = last {
            let first = ByClient::first_of(Arc::new(ClientId::Address { ip, port }));
            for offer in self.by_client.range(first..) {
                if room(&clients) == 0 {
                    break;
                }
                let client = ClientName::from(offer.client());
                if clients.last() != Some(&client) && after.as_ref() != Some(&client) {
                    clients.push(client);
                }
            }
        }
        let last = match after {
            Some(ClientName::Persistent { ip, port }) => Bound::Excluded((ip, port)),
            Some(ClientName::Connection(_) | ClientName::Address { .. }) | None => Bound::Unbounded,
        };
        let persistent = self.agreed.clients_after(last).take(room(&clients));
        clients.extend(
            persistent.map(|(ip, port)| ClientName::Persistent { ip: ip.clone(), port: *port }),
        );
        let more = room(&clients) == 0;
        Reply::Clients { clients, more }
    }

    /// A piece of what a client offers: in the services after `after`.
    pub(crate) fn published_by(
        &self,
        client: &ClientName,
        after: Option<ServiceKey>,
    ) -> Result<Reply, Refusal> {
        if !self.knows(client) {
            return Err(Refusal::NoSuchClient);
        }
        let (offers, last) = match client {
            ClientName::Connection(id) => self.offers_after(ClientId::Connection(*id), after),
            ClientName::Address { ip, port } => {
                self.offers_after(ClientId::Address { ip: ip.clone(), port: *port }, after)
            }
            ClientName::Persistent { ip, port } => {
                let services = self.agreed.services_after(after.as_ref()).take(CLIENTS_PER_PIECE);
                let (mut offers, mut last, mut count) = (Vec::new(), None, 0);
                for (service, agreed) in services {
                    count += 1;
                    last = Some(service.clone());
                    let place = agreed.of_client(ip, *port).map(|(place, _)| place.clone());
                    offers.extend(place.map(|place| (service.clone(), place)));
                }
                (offers, last.filter(|_| count == CLIENTS_PER_PIECE))
            }
        };
        Ok(Reply::Published { offers, last })
    }

    /// What a connection offers never exceeds its limit, and an address has one instance per service, so a piece ends at the
    /// end of a service.
    fn offers_after(
        &self,
        client: ClientId,
        after: Option<ServiceKey>,
    ) -> (Vec<(ServiceKey, Place)>, Option<ServiceKey>) {
        let client = Arc::new(client);
        let first = match &after {
            None => ByClient::first_of(client.clone()),
            Some(service) => ByClient::first_in(client.clone(), Arc::new(service.clone())),
        };
        let offers = self.by_client.range(first..).take_while(|offer| offer.is_of(&client));
        let (mut told, mut last): (Vec<(ServiceKey, Place)>, Option<ServiceKey>) =
            (Vec::new(), None);
        for offer in offers {
            let (service, place) = (offer.service(), offer.place());
            if after.as_ref() == Some(&**service) {
                continue;
            }
            if told.len() >= CLIENTS_PER_PIECE && last.as_ref() != Some(&**service) {
                return (told, last);
            }
            last = Some(ServiceKey::clone(service));
            told.push((ServiceKey::clone(service), Place::clone(place)));
        }
        (told, None)
    }

    /// The services that a client subscribes to, and as whom.
    pub(crate) fn subscribed_by(&self, client: &ClientName) -> Result<Reply, Refusal> {
        if !self.knows(client) {
            return Err(Refusal::NoSuchClient);
        }
        let mut subscriptions = Vec::new();
        if let ClientName::Connection(id) = client
            && let Some(connection) = self.connections.get(id)
        {
            for key in &connection.subscriptions {
                let service = self.services.get(key).expect("a service with subscribers is kept");
                let subscription = service.subscribers.get(id).expect("both name each other");
                let subscriber = Subscriber::clone(&subscription.subscriber);
                subscriptions.push((ServiceKey::clone(key), subscriber));
            }
        }
        Ok(Reply::SubscribedBy(subscriptions))
    }

    /// Who offers instances in a service, and where.
    pub(crate) fn publishers_of(&self, service: &ServiceKey) -> Reply {
        let shared = self.shared(service);
        let offers = self.distro.from(&crate::OfferKey::first_of(shared.clone()));
        let offers = offers.take_while(|(key, _)| key.service == shared);
        let offers = offers.filter(|(_, entry)| entry.listed());
        let offers =
            offers.map(|(key, _)| (ClientName::from(&*key.client), Place::clone(&key.place)));
        let agreed = self.agreed.get(service).into_iter();
        let persistent = agreed.flat_map(|agreed| agreed.instances.keys()).map(|place| {
            (ClientName::Persistent { ip: place.ip.clone(), port: place.port }, place.clone())
        });
        Reply::Publishers(offers.chain(persistent).take(CLIENTS_OF_SERVICE_MAX).collect())
    }

    /// Who subscribes to a service: each connection, also where several say the same of themselves.
    pub(crate) fn subscribing_clients(&self, service: &ServiceKey) -> Reply {
        let subscribers = self.services.get(service).into_iter();
        let subscribers = subscribers.flat_map(|service| &service.subscribers);
        let subscribers = subscribers.map(|(id, one)| (*id, Subscriber::clone(&one.subscriber)));
        Reply::SubscribingClients(subscribers.take(CLIENTS_OF_SERVICE_MAX).collect())
    }

    fn knows(&self, client: &ClientName) -> bool {
        match client {
            ClientName::Connection(id) => self.connections.contains_key(id),
            ClientName::Address { ip, port } => {
                let client = Arc::new(ClientId::Address { ip: ip.clone(), port: *port });
                let first = self.by_client.range(ByClient::first_of(client.clone())..).next();
                first.is_some_and(|offer| offer.is_of(&client))
            }
            ClientName::Persistent { ip, port } => self.agreed.has_client(ip, *port),
        }
    }
}
