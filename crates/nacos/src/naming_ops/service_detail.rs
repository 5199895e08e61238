//! What is known of a service itself: `GET /v1/ns/service`, `/v2/ns/service` and `/v1/ns/catalog/service`.

use super::{cluster::ShownChecker, instance::resource, service::ShownSelector};
use crate::{
    Answer, Ask,
    fault::{ErrorCode, Fault, Shape},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use base::Consistency;
use http::StatusCode;
use naming::{ClusterSettings, Reply, Request, ServiceKey, ServiceKind, ServiceView};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

type Metadata = BTreeMap<Arc<str>, Arc<str>>;

#[derive(Debug)]
pub(crate) struct ShowService {
    service: ServiceKey,
    page: Page,
}

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Service,
    Catalog,
}

impl ShowService {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { service: form.service()?, page: Page::Service }.into())
    }

    pub(crate) fn catalog(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { service: form.service()?, page: Page::Catalog }.into())
    }

    fn missing(&self) -> Fault {
        let ServiceKey { namespace, .. } = &self.service;
        let grouped = self.service.grouped_name();
        match self.page {
            Page::Service => Fault::plain(format!(
                "service not found, namespace: {namespace}, serviceName: {grouped}"
            ))
            .with(ErrorCode::ServiceUnknown),
            Page::Catalog => not_found(&self.service),
        }
    }

    fn shown(
        &self,
        view: &ServiceView,
        clusters: &BTreeMap<Arc<str>, Arc<ClusterSettings>>,
        wrapped: bool,
    ) -> Rendered {
        let said = view.metadata.as_deref().cloned().unwrap_or_default();
        let selector = ShownSelector::of(&said.selector);
        let ServiceKey { namespace, group, name } = &self.service;
        let grouped = self.service.grouped_name();
        // Those of instances, and those of which somebody said something.
        let mut all: BTreeMap<&str, ClusterSettings> = BTreeMap::new();
        for instance in &*view.instances {
            all.entry(&instance.cluster_name).or_default();
        }
        for (name, settings) in clusters {
            all.insert(name, ClusterSettings::clone(settings));
        }
        match self.page {
            Page::Service if wrapped => Rendered::json(&V2 {
                namespace,
                service_name: name,
                group_name: group,
                cluster_map: all
                    .iter()
                    .map(|(name, said)| (*name, V2Cluster::of(name, said)))
                    .collect(),
                metadata: &said.metadata,
                protect_threshold: view.protect_threshold,
                selector,
                ephemeral: is_ephemeral(view),
            }),
            Page::Service => Rendered::json(&V1 {
                namespace_id: namespace,
                group_name: group,
                name,
                protect_threshold: view.protect_threshold,
                metadata: &said.metadata,
                selector,
                clusters: all.iter().map(|(name, said)| V1Cluster::of(name, said)).collect(),
            }),
            Page::Catalog => Rendered::json(&Catalog {
                service: CatalogService {
                    name,
                    group_name: group,
                    protect_threshold: view.protect_threshold,
                    selector,
                    metadata: &said.metadata,
                },
                clusters: all
                    .iter()
                    .map(|(name, said)| CatalogCluster::of(&grouped, name, said))
                    .collect(),
            }),
        }
    }
}

/// The catalog's words for a service that is not there.
pub(crate) fn not_found(service: &ServiceKey) -> Fault {
    let text = format!("service {} is not found!", service.grouped_name());
    Fault::new(Shape::Plain, StatusCode::NOT_FOUND, 404, text)
}

fn is_ephemeral(view: &ServiceView) -> bool {
    let said = view.metadata.as_ref().and_then(|said| said.kind);
    match view.instances.first() {
        Some(instance) => instance.ephemeral,
        None => said != Some(ServiceKind::Persistent),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1<'a> {
    namespace_id: &'a str,
    group_name: &'a str,
    name: &'a str,
    protect_threshold: f64,
    metadata: &'a Metadata,
    selector: ShownSelector<'a>,
    clusters: Vec<V1Cluster<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V1Cluster<'a> {
    name: &'a str,
    health_checker: ShownChecker<'a>,
    metadata: &'a Metadata,
}

impl<'a> V1Cluster<'a> {
    fn of(name: &'a str, said: &'a ClusterSettings) -> Self {
        Self { name, health_checker: ShownChecker::of(&said.checker), metadata: &said.metadata }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V2<'a> {
    namespace: &'a str,
    service_name: &'a str,
    group_name: &'a str,
    cluster_map: BTreeMap<&'a str, V2Cluster<'a>>,
    metadata: &'a Metadata,
    protect_threshold: f64,
    selector: ShownSelector<'a>,
    ephemeral: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V2Cluster<'a> {
    cluster_name: &'a str,
    health_checker: ShownChecker<'a>,
    healthy_check_port: u16,
    use_instance_port_for_check: bool,
    metadata: &'a Metadata,
}

impl<'a> V2Cluster<'a> {
    fn of(cluster_name: &'a str, said: &'a ClusterSettings) -> Self {
        Self {
            cluster_name,
            health_checker: ShownChecker::of(&said.checker),
            healthy_check_port: said.check_port,
            use_instance_port_for_check: said.checks_instance_port,
            metadata: &said.metadata,
        }
    }
}

#[derive(Serialize)]
struct Catalog<'a> {
    service: CatalogService<'a>,
    clusters: Vec<CatalogCluster<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CatalogService<'a> {
    name: &'a str,
    group_name: &'a str,
    protect_threshold: f64,
    selector: ShownSelector<'a>,
    metadata: &'a Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CatalogCluster<'a> {
    service_name: &'a str,
    name: &'a str,
    health_checker: ShownChecker<'a>,
    default_port: u16,
    default_check_port: u16,
    #[serde(rename = "useIPPort4Check")]
    checks_instance_port: bool,
    metadata: &'a Metadata,
}

impl<'a> CatalogCluster<'a> {
    fn of(service_name: &'a str, name: &'a str, said: &'a ClusterSettings) -> Self {
        Self {
            service_name,
            name,
            health_checker: ShownChecker::of(&said.checker),
            default_port: 80,
            default_check_port: said.check_port,
            checks_instance_port: said.checks_instance_port,
            metadata: &said.metadata,
        }
    }
}

impl Operate for ShowService {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if context.views.service(&self.service).is_none() {
            return Next::Fault(self.missing());
        }
        Next::Ask(Ask::Naming(Request::Clusters { service: self.service.clone() }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Clusters(clusters))) => {
                match context.views.service(&self.service) {
                    Some(view) => {
                        Next::Reply(self.shown(&view, &clusters, context.door.is_wrapped()))
                    }
                    None => Next::Fault(self.missing()),
                }
            }
            event => failed(event),
        }
    }
}
