//! Services and their instances.

use crate::dates::rfc3339;
use naming::ServiceView;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A service in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its name without the group.
    pub name: Arc<str>,
    /// How many instances it has.
    pub instances: usize,
    /// How many of them are healthy.
    pub healthy: usize,
    /// Of the view: milliseconds of the hybrid clock.
    pub version: u64,
    /// When the view changed.
    pub changed_at: String,
}

/// A service with its instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its name without the group.
    pub name: Arc<str>,
    /// Below this healthy share all instances are shown as healthy.
    pub protect_threshold: f64,
    /// Of the view: milliseconds of the hybrid clock; 0 when the service is unknown.
    pub version: u64,
    /// When the view changed.
    pub changed_at: String,
    /// By ip, port, cluster.
    pub instances: Vec<Instance>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// As registered.
    pub ip: Arc<str>,
    /// As registered.
    pub port: u16,
    /// Its cluster name.
    pub cluster: Arc<str>,
    /// Its share of the traffic.
    pub weight: f64,
    /// Whether it is fit to be called.
    pub healthy: bool,
    /// Whether it is shown to callers.
    pub enabled: bool,
    /// Whether it lives with its client.
    pub ephemeral: bool,
    /// What the application says of itself.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

/// What is sent to register an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// IP address or host name.
    pub ip: Arc<str>,
    /// Port.
    pub port: u16,
    /// Cluster name; `DEFAULT` when absent.
    #[serde(default)]
    pub cluster: Option<Arc<str>>,
    /// Share of the traffic; 1 when absent.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Whether it is shown to callers; yes when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// What the application says of itself.
    #[serde(default)]
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

/// The answer to a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// The instance is removed when no beat comes for this long.
    pub expires_after_ms: u64,
}

/// The answer to a beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// False: the instance is not registered (any more); register it again.
    pub known: bool,
    /// When to beat next.
    pub interval_ms: u64,
}

impl From<&ServiceView> for ServiceLine {
    fn from(view: &ServiceView) -> Self {
        Self {
            namespace: Arc::clone(&view.key.namespace),
            group: Arc::clone(&view.key.group),
            name: Arc::clone(&view.key.name),
            instances: view.instances.len(),
            healthy: view.instances.iter().filter(|instance| instance.healthy).count(),
            version: view.version,
            changed_at: rfc3339(view.version),
        }
    }
}

impl Service {
    /// A view as far as these cluster names (all, if none) are concerned.
    pub(crate) fn of(view: &ServiceView, clusters: &[Arc<str>]) -> Self {
        let instances = view.instances.iter();
        Self {
            namespace: Arc::clone(&view.key.namespace),
            group: Arc::clone(&view.key.group),
            name: Arc::clone(&view.key.name),
            protect_threshold: view.protect_threshold,
            version: view.version,
            changed_at: rfc3339(view.version),
            instances: instances
                .filter(|one| clusters.is_empty() || clusters.contains(&one.cluster_name))
                .map(|instance| Instance::from(&**instance))
                .collect(),
        }
    }
}

impl From<&naming::Instance> for Instance {
    fn from(instance: &naming::Instance) -> Self {
        Self {
            ip: Arc::clone(&instance.ip),
            port: instance.port,
            cluster: Arc::clone(&instance.cluster_name),
            weight: instance.weight,
            healthy: instance.healthy,
            enabled: instance.enabled,
            ephemeral: instance.ephemeral,
            metadata: instance.metadata.clone(),
        }
    }
}
