//! Offer an instance: gRPC `InstanceRequest` (`registerInstance`), `POST /v1/ns/instance`.

use super::instance::{self, changed, refused, resource};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::Door,
};
use naming::{ClientId, Instance, Reply, Request, ServiceKey};

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

impl Operate for Register {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let client = match context.door {
            Door::Grpc { .. } => ClientId::Connection(context.facts.connection),
            Door::Http { .. } => {
                ClientId::Address { ip: self.instance.ip.clone(), port: self.instance.port }
            }
        };
        let (service, instance) = (self.service.clone(), self.instance.clone());
        Next::Ask(Ask::Naming(Request::Register { client, service, instance }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Done)) => {
                Next::Reply(changed(context.door, "registerInstance"))
            }
            Event::Answer(Answer::Naming(Reply::Refused(refusal))) => {
                Next::Fault(refused(&refusal))
            }
            event => unexpected(event),
        }
    }
}
