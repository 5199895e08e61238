//! The nouns of the registry: Nacos's hierarchy of namespace, group, service, cluster name and instance.

use base::ConnectionId;
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, LazyLock},
};

/// Names a service. The namespace is canonical: `public`, never empty; edges echo the form that a client used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Isolates applications; need not have been created.
    pub namespace: Arc<str>,
    /// `DEFAULT_GROUP` unless the client says otherwise.
    pub group: Arc<str>,
    /// The name without its group.
    pub name: Arc<str>,
}

/// Compares texts that are mostly shared, and then need not be read.
pub(crate) fn compared(a: &Arc<str>, b: &Arc<str>) -> Ordering {
    if Arc::ptr_eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

/// Takes the shared form of a text if this is it.
pub(crate) fn share(text: &mut Arc<str>, shared: &Arc<str>) {
    if text == shared {
        text.clone_from(shared);
    }
}

impl Ord for ServiceKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let Self { namespace, group, name } = self;
        compared(namespace, &other.namespace)
            .then_with(|| compared(group, &other.group))
            .then_with(|| compared(name, &other.name))
    }
}

impl PartialOrd for ServiceKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ServiceKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ServiceKey {}

impl Hash for ServiceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { namespace, group, name } = self;
        (namespace, group, name).hash(state);
    }
}

impl ServiceKey {
    /// `group@@name`, the form in which Nacos shows a service.
    #[must_use]
    pub fn grouped_name(&self) -> String {
        format!("{}@@{}", self.group, self.name)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@@{}", self.namespace, self.group, self.name)
    }
}

/// The server-side record of a publisher: who owns a registration, and with what it ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClientId {
    /// A gRPC connection; its instances live exactly as long as it does.
    Connection(ConnectionId),
    /// An instance that came over HTTP and lives by its beats.
    Address {
        /// As given by the client: an IP or a host name.
        ip: Arc<str>,
        /// Of the instance.
        port: u16,
    },
}

/// One address at which a service is offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// An IPv4 or IPv6 address or a host name, as given.
    pub ip: Arc<str>,
    /// 0 to 65535, as Nacos allows.
    pub port: u16,
    /// `DEFAULT` unless given.
    pub cluster_name: Arc<str>,
    /// Share of the traffic, 0 to 10 000; 0 means none.
    pub weight: f64,
    /// Whether it is fit to be called. Kept by the plane for instances that beat.
    pub healthy: bool,
    /// Whether it is to be shown to callers.
    pub enabled: bool,
    /// Lives with its client; the other kind lives in the Raft log.
    pub ephemeral: bool,
    /// What the application says of itself, carried verbatim; `preserved.*` keys set beat times.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
    /// Given by the client; otherwise `ip#port#cluster#group@@service`.
    pub instance_id: Option<Arc<str>>,
}

/// Where an instance is within its service; in a view each place appears once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Address of the instance.
    pub ip: Arc<str>,
    /// Its port.
    pub port: u16,
    /// Its cluster name.
    pub cluster_name: Arc<str>,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let Self { ip, port, cluster_name } = self;
        compared(ip, &other.ip)
            .then_with(|| port.cmp(&other.port))
            .then_with(|| compared(cluster_name, &other.cluster_name))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

impl Place {
    /// Where this instance is.
    #[must_use]
    pub fn of(instance: &Instance) -> Self {
        Self {
            ip: instance.ip.clone(),
            port: instance.port,
            cluster_name: instance.cluster_name.clone(),
        }
    }

    /// Not after any other.
    pub(crate) fn first() -> Arc<Self> {
        static FIRST: LazyLock<Arc<Place>> =
            LazyLock::new(|| Arc::new(Place { ip: "".into(), port: 0, cluster_name: "".into() }));
        FIRST.clone()
    }
}

/// Which instances a service has: they are all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceKind {
    /// They live with their clients.
    Ephemeral,
    /// They are in the Raft log until they are taken back.
    Persistent,
}

/// What an operator says of a service. A service that has it is in the lists until it is removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceMetadata {
    /// Below this healthy share all instances are shown as healthy; 0 to 1.
    pub protect_threshold: f64,
    /// Carried verbatim.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
    /// Carried verbatim; it selects nothing yet.
    pub selector: Selector,
    /// `None`: the first registration decides.
    pub kind: Option<ServiceKind>,
}

/// Which instances a caller is to get, as Nacos writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// `none` or `label`.
    pub kind: Arc<str>,
    /// Of a label selector.
    pub expression: Option<Arc<str>>,
}

impl Default for Selector {
    fn default() -> Self {
        Self { kind: "none".into(), expression: None }
    }
}

/// What all nodes show of a service at one moment. Immutable; replaced as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceView {
    /// Which service.
    pub key: ServiceKey,
    /// `lastRefTime`: milliseconds of the hybrid clock, greater than that of every earlier view of this service,
    /// because clients drop what looks older.
    pub version: u64,
    /// Ordered by (ip, port, cluster name); each of these once.
    pub instances: Arc<[Arc<Instance>]>,
    /// Below this healthy share all instances are shown as healthy; 0 to 1.
    pub protect_threshold: f64,
    /// What an operator says of it; `None` when nobody created or edited it.
    pub metadata: Option<Arc<ServiceMetadata>>,
}

/// A filter on cluster names: empty means all.
pub type ClusterNames = Arc<[Arc<str>]>;
