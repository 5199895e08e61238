//! Somebody says how a persistent instance is: `PUT /v1/ns/health/instance`.
//!
//! Nacos takes that only where the cluster's health checker is `NONE`, which cannot be set here yet: it is always refused.

use super::instance::resource;
use crate::{
    fault::Fault,
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
};
use naming::ServiceKey;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct SetHealth {
    service: ServiceKey,
    cluster_name: Arc<str>,
}

impl SetHealth {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        form.address()?;
        form.some("healthy")
            .or_else(|| form.some("valid"))
            .ok_or_else(|| Fault::required("healthy"))?;
        Ok(Self { service, cluster_name: form.cluster_name() }.into())
    }
}

impl Operate for SetHealth {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        let (service, cluster) = (self.service.grouped_name(), &self.cluster_name);
        Next::Fault(Fault::plain(format!(
            "health check is still working, service: {service}, cluster: {cluster}"
        )))
    }
}
