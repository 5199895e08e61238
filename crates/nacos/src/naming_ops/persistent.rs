//! Persistent instances over gRPC: `PersistentInstanceRequest`. Not served yet, and said so.

use super::instance::ServiceFields;
use super::instance::{refused, resource};
use crate::{
    fault::Fault,
    grpc,
    operation::{Context, Need, Next, Operate, Operation},
};
use naming::{Refusal, ServiceKey};
use serde::Deserialize;

#[derive(Debug)]
pub(crate) struct RegisterPersistent {
    service: ServiceKey,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(flatten)]
    service: ServiceFields,
}

impl RegisterPersistent {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let body: Body = grpc::read(body)?;
        body.service.filter()?;
        Ok(Self { service: body.service.key()? }.into())
    }
}

impl Operate for RegisterPersistent {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Fault(refused(&Refusal::PersistentUnsupported))
    }
}
