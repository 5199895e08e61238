//! What edges ask of the registry, and what it answers.

use crate::{ClientId, ClusterNames, Instance, ServiceKey};
use std::{sync::Arc, time::Duration};

/// A question to the plane. Owned values only, so that the same value can be forwarded to another node.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Offer one instance; replaces what this client had in the service.
    Register {
        /// Who owns it.
        client: ClientId,
        /// Where.
        service: ServiceKey,
        /// What.
        instance: Instance,
    },
    /// Replace the whole set that this connection offers in the service; an empty set removes all.
    RegisterBatch {
        /// Who owns them: always a connection.
        client: ClientId,
        /// Where.
        service: ServiceKey,
        /// What.
        instances: Vec<Instance>,
    },
    /// Take the offer back. Of an unknown instance: done, too.
    Deregister {
        /// Who owns it.
        client: ClientId,
        /// Where.
        service: ServiceKey,
        /// Address of the instance.
        ip: Arc<str>,
        /// Port of the instance.
        port: u16,
        /// Its cluster name.
        cluster_name: Arc<str>,
    },
    /// An instance that came over HTTP is alive.
    Beat {
        /// Whose.
        client: ClientId,
        /// Where.
        service: ServiceKey,
        /// The whole instance when the client sent a full beat: an unknown one is then registered.
        full: Option<Instance>,
        /// Address of the instance.
        ip: Arc<str>,
        /// Port of the instance.
        port: u16,
        /// Its cluster name.
        cluster_name: Arc<str>,
    },
    /// Push every new view of the service to this connection; one subscription per connection and service, the
    /// later one's clusters win.
    Subscribe {
        /// Which service; need not exist.
        service: ServiceKey,
        /// Only these cluster names are of interest.
        clusters: ClusterNames,
        /// For subscriber lists: what the subscriber says of itself.
        subscriber: Subscriber,
    },
    /// Stop pushing.
    Unsubscribe {
        /// Which service.
        service: ServiceKey,
    },
    /// Forget a service that has no instances.
    RemoveService {
        /// Which.
        service: ServiceKey,
    },
    /// Create an empty service (protect threshold only, for now).
    CreateService {
        /// Which.
        service: ServiceKey,
    },
    /// Counts of this node.
    Count,
    /// Who subscribes to a service, on this node.
    Subscribers {
        /// Which.
        service: ServiceKey,
    },
}

/// What a subscriber says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subscriber {
    /// `ip:port` of its end of the connection, or what it says.
    pub address: Arc<str>,
    /// Client version or user agent.
    pub agent: Arc<str>,
    /// Name of the application.
    pub application: Arc<str>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is so; the view that shows it was published before this reply.
    Done,
    /// Answer to a beat.
    Beat {
        /// False: unknown instance and no full beat; the client must register again.
        known: bool,
        /// When to beat next.
        interval: Duration,
    },
    /// Answer to `Count`.
    Counts(Counts),
    /// Answer to `Subscribers`.
    Subscribers(Vec<Subscriber>),
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The connection is closed or was never opened: connect again.
    #[error("Client not found.")]
    UnknownClient,
    /// The registry does not keep persistent instances yet.
    #[error("persistent instances are not served yet: register it with ephemeral=true")]
    PersistentUnsupported,
    /// A limit of this connection.
    #[error(
        "this connection already has {limit} {what}: use a second connection or raise the limit"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Removal of a service that has instances.
    #[error("Service {0} is not empty, can't be delete. Please unregister instance first")]
    ServiceNotEmpty(String),
    /// Creation of a service that exists.
    #[error("specified service {0} already exists!")]
    ServiceExists(String),
    /// Removal of a service that does not exist.
    #[error("service {0} not found!")]
    ServiceUnknown(String),
}

/// What this node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Services, empty ones too.
    pub services: usize,
    /// Instances listed.
    pub instances: usize,
    /// Instances whose client is owned by this node.
    pub responsible_instances: usize,
    /// Subscriptions of connections of this node.
    pub subscriptions: usize,
    /// Clients, of both kinds.
    pub clients: usize,
    /// Clients that are connections.
    pub connection_clients: usize,
    /// Clients that are addresses.
    pub address_clients: usize,
    /// Clients owned by this node.
    pub responsible_clients: usize,
}
