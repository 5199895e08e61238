//! One instance: `GET /v1/ns/instance`.

use super::instance::resource;
use crate::{
    Views,
    fault::{Fault, Shape},
    form::Form,
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
    service_info,
};
use base::Consistency;
use http::StatusCode;
use naming::{Instance, Place, ServiceKey};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
pub(crate) struct ShowInstance {
    service: ServiceKey,
    ip: Arc<str>,
    port: u16,
    cluster_name: Arc<str>,
}

impl ShowInstance {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let (ip, port) = form.address()?;
        Ok(Self { service, ip, port, cluster_name: form.cluster_name() }.into())
    }
}

impl Operate for ShowInstance {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            service: Option<&'a str>,
            /// The same, as it is called from v2 on.
            #[serde(skip_serializing_if = "Option::is_none")]
            service_name: Option<&'a str>,
            ip: &'a str,
            port: u16,
            cluster_name: &'a str,
            weight: f64,
            healthy: bool,
            instance_id: &'a str,
            metadata: &'a BTreeMap<Arc<str>, Arc<str>>,
        }
        let Self { service, ip, port, cluster_name } = self;
        let place = Place { ip: ip.clone(), port: *port, cluster_name: cluster_name.clone() };
        let instance = match find(context.views, service, &place) {
            Ok(instance) => instance,
            Err(fault) => return Next::Fault(fault),
        };
        let grouped = service.grouped_name();
        Next::Reply(Rendered::json(&Shown {
            service: Some(&*grouped).filter(|_| !context.door.is_wrapped()),
            service_name: Some(&*grouped).filter(|_| context.door.is_wrapped()),
            ip: &instance.ip,
            port: instance.port,
            cluster_name: &instance.cluster_name,
            weight: instance.weight,
            healthy: instance.healthy,
            instance_id: &service_info::id_of(&grouped, &instance),
            metadata: &instance.metadata,
        }))
    }
}

/// The instance at a place, or Nacos's words for its absence.
pub(crate) fn find(
    views: &dyn Views,
    service: &ServiceKey,
    place: &Place,
) -> Result<Arc<Instance>, Fault> {
    let missing = |text: String| Fault::new(Shape::Plain, StatusCode::NOT_FOUND, 404, text);
    let view = views.service(service);
    let in_cluster = view.iter().flat_map(|view| view.instances.iter());
    let mut in_cluster =
        in_cluster.filter(|instance| instance.cluster_name == place.cluster_name).peekable();
    if in_cluster.peek().is_none() {
        let (cluster, grouped) = (&place.cluster_name, service.grouped_name());
        return Err(missing(format!("no ips found for cluster {cluster} in service {grouped}")));
    }
    let found = in_cluster.find(|one| one.ip == place.ip && one.port == place.port);
    found.cloned().ok_or_else(|| missing("no matched ip found!".to_owned()))
}
