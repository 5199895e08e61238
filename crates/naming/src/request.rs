//! What edges ask of the registry, and what it answers.

use crate::{
    ClientId, ClientName, ClusterNames, ClusterSettings, Edit, Instance, InstanceDigest, Outcome,
    Pattern, Place, ServiceDigest, ServiceKey, ServiceMetadata, Switch, Verified,
};
use base::{ConnectionId, Limit, NodeId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A question to the plane. Owned values only, so that the same value can be forwarded to another node.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Offer one ephemeral instance; replaces what this client had in the service.
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
    /// Create an empty service. It is kept until it is removed.
    CreateService {
        /// Which.
        service: ServiceKey,
        /// What is said of it.
        metadata: ServiceMetadata,
    },
    /// Say something else of a service. It is kept from now on until it is removed.
    UpdateService {
        /// Which.
        service: ServiceKey,
        /// Replaces all that was said before; its kind stays.
        metadata: ServiceMetadata,
    },
    /// Keep this instance until it is taken back, whoever is connected. It belongs to the client `ip:port`, which has one
    /// instance per service: another one is replaced.
    RegisterPersistent {
        /// Where.
        service: ServiceKey,
        /// What; its `ephemeral` plays no part.
        instance: Instance,
    },
    /// Take a persistent instance back. Of an unknown one: done, too.
    DeregisterPersistent {
        /// Where.
        service: ServiceKey,
        /// Address of the instance.
        ip: Arc<str>,
        /// Port of the instance.
        port: u16,
    },
    /// Change what is shown of instances, of either kind. They need not be there.
    EditInstances {
        /// Where; must be in the lists.
        service: ServiceKey,
        /// Which.
        places: Vec<Place>,
        /// How.
        edit: Edit,
    },
    /// Say how the instances of a cluster name are to be checked. The service is kept from now on until it is removed.
    UpdateCluster {
        /// Where; need not exist.
        service: ServiceKey,
        /// Which.
        cluster_name: Arc<str>,
        /// Replaces all that was said before.
        settings: ClusterSettings,
    },
    /// Say how a persistent instance is. Refused unless its cluster name has the checker `None`.
    SetHealth {
        /// Where.
        service: ServiceKey,
        /// Which instance.
        place: Place,
        /// How it is.
        healthy: bool,
    },
    /// Turn a switch.
    Switch(Switch),
    /// What was said of the cluster names of a service.
    Clusters {
        /// Which.
        service: ServiceKey,
    },
    /// A piece of the list of this node's clients.
    Clients {
        /// The last one of the piece before.
        after: Option<ClientName>,
    },
    /// A piece of what a client offers.
    PublishedBy {
        /// Which.
        client: ClientName,
        /// Where the piece before ended.
        after: Option<ServiceKey>,
    },
    /// What a client subscribes to.
    SubscribedBy {
        /// Which.
        client: ClientName,
    },
    /// Whose instances a service has.
    PublishersOf {
        /// Which.
        service: ServiceKey,
    },
    /// Who subscribes to a service, connection by connection.
    SubscribingClients {
        /// Which.
        service: ServiceKey,
    },
    /// Tell this connection whenever a service that the pattern takes comes into the lists or leaves them.
    Watch {
        /// Which.
        pattern: Pattern,
    },
    /// No longer.
    Unwatch {
        /// Which.
        pattern: Pattern,
    },
    /// A piece of what all services list, in short, so that nodes can be compared.
    Digests {
        /// The last service of the piece before.
        after: Option<ServiceKey>,
    },
    /// The same of one service, instance by instance.
    Digest {
        /// Which.
        service: ServiceKey,
    },
    /// What the nodes list differently, in the services after one. Answered when all have answered, or within
    /// [`VERIFY_TIMEOUT`](crate::VERIFY_TIMEOUT).
    Verify {
        /// Where the piece before ended.
        after: Option<ServiceKey>,
    },
    /// Compare all that is known with this peer, now.
    Repair {
        /// Which.
        peer: NodeId,
    },
    /// Counts of this node.
    Count,
    /// Who subscribes to a service, on this node.
    Subscribers {
        /// Which.
        service: ServiceKey,
    },
}

impl Request {
    /// Whether no instance or service in it has more characters of metadata, keys and values together.
    #[must_use]
    pub fn metadata_within(&self, chars_max: usize) -> bool {
        let fits = |metadata| chars_within(metadata, chars_max);
        match self {
            Self::Register { instance, .. } | Self::RegisterPersistent { instance, .. } => {
                fits(&instance.metadata)
            }
            Self::RegisterBatch { instances, .. } => {
                instances.iter().all(|instance| fits(&instance.metadata))
            }
            Self::Beat { full, .. } => full.as_ref().is_none_or(|full| fits(&full.metadata)),
            Self::CreateService { metadata, .. } | Self::UpdateService { metadata, .. } => {
                fits(&metadata.metadata)
            }
            Self::EditInstances { edit, .. } => match edit {
                Edit::Replace { metadata, .. } | Edit::AddMetadata(metadata) => fits(metadata),
                Edit::Patch { metadata, .. } => metadata.as_ref().is_none_or(fits),
                Edit::RemoveMetadata(_) => true,
            },
            Self::Deregister { .. }
            | Self::DeregisterPersistent { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::Subscribers { .. }
            | Self::RemoveService { .. }
            | Self::UpdateCluster { .. }
            | Self::SetHealth { .. }
            | Self::Switch(_)
            | Self::Clusters { .. }
            | Self::Clients { .. }
            | Self::PublishedBy { .. }
            | Self::SubscribedBy { .. }
            | Self::PublishersOf { .. }
            | Self::SubscribingClients { .. }
            | Self::Watch { .. }
            | Self::Unwatch { .. }
            | Self::Digests { .. }
            | Self::Digest { .. }
            | Self::Verify { .. }
            | Self::Repair { .. }
            | Self::Count => true,
        }
    }
}

fn chars_within(metadata: &BTreeMap<Arc<str>, Arc<str>>, chars_max: usize) -> bool {
    // A text has at most as many characters as bytes: most are decided without counting.
    metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= chars_max
        || metadata
            .iter()
            .map(|(key, value)| key.chars().count() + value.chars().count())
            .sum::<usize>()
            <= chars_max
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
    /// Of a request that went through the log.
    Outcome(Outcome),
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
    /// Answer to `Clusters`: of those of which something was said.
    Clusters(BTreeMap<Arc<str>, Arc<ClusterSettings>>),
    /// Answer to `Clients`.
    Clients {
        /// The piece.
        clients: Vec<ClientName>,
        /// Whether there may be more after its last.
        more: bool,
    },
    /// Answer to `PublishedBy`.
    Published {
        /// Service, and where in it.
        offers: Vec<(ServiceKey, Place)>,
        /// Where this piece ended if there may be more.
        last: Option<ServiceKey>,
    },
    /// Answer to `SubscribedBy`: the service, and what the client says of itself there.
    SubscribedBy(Vec<(ServiceKey, Subscriber)>),
    /// Answer to `PublishersOf`.
    Publishers(Vec<(ClientName, Place)>),
    /// Answer to `SubscribingClients`.
    SubscribingClients(Vec<(ConnectionId, Subscriber)>),
    /// Answer to `Digests`.
    Digests {
        /// The piece, in order.
        services: Vec<ServiceDigest>,
        /// Whether there is more after its last.
        more: bool,
    },
    /// Answer to `Digest`; empty of a service that is not in the lists.
    Digest(Vec<InstanceDigest>),
    /// Answer to `Verify`.
    Verified(Box<Verified>),
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The connection is closed or was never opened: connect again.
    #[error("Client not found.")]
    UnknownClient,
    /// What lives with a client must be ephemeral.
    #[error("Batch registration does not allow persistent instance registration!")]
    NotEphemeral,
    /// An ephemeral instance in a service of persistent ones.
    #[error("Current service {0} is persistent service, can't register ephemeral instance.")]
    PersistentService(String),
    /// A persistent instance in a service of ephemeral ones.
    #[error("Current service {0} is ephemeral service, can't register persistent instance.")]
    EphemeralService(String),
    /// A text that is to be kept is longer than allowed.
    #[error("{what} has more than {limit} characters: shorten it")]
    TooLong {
        /// What.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A number is not one, or too small, or too great.
    #[error("{what} is not between {min} and {max}")]
    OutOfRange {
        /// Which.
        what: &'static str,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// One edit names too many instances.
    #[error("more than {limit} instances in one edit: edit fewer at a time")]
    TooManyEdited {
        /// The limit.
        limit: usize,
    },
    /// A limit of what all nodes agree on.
    #[error("there are {limit} {what} already: remove some")]
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Instances of a service that does not exist are to be edited.
    #[error("there is no service {0}")]
    NoSuchService(ServiceKey),
    /// Others ask the same already.
    #[error("{limit} {what} are under way already")]
    Busy {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// There is no link to that node.
    #[error(
        "there is no link to node {0}: see which members are alive, and that they reach each other"
    )]
    NoLink(NodeId),
    /// No client of this node has that name.
    #[error("there is no such client")]
    NoSuchClient,
    /// The health of an instance that is not there is to be set.
    #[error("no matched ip found!")]
    NoSuchInstance,
    /// The health of an instance whose cluster name has a checker is to be set.
    #[error("health check is still working, service: {service}, cluster: {cluster_name}")]
    HealthIsChecked {
        /// `group@@name`.
        service: String,
        /// Its cluster name.
        cluster_name: Arc<str>,
    },
    /// More patterns are watched than allowed.
    #[error("fuzzy watch pattern over limit: {limit} are watched already, watch fewer")]
    TooManyPatterns {
        /// The limit.
        limit: usize,
    },
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

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Refused(refusal) | Self::Outcome(Outcome::Refused(refusal)) => refusal.limit(),
            Self::Done
            | Self::Outcome(Outcome::Done | Outcome::Edited(_))
            | Self::Beat { .. }
            | Self::Counts(_)
            | Self::Subscribers(_)
            | Self::Clusters(_)
            | Self::Clients { .. }
            | Self::Published { .. }
            | Self::SubscribedBy(_)
            | Self::Publishers(_)
            | Self::SubscribingClients(_)
            | Self::Digests { .. }
            | Self::Digest(_)
            | Self::Verified(_) => None,
        }
    }
}

impl Refusal {
    /// Which limit it is about, if it is about one.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::TooLong { what: "metadata", .. } => Some(Limit::InstanceMetadata),
            Self::TooLong { .. } => Some(Limit::NameLength),
            Self::TooManyEdited { .. } => Some(Limit::Instances),
            Self::Full { .. } => Some(Limit::TableFull),
            Self::TooMany { what: "subscriptions", .. } => Some(Limit::Subscriptions),
            Self::TooMany { .. } => Some(Limit::Instances),
            Self::TooManyPatterns { .. } => Some(Limit::Patterns),
            Self::Busy { .. } => Some(Limit::Lane),
            Self::UnknownClient
            | Self::NotEphemeral
            | Self::PersistentService(_)
            | Self::EphemeralService(_)
            | Self::NoSuchClient
            | Self::NoLink(_)
            | Self::NoSuchInstance
            | Self::HealthIsChecked { .. }
            | Self::OutOfRange { .. }
            | Self::NoSuchService(_)
            | Self::ServiceNotEmpty(_)
            | Self::ServiceExists(_)
            | Self::ServiceUnknown(_) => None,
        }
    }
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
    /// Clients with persistent instances. All nodes own them, as in Nacos.
    pub persistent_clients: usize,
    /// Clients owned by this node.
    pub responsible_clients: usize,
}
