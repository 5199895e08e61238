//! From a request to a command: form, and what only this node can know. Both kinds of instances are known here alone:
//! the ephemeral ones are not in the log.

use crate::{
    ClusterSettings, Command, Edit, Instance, Naming, Place, Refusal, ServiceKey, ServiceKind,
    ServiceMetadata, Switch, check, cluster, switches,
};
use std::sync::Arc;

impl Naming {
    pub(crate) fn propose_register(
        &self,
        service: ServiceKey,
        instance: Instance,
    ) -> Result<Command, Refusal> {
        check::service(&service)?;
        check::instance(&instance)?;
        self.check_kind(&service, ServiceKind::Persistent)?;
        Ok(Command::Register { service, instance: Instance { ephemeral: false, ..instance } })
    }

    pub(crate) fn propose_deregister(
        service: ServiceKey,
        ip: Arc<str>,
        port: u16,
    ) -> Result<Command, Refusal> {
        check::service(&service)?;
        check::ip(&ip)?;
        Ok(Command::Deregister { service, ip, port })
    }

    pub(crate) fn propose_create(
        &self,
        service: ServiceKey,
        metadata: ServiceMetadata,
    ) -> Result<Command, Refusal> {
        check::service(&service)?;
        check::service_metadata(&metadata)?;
        if self.is_listed(&service) {
            return Err(Refusal::ServiceExists(service.grouped_name()));
        }
        Ok(Command::CreateService { service, metadata })
    }

    pub(crate) fn propose_update(
        &self,
        service: ServiceKey,
        metadata: ServiceMetadata,
    ) -> Result<Command, Refusal> {
        check::service_metadata(&metadata)?;
        if !self.is_listed(&service) {
            return Err(Refusal::ServiceUnknown(service.grouped_name()));
        }
        Ok(Command::UpdateService { service, metadata })
    }

    pub(crate) fn propose_remove(&self, service: ServiceKey) -> Result<Command, Refusal> {
        match self.services.get(&service).filter(|known| known.published) {
            None => Err(Refusal::ServiceUnknown(service.grouped_name())),
            Some(known) if !known.view.instances.is_empty() => {
                Err(Refusal::ServiceNotEmpty(service.grouped_name()))
            }
            Some(_) => Ok(Command::RemoveService { service }),
        }
    }

    pub(crate) fn propose_edit(
        &self,
        service: ServiceKey,
        places: Vec<Place>,
        edit: Edit,
    ) -> Result<Command, Refusal> {
        check::edit(&places, &edit)?;
        if !self.is_listed(&service) {
            return Err(Refusal::NoSuchService(service));
        }
        Ok(Command::EditInstances { service, places, edit })
    }

    pub(crate) fn propose_cluster(
        service: ServiceKey,
        cluster_name: Arc<str>,
        settings: ClusterSettings,
    ) -> Result<Command, Refusal> {
        cluster::check(&service, &cluster_name, &settings)?;
        Ok(Command::UpdateCluster { service, cluster_name, settings })
    }

    pub(crate) fn propose_health(
        service: ServiceKey,
        place: Place,
        healthy: bool,
    ) -> Result<Command, Refusal> {
        check::service(&service)?;
        check::place(&place)?;
        Ok(Command::SetHealth { service, place, healthy })
    }

    pub(crate) fn propose_switch(switch: Switch) -> Result<Command, Refusal> {
        switches::check(switch)?;
        Ok(Command::Switch(switch))
    }

    /// Refuses a registration of one kind in a service of the other.
    pub(crate) fn check_kind(
        &self,
        service: &ServiceKey,
        wanted: ServiceKind,
    ) -> Result<(), Refusal> {
        match self.kind_of(service) {
            Some(kind) if kind != wanted => Err(of_kind(service, kind)),
            Some(_) | None => Ok(()),
        }
    }

    /// What is agreed counts before what this node has seen: a service may have both kinds for a moment when two nodes
    /// take the first registrations at once.
    fn kind_of(&self, service: &ServiceKey) -> Option<ServiceKind> {
        let agreed = self.agreed.get(service);
        if agreed.is_some_and(|agreed| !agreed.instances.is_empty()) {
            return Some(ServiceKind::Persistent);
        }
        let said = agreed.and_then(|agreed| agreed.metadata.as_ref()?.kind);
        said.or_else(|| self.services.get(service)?.kind)
    }

    fn is_listed(&self, service: &ServiceKey) -> bool {
        self.services.get(service).is_some_and(|service| service.published)
    }
}

/// Why a registration of the other kind is refused.
pub(crate) fn of_kind(service: &ServiceKey, kind: ServiceKind) -> Refusal {
    match kind {
        ServiceKind::Ephemeral => Refusal::EphemeralService(service.grouped_name()),
        ServiceKind::Persistent => Refusal::PersistentService(service.grouped_name()),
    }
}
