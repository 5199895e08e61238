//! Replace all instances that a connection offers in a service: gRPC `BatchInstanceRequest`.

use super::instance::{InstanceFields, changed, request_of_service, resource, settled};
use crate::{
    Ask,
    fault::{Fault, Shape},
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation},
};
use http::StatusCode;
use naming::{ClientId, Instance, Request, ServiceKey};

/// Instances of one request.
pub(crate) const BATCH_INSTANCES_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct RegisterBatch {
    service: ServiceKey,
    instances: Vec<Instance>,
}

request_of_service! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        r#type: Option<String>,
        instances: Option<Vec<InstanceFields>>,
    }
}

impl RegisterBatch {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.service();
        fields.filter()?;
        let given = body.instances.unwrap_or_default();
        if given.len() > BATCH_INSTANCES_MAX {
            return Err(Fault::plain(format!(
                "more than {BATCH_INSTANCES_MAX} instances in one request: use several services"
            )));
        }
        let instances: Vec<Instance> =
            given.into_iter().map(InstanceFields::read).collect::<Result<_, _>>()?;
        let service = fields.key()?;
        if body.r#type.as_deref() != Some("batchRegisterInstance") {
            let text =
                format!("Unsupported request type {}", body.r#type.as_deref().unwrap_or("null"));
            let shape = Shape::Error { result: 400 };
            return Err(Fault::new(shape, StatusCode::BAD_REQUEST, 400, text));
        }
        for instance in &instances {
            if instance.ip.is_empty() {
                return Err(Fault::plain("Param 'ip' is required."));
            }
            if !instance.ephemeral {
                return Err(Fault::plain(
                    "Batch registration does not allow persistent instance registration!",
                ));
            }
        }
        Ok(Self { service, instances }.into())
    }
}

impl Operate for RegisterBatch {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::RegisterBatch {
            client: ClientId::Connection(context.facts.connection),
            service: self.service.clone(),
            instances: self.instances.clone(),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "batchRegisterInstance")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
