//! Take an instance back: gRPC `InstanceRequest` and `PersistentInstanceRequest` (`deregisterInstance`), `DELETE /v1/ns/instance`.

use super::instance::{changed, resource, settled};
use crate::{
    Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Door,
};
use naming::{ClientId, Request, ServiceKey};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Deregister {
    pub(crate) service: ServiceKey,
    pub(crate) ip: Arc<str>,
    pub(crate) port: u16,
    pub(crate) cluster_name: Arc<str>,
    /// False asks for a persistent one.
    pub(crate) ephemeral: bool,
}

impl Deregister {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let (ip, port) = form.address()?;
        let (cluster_name, ephemeral) = (form.cluster_name(), form.flag("ephemeral", true));
        Ok(Self { service, ip, port, cluster_name, ephemeral }.into())
    }
}

impl Operate for Deregister {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if !self.ephemeral {
            let (service, ip, port) = (self.service.clone(), self.ip.clone(), self.port);
            return Next::Ask(Ask::Naming(Request::DeregisterPersistent { service, ip, port }));
        }
        let client = match context.door {
            Door::Grpc { .. } => ClientId::Connection(context.facts.connection),
            Door::Http { .. } => ClientId::Address { ip: self.ip.clone(), port: self.port },
        };
        Next::Ask(Ask::Naming(Request::Deregister {
            client,
            service: self.service.clone(),
            ip: self.ip.clone(),
            port: self.port,
            cluster_name: self.cluster_name.clone(),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "deregisterInstance")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
