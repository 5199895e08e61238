//! What all nodes agree on: persistent instances, what operators say of services and of instances. And how it comes back
//! from the state tables.

use crate::{
    ClusterSettings, Instance, Naming, Output, Place, ServiceKey, ServiceMetadata, Switches,
    overlay::Overlay, rows,
};
use base::Row;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

/// What is agreed on one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AgreedService {
    pub(crate) metadata: Option<Arc<ServiceMetadata>>,
    /// Persistent ones. Each (ip, port) appears once, as its client has one instance per service.
    pub(crate) instances: BTreeMap<Place, Arc<Instance>>,
    pub(crate) overlays: BTreeMap<Place, Overlay>,
    pub(crate) clusters: BTreeMap<Arc<str>, Arc<ClusterSettings>>,
}

/// The replicated state of the plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Agreed {
    services: BTreeMap<ServiceKey, AgreedService>,
    /// How many instances each persistent client has.
    clients: BTreeMap<(Arc<str>, u16), usize>,
    pub(crate) metadata_count: usize,
    pub(crate) instances_count: usize,
    pub(crate) overlays_count: usize,
    pub(crate) clusters_count: usize,
    pub(crate) switches: Switches,
}

/// One change of the replicated state: one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    PutMetadata(ServiceKey, Arc<ServiceMetadata>),
    DropMetadata(ServiceKey),
    PutInstance(ServiceKey, Arc<Instance>),
    DropInstance(ServiceKey, Place),
    PutOverlay(ServiceKey, Place, Overlay),
    DropOverlay(ServiceKey, Place),
    PutCluster(ServiceKey, Arc<str>, Arc<ClusterSettings>),
    DropCluster(ServiceKey, Arc<str>),
    PutSwitches(Switches),
}

impl Change {
    /// What may be shown differently after it.
    fn touches(&self) -> Option<(&ServiceKey, Option<Place>)> {
        Some(match self {
            Self::PutMetadata(service, _)
            | Self::DropMetadata(service)
            | Self::PutCluster(service, ..)
            | Self::DropCluster(service, _) => (service, None),
            Self::PutInstance(service, instance) => (service, Some(Place::of(instance))),
            Self::DropInstance(service, place)
            | Self::PutOverlay(service, place, _)
            | Self::DropOverlay(service, place) => (service, Some(place.clone())),
            Self::PutSwitches(_) => return None,
        })
    }
}

impl AgreedService {
    fn is_empty(&self) -> bool {
        let Self { metadata, instances, overlays, clusters } = self;
        metadata.is_none() && instances.is_empty() && overlays.is_empty() && clusters.is_empty()
    }

    /// The persistent instance of a client.
    pub(crate) fn of_client(&self, ip: &Arc<str>, port: u16) -> Option<(&Place, &Arc<Instance>)> {
        let first = Place { ip: ip.clone(), port, cluster_name: "".into() };
        let found = self.instances.range(first..).next();
        found.filter(|(place, _)| place.ip == *ip && place.port == port)
    }
}

impl Agreed {
    pub(crate) fn get(&self, service: &ServiceKey) -> Option<&AgreedService> {
        self.services.get(service)
    }

    pub(crate) fn clients_count(&self) -> usize {
        self.clients.len()
    }

    /// The clients of persistent instances after one of them, in order.
    pub(crate) fn clients_after(
        &self,
        after: Bound<(Arc<str>, u16)>,
    ) -> impl Iterator<Item = &(Arc<str>, u16)> {
        self.clients.range((after, Bound::Unbounded)).map(|(client, _)| client)
    }

    pub(crate) fn has_client(&self, ip: &Arc<str>, port: u16) -> bool {
        self.clients.contains_key(&(ip.clone(), port))
    }

    /// What is agreed on the services after one of them, in order.
    pub(crate) fn services_after(
        &self,
        after: Option<&ServiceKey>,
    ) -> impl Iterator<Item = (&ServiceKey, &AgreedService)> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.services.range::<ServiceKey, _>((after, Bound::Unbounded))
    }

    fn make(&mut self, change: Change) {
        if let Change::PutSwitches(switches) = change {
            self.switches = switches;
            return;
        }
        let Some((key, _)) = change.touches() else { return };
        let key = key.clone();
        let service = self.services.entry(key.clone()).or_default();
        match change {
            Change::PutMetadata(_, metadata) => {
                self.metadata_count += usize::from(service.metadata.replace(metadata).is_none());
            }
            Change::DropMetadata(_) => {
                self.metadata_count -= usize::from(service.metadata.take().is_some());
            }
            Change::PutInstance(_, instance) => {
                let client = (instance.ip.clone(), instance.port);
                if service.instances.insert(Place::of(&instance), instance).is_none() {
                    self.instances_count += 1;
                    *self.clients.entry(client).or_default() += 1;
                }
            }
            Change::DropInstance(_, place) => {
                if service.instances.remove(&place).is_some() {
                    self.instances_count -= 1;
                    self.one_less_of((place.ip, place.port));
                }
            }
            Change::PutOverlay(_, place, overlay) => {
                self.overlays_count +=
                    usize::from(service.overlays.insert(place, overlay).is_none());
            }
            Change::DropOverlay(_, place) => {
                self.overlays_count -= usize::from(service.overlays.remove(&place).is_some());
            }
            Change::PutCluster(_, name, settings) => {
                self.clusters_count +=
                    usize::from(service.clusters.insert(name, settings).is_none());
            }
            Change::DropCluster(_, name) => {
                self.clusters_count -= usize::from(service.clusters.remove(&name).is_some());
            }
            Change::PutSwitches(_) => unreachable!("they belong to no service, and are made above"),
        }
        if self.services.get(&key).is_some_and(AgreedService::is_empty) {
            self.services.remove(&key);
        }
    }

    fn one_less_of(&mut self, client: (Arc<str>, u16)) {
        let count = self.clients.get_mut(&client).expect("a client with an instance is counted");
        *count -= 1;
        if *count == 0 {
            self.clients.remove(&client);
        }
    }

    /// All places that something is known of, by service.
    fn places(&self) -> impl Iterator<Item = (&ServiceKey, impl Iterator<Item = &Place>)> {
        self.services
            .iter()
            .map(|(key, service)| (key, service.instances.keys().chain(service.overlays.keys())))
    }
}

impl Naming {
    /// Makes a change, and takes note of what is to be published.
    pub(crate) fn make(&mut self, change: Change) {
        if let Some((key, place)) = change.touches() {
            let service = self.shared(key);
            let changed = self.changed.entry(service).or_default();
            changed.places.extend(place.map(Arc::new));
            if let Change::PutCluster(_, name, _) | Change::DropCluster(_, name) = &change {
                // Whether what was found out about instances is shown depends on how they are to be checked.
                let instances = self.agreed.get(key).map(|agreed| agreed.instances.keys());
                let named = instances.into_iter().flatten().filter(|at| at.cluster_name == *name);
                changed.places.extend(named.cloned().map(Arc::new));
            }
        }
        self.agreed.make(change);
    }

    /// Takes in a piece of the state tables: at start as it comes, else when all of it has come.
    pub(crate) fn restore(&mut self, piece: &[Row]) {
        for row in piece {
            let change = match rows::read(row) {
                Ok(change) => change,
                Err(why) => {
                    self.outputs.push_back(Output::Halt(why));
                    return;
                }
            };
            match &mut self.incoming {
                Some(incoming) => incoming.make(change),
                None => self.make(change),
            }
        }
    }

    /// Until `settle` the former state is shown: a service must not look smaller than it is because we are reading.
    pub(crate) fn reset(&mut self) {
        self.incoming = Some(Agreed::default());
    }

    /// Ends a restore.
    pub(crate) fn settle(&mut self) {
        let Some(incoming) = self.incoming.take() else { return };
        let former = std::mem::replace(&mut self.agreed, incoming);
        for (key, places) in former.places().chain(self.agreed.places()) {
            self.changed
                .entry(self.shared(key))
                .or_default()
                .places
                .extend(places.cloned().map(Arc::new));
        }
    }
}
