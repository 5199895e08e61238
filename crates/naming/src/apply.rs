//! The second entrance: what the log decides. Nothing but the replicated state and the command may be read here.

use crate::{
    Applied, Checker, ClusterSettings, Command, Edit, Instance, METADATA_CHARS_MAX, Naming,
    Outcome, Output, Place, Refusal, ServiceKey, ServiceKind, ServiceMetadata,
    agreed::{AgreedService, Change},
    overlay::Overlay,
    propose, rows,
};
use base::{LogIndex, Revision};
use journal::{Kind, Subject};
use std::sync::Arc;

/// Persistent instances of all services together; one more is refused.
pub const PERSISTENT_INSTANCES_MAX: usize = 200_000;
/// Services that somebody created or edited; one more is refused.
pub const SERVICES_DESCRIBED_MAX: usize = 100_000;
/// Instances that somebody edited; one more is refused.
pub const OVERLAYS_MAX: usize = 200_000;

/// Cluster names of which somebody said something; one more is refused.
pub const CLUSTERS_DESCRIBED_MAX: usize = 100_000;

/// The changes that a command comes to (none: it was so already) and its outcome, or why it is refused.
type Decision = Result<(Vec<Change>, Outcome), Refusal>;

impl Naming {
    /// Applies an entry of the log. Its outputs are to be polled before the outcome is reported.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        self.settle();
        let decision = match command.clone() {
            Command::Register { service, instance } => self.decide_register(service, instance),
            Command::Deregister { service, ip, port } => {
                let agreed = self.agreed.get(&service);
                let found = agreed.and_then(|agreed| agreed.of_client(&ip, port));
                let drop = found.map(|(place, _)| Change::DropInstance(service, place.clone()));
                Ok((drop.into_iter().collect(), Outcome::Done))
            }
            Command::CreateService { service, metadata } => self.decide_create(service, metadata),
            Command::UpdateService { service, metadata } => self.decide_update(service, metadata),
            Command::RemoveService { service } => self.decide_remove(&service),
            Command::EditInstances { service, places, edit } => {
                self.decide_edit(&service, places, &edit, index.into())
            }
            Command::ForgetOverlays { service, overlays } => {
                Ok((self.forgotten(&service, overlays), Outcome::Done))
            }
            Command::UpdateCluster { service, cluster_name, settings } => {
                self.decide_cluster(service, cluster_name, settings)
            }
            Command::SetHealth { service, place, healthy } => {
                self.decide_health(service, place, healthy)
            }
            Command::Switch(switch) => {
                let switches = self.agreed.switches.with(switch);
                let change = Change::PutSwitches(switches);
                let changed = switches != self.agreed.switches;
                Ok((changed.then_some(change).into_iter().collect(), Outcome::Done))
            }
        };
        let (changes, outcome) = match decision {
            Ok(decided) => decided,
            Err(refusal) => {
                return Applied { outcome: Outcome::Refused(refusal), rows: Vec::new() };
            }
        };
        let rows = changes.iter().map(rows::row).collect();
        for change in changes {
            self.tell(&change);
            self.make(change);
        }
        if let Command::RemoveService { service } = command {
            self.retire_empty(service);
        }
        self.publish_changed();
        Applied { outcome, rows }
    }

    fn decide_register(&self, service: ServiceKey, instance: Instance) -> Decision {
        let agreed = self.agreed.get(&service);
        let said = agreed.and_then(|agreed| agreed.metadata.as_ref()?.kind);
        if let Some(kind @ ServiceKind::Ephemeral) = said {
            return Err(propose::of_kind(&service, kind));
        }
        let former = agreed.and_then(|agreed| agreed.of_client(&instance.ip, instance.port));
        if former.is_none() {
            let what = "persistent instances";
            room(self.agreed.instances_count, 1, what, PERSISTENT_INSTANCES_MAX)?;
        }
        let mut changes = Vec::new();
        if let Some((place, _)) = former.filter(|(place, _)| **place != Place::of(&instance)) {
            changes.push(Change::DropInstance(service.clone(), place.clone()));
        }
        if former.is_none_or(|(_, former)| **former != instance) {
            changes.push(Change::PutInstance(service, Arc::new(instance)));
        }
        Ok((changes, Outcome::Done))
    }

    fn decide_create(&self, service: ServiceKey, metadata: ServiceMetadata) -> Decision {
        let exists =
            |agreed: &AgreedService| agreed.metadata.is_some() || !agreed.instances.is_empty();
        if self.agreed.get(&service).is_some_and(exists) {
            return Err(Refusal::ServiceExists(service.grouped_name()));
        }
        room(self.agreed.metadata_count, 1, "services with metadata", SERVICES_DESCRIBED_MAX)?;
        Ok((vec![Change::PutMetadata(service, Arc::new(metadata))], Outcome::Done))
    }

    fn decide_update(&self, service: ServiceKey, mut metadata: ServiceMetadata) -> Decision {
        let former = self.agreed.get(&service).and_then(|agreed| agreed.metadata.as_ref());
        match former {
            // An update does not turn a service into one of the other kind.
            Some(former) => metadata.kind = former.kind,
            None => room(
                self.agreed.metadata_count,
                1,
                "services with metadata",
                SERVICES_DESCRIBED_MAX,
            )?,
        }
        if former.is_some_and(|former| **former == metadata) {
            return Ok((Vec::new(), Outcome::Done));
        }
        Ok((vec![Change::PutMetadata(service, Arc::new(metadata))], Outcome::Done))
    }

    fn decide_remove(&self, service: &ServiceKey) -> Decision {
        let Some(agreed) = self.agreed.get(service) else {
            return Ok((Vec::new(), Outcome::Done));
        };
        if !agreed.instances.is_empty() {
            return Err(Refusal::ServiceNotEmpty(service.grouped_name()));
        }
        let metadata = agreed.metadata.iter().map(|_| Change::DropMetadata(service.clone()));
        let overlays = agreed.overlays.keys();
        let overlays = overlays.map(|place| Change::DropOverlay(service.clone(), place.clone()));
        let clusters = agreed.clusters.keys();
        let clusters = clusters.map(|name| Change::DropCluster(service.clone(), name.clone()));
        Ok((metadata.chain(overlays).chain(clusters).collect(), Outcome::Done))
    }

    /// Of a service of which nothing is said yet, the default is said as well, as in Nacos: it is kept from now on.
    fn decide_cluster(
        &self,
        service: ServiceKey,
        cluster_name: Arc<str>,
        settings: ClusterSettings,
    ) -> Decision {
        let agreed = self.agreed.get(&service);
        let former = agreed.and_then(|agreed| agreed.clusters.get(&cluster_name));
        if former.is_some_and(|former| **former == settings) {
            return Ok((Vec::new(), Outcome::Done));
        }
        if former.is_none() {
            let what = "cluster names with settings";
            room(self.agreed.clusters_count, 1, what, CLUSTERS_DESCRIBED_MAX)?;
        }
        let mut changes = Vec::new();
        if agreed.is_none_or(|agreed| agreed.metadata.is_none()) {
            room(self.agreed.metadata_count, 1, "services with metadata", SERVICES_DESCRIBED_MAX)?;
            changes.push(Change::PutMetadata(service.clone(), Arc::default()));
        }
        changes.push(Change::PutCluster(service, cluster_name, Arc::new(settings)));
        Ok((changes, Outcome::Done))
    }

    fn decide_health(&self, service: ServiceKey, place: Place, healthy: bool) -> Decision {
        let agreed = self.agreed.get(&service);
        let settings = agreed.and_then(|agreed| agreed.clusters.get(&place.cluster_name));
        if settings.is_none_or(|settings| settings.checker != Checker::None) {
            let (service, cluster_name) = (service.grouped_name(), place.cluster_name);
            return Err(Refusal::HealthIsChecked { service, cluster_name });
        }
        let instance = agreed.and_then(|agreed| agreed.instances.get(&place));
        let instance = instance.ok_or(Refusal::NoSuchInstance)?;
        if instance.healthy == healthy {
            return Ok((Vec::new(), Outcome::Done));
        }
        let instance = Arc::new(Instance { healthy, ..Instance::clone(instance) });
        Ok((vec![Change::PutInstance(service, instance)], Outcome::Done))
    }

    fn decide_edit(
        &self,
        service: &ServiceKey,
        places: Vec<Place>,
        edit: &Edit,
        revision: Revision,
    ) -> Decision {
        let (mut changes, mut edited, mut added) = (Vec::new(), Vec::new(), 0);
        let agreed = self.agreed.get(service);
        for place in places {
            let former = agreed.and_then(|agreed| agreed.overlays.get(&place));
            if former.is_none() && matches!(edit, Edit::RemoveMetadata(_)) {
                continue;
            }
            let overlay = former.cloned().unwrap_or_default().edited(edit, revision);
            if !overlay.fits() {
                return Err(Refusal::TooLong { what: "metadata", limit: METADATA_CHARS_MAX });
            }
            edited.push(place.clone());
            match former {
                Some(_) if overlay.is_empty() => {
                    changes.push(Change::DropOverlay(service.clone(), place));
                }
                None if overlay.is_empty() => {}
                Some(former) if former.says_the_same_as(&overlay) => {}
                Some(_) | None => {
                    added += usize::from(former.is_none());
                    changes.push(Change::PutOverlay(service.clone(), place, overlay));
                }
            }
        }
        if added > 0 {
            room(self.agreed.overlays_count, added, "edited instances", OVERLAYS_MAX)?;
        }
        Ok((changes, Outcome::Edited(edited)))
    }

    fn forgotten(&self, service: &ServiceKey, overlays: Vec<(Place, Revision)>) -> Vec<Change> {
        let agreed = self.agreed.get(service);
        let current = |place: &Place, revision: Revision| {
            let overlay = agreed.and_then(|agreed| agreed.overlays.get(place));
            overlay.is_some_and(|overlay: &Overlay| overlay.revision == revision)
        };
        overlays
            .into_iter()
            .filter(|(place, revision)| current(place, *revision))
            .map(|(place, _)| Change::DropOverlay(service.clone(), place))
            .collect()
    }

    /// For the journal.
    fn tell(&mut self, change: &Change) {
        match change {
            Change::PutMetadata(service, _)
            | Change::DropMetadata(service)
            | Change::PutCluster(service, ..)
            | Change::DropCluster(service, _) => {
                self.service_event(Kind::Edited, service);
            }
            Change::PutInstance(service, instance) => {
                let place = Place::of(instance);
                let agreed = self.agreed.get(service);
                let former = agreed.and_then(|agreed| agreed.instances.get(&place));
                let kind = match former.map(|former| former.healthy) {
                    Some(false) if instance.healthy => Kind::BecameHealthy,
                    Some(true) if !instance.healthy => Kind::BecameUnhealthy,
                    Some(_) | None => Kind::Registered,
                };
                self.place_event(kind, service, &place);
            }
            Change::DropInstance(service, place) => {
                self.place_event(Kind::Deregistered, service, place);
            }
            Change::PutOverlay(service, place, _) | Change::DropOverlay(service, place) => {
                self.place_event(Kind::Edited, service, place);
            }
            Change::PutSwitches(_) => {
                self.outputs.push_back(Output::Event(Kind::Edited, Subject::Node));
            }
        }
    }
}

fn room(count: usize, added: usize, what: &'static str, limit: usize) -> Result<(), Refusal> {
    if count + added > limit { Err(Refusal::Full { what, limit }) } else { Ok(()) }
}
