//! Offer an instance: gRPC `InstanceRequest` and `PersistentInstanceRequest` (`registerInstance`), `POST /v1/ns/instance`.

use super::{
    Beat,
    instance::{self, changed, resource, settled},
};
use crate::{
    Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Door,
};
use naming::{ClientId, Instance, Request, ServiceKey};

#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) service: ServiceKey,
    pub(crate) instance: Instance,
}

impl Register {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let (service, instance) = (form.service()?, instance::of_form(form)?);
        Ok(Self { service, instance }.into())
    }
}

impl Register {
    /// Of v3: with `heartBeat=true` it is a beat, and nothing is registered.
    pub(crate) fn from_http_v3(form: &Form) -> Result<Operation, Fault> {
        if form.flag("heartBeat", false) { Beat::light(form) } else { Self::from_http(form) }
    }
}

impl Operate for Register {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let (service, instance) = (self.service.clone(), self.instance.clone());
        if !instance.ephemeral {
            return Next::Ask(Ask::Naming(Request::RegisterPersistent { service, instance }));
        }
        let client = match context.door {
            Door::Grpc { .. } => ClientId::Connection(context.facts.connection),
            Door::Http { .. } => ClientId::Address { ip: instance.ip.clone(), port: instance.port },
        };
        Next::Ask(Ask::Naming(Request::Register { client, service, instance }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "registerInstance")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
