//! What enters the log, and what comes of it.

use crate::{ClusterSettings, Instance, Place, Refusal, ServiceKey, ServiceMetadata, Switch};
use base::{Revision, Row};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A change of what all nodes agree on. Everything that is not state is in it, so that every node applies the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// See `Request::RegisterPersistent`.
    Register {
        /// Where.
        service: ServiceKey,
        /// What.
        instance: Instance,
    },
    /// See `Request::DeregisterPersistent`.
    Deregister {
        /// Where.
        service: ServiceKey,
        /// Address of the instance.
        ip: Arc<str>,
        /// Port of the instance.
        port: u16,
    },
    /// See `Request::CreateService`.
    CreateService {
        /// Which.
        service: ServiceKey,
        /// What is said of it.
        metadata: ServiceMetadata,
    },
    /// See `Request::UpdateService`.
    UpdateService {
        /// Which.
        service: ServiceKey,
        /// What is said of it from now on.
        metadata: ServiceMetadata,
    },
    /// See `Request::RemoveService`.
    RemoveService {
        /// Which.
        service: ServiceKey,
    },
    /// See `Request::EditInstances`.
    EditInstances {
        /// Where.
        service: ServiceKey,
        /// Which.
        places: Vec<Place>,
        /// How.
        edit: Edit,
    },
    /// The instances of these overlays are gone for long enough. An overlay that was edited since is kept.
    ForgetOverlays {
        /// Where.
        service: ServiceKey,
        /// Which, as of which edit.
        overlays: Vec<(Place, Revision)>,
    },
    /// See `Request::UpdateCluster`.
    UpdateCluster {
        /// Where.
        service: ServiceKey,
        /// Which.
        cluster_name: Arc<str>,
        /// What is said of it from now on.
        settings: ClusterSettings,
    },
    /// See `Request::SetHealth`.
    SetHealth {
        /// Where.
        service: ServiceKey,
        /// Which instance.
        place: Place,
        /// How it is.
        healthy: bool,
    },
    /// See `Request::Switch`.
    Switch(Switch),
}

/// How an operator changes what is shown of an instance. What its client registered stays as it is underneath.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    /// These values, and nothing that was edited before.
    Replace {
        /// Whether it is to be shown to callers.
        enabled: bool,
        /// Share of the traffic, 0 to 10 000.
        weight: f64,
        /// Over what the client registered, key by key.
        metadata: BTreeMap<Arc<str>, Arc<str>>,
    },
    /// What is given; the rest stays as it was edited before.
    Patch {
        /// Whether it is to be shown to callers.
        enabled: Option<bool>,
        /// Share of the traffic, 0 to 10 000.
        weight: Option<f64>,
        /// Replaces all metadata that was edited before.
        metadata: Option<BTreeMap<Arc<str>, Arc<str>>>,
    },
    /// These keys, too.
    AddMetadata(BTreeMap<Arc<str>, Arc<str>>),
    /// No longer these keys, if an operator set them.
    RemoveMetadata(Vec<Arc<str>>),
}

/// What applying a command came to. The same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so; the view that shows it was published before.
    Done,
    /// Of `EditInstances`: these have been edited. Not those to which the edit does not apply.
    Edited(Vec<Place>),
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// What `apply` came to: the outcome for the one who asked, and the rows for the state tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The same on every node.
    pub outcome: Outcome,
    /// Empty when nothing changed.
    pub rows: Vec<Row>,
}
