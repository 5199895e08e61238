//! The nouns of the registry: Nacos's hierarchy of namespace, group, service, cluster name and instance.

use base::ConnectionId;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Names a service. The namespace is canonical: `public`, never empty; edges echo the form that a client used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Isolates applications; need not have been created.
    pub namespace: Arc<str>,
    /// `DEFAULT_GROUP` unless the client says otherwise.
    pub group: Arc<str>,
    /// The name without its group.
    pub name: Arc<str>,
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
}

/// A filter on cluster names: empty means all.
pub type ClusterNames = Arc<[Arc<str>]>;
