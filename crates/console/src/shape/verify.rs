//! Whether the nodes of a cluster list the same.

use naming::{Difference, ServiceKey, Verified};
use serde::{Deserialize, Serialize};

/// What the nodes list differently, for one piece of all services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// How many services of the node that answers were compared.
    pub services: usize,
    /// Where other nodes list something else than it does.
    pub differences: Vec<Differing>,
    /// Whether there are more than these.
    pub more_differences: bool,
    /// The nodes that were compared with it.
    pub answered: Vec<String>,
    /// The nodes that did not answer.
    pub silent: Vec<String>,
    /// Where the next piece begins, if this is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<AfterService>,
}

/// A service that another node lists differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// The other node.
    pub node: String,
    /// Where the service is.
    pub namespace: String,
    /// Its group.
    pub group: String,
    /// Its name.
    pub service: String,
    /// How many of its instances differ.
    pub instances: usize,
    /// The first of them, as `ip:port/cluster name`.
    pub places: Vec<String>,
}

/// A service, to go on after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterService {
    /// For `after_namespace`.
    pub namespace: String,
    /// For `after_group`.
    pub group: String,
    /// For `after_service`.
    pub service: String,
}

/// The body, and the answer, of `POST /v1/cluster/repair`: with which node everything is to be compared now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// As `GET /v1/cluster/members` shows it.
    pub node: String,
}

impl From<&Verified> for Verification {
    fn from(found: &Verified) -> Self {
        Self {
            services: found.services,
            differences: found.differences.iter().map(Differing::from).collect(),
            more_differences: found.more_differences,
            answered: found.answered.iter().map(ToString::to_string).collect(),
            silent: found.silent.iter().map(ToString::to_string).collect(),
            next: found.last.as_ref().map(AfterService::from),
        }
    }
}

impl From<&Difference> for Differing {
    fn from(Difference { peer, service, places_count, places }: &Difference) -> Self {
        let AfterService { namespace, group, service } = service.into();
        let shown = places.iter().map(|at| format!("{}:{}/{}", at.ip, at.port, at.cluster_name));
        let (node, instances) = (peer.to_string(), *places_count);
        Self { node, namespace, group, service, instances, places: shown.collect() }
    }
}

impl From<&ServiceKey> for AfterService {
    fn from(ServiceKey { namespace, group, name }: &ServiceKey) -> Self {
        let (namespace, group) = (namespace.to_string(), group.to_string());
        Self { namespace, group, service: name.to_string() }
    }
}
