//! The catalog, as the old console and scripts read it: `GET /v1/ns/catalog/services`, `/v1/ns/catalog/instances`,
//! `/v2/ns/catalog/instances`, and of the same kind `/v1/ns/service/names` and `/v1/ns/instance/statuses`.
//!
//! Unlike the lists for callers it shows what is disabled, and health as it is. Names are looked for as a part of a name.

use super::{instance::resource, service_detail::not_found};
use crate::{
    fault::{Fault, Shape},
    form::{self, Form},
    operation::{Context, Need, Next, Operate, Operation},
    reply::Rendered,
    service_info::Host,
};
use access::Resource;
use base::Consistency;
use http::StatusCode;
use naming::{Instance, ServiceKey, ServiceView};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Entries of one page.
const PAGE_SIZE_MAX: usize = 5_000;

/// Which services are meant.
#[derive(Clone, Debug)]
struct Wanted {
    /// `None`: of all.
    namespace: Option<Arc<str>>,
    /// A part of the group.
    group: String,
    /// A part of the name.
    name: String,
    /// Only services with instances.
    filled: bool,
}

impl Wanted {
    fn takes(&self, view: &ServiceView) -> bool {
        view.key.group.contains(&self.group)
            && view.key.name.contains(&self.name)
            && !(self.filled && view.instances.is_empty())
    }

    /// The names of a whole namespace, or of all.
    fn need(&self) -> Need {
        let all = || Arc::from("*");
        let namespace = self.namespace.clone().unwrap_or_else(all);
        Need::read(Resource::Service { namespace, group: all(), name: all() }, Consistency::Stale)
    }
}

#[derive(Debug)]
pub(crate) struct CatalogServices {
    wanted: Wanted,
    with_instances: bool,
    /// From 1.
    page: usize,
    page_size: usize,
}

impl CatalogServices {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let part = |name| form.some(name).unwrap_or_default().to_owned();
        let wanted = Wanted {
            namespace: Some(form::canonical(form.get("namespaceId"))),
            group: part("groupNameParam"),
            name: part("serviceNameParam"),
            filled: form.flag("hasIpCount", false),
        };
        let with_instances = form.flag("withInstances", true);
        let (page, page_size) = (form.count("pageNo")?, form.count("pageSize")?.min(PAGE_SIZE_MAX));
        Ok(Self { wanted, with_instances, page, page_size }.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    name: &'a str,
    group_name: &'a str,
    cluster_count: usize,
    ip_count: usize,
    healthy_instance_count: usize,
    /// A text in Nacos, too.
    trigger_flag: &'static str,
}

impl<'a> Summary<'a> {
    fn of(view: &'a ServiceView) -> Self {
        let clusters: BTreeSet<&str> =
            view.instances.iter().map(|instance| &*instance.cluster_name).collect();
        let (all, healthy) = (view.instances.len(), view.instances.iter().filter(|i| i.healthy));
        let healthy = healthy.count();
        let protected = view.protect_threshold > 0.0
            && all > 0
            && healthy as f64 / all as f64 <= view.protect_threshold;
        Self {
            name: &view.key.name,
            group_name: &view.key.group,
            cluster_count: clusters.len(),
            ip_count: all,
            healthy_instance_count: healthy,
            trigger_flag: if protected { "true" } else { "false" },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    service_name: &'a str,
    group_name: &'a str,
    cluster_map: BTreeMap<&'a str, Cluster<'a>>,
    metadata: BTreeMap<Arc<str>, Arc<str>>,
    protect_threshold: f64,
}

#[derive(Default, Serialize)]
struct Cluster<'a> {
    hosts: Vec<Host<'a>>,
}

impl<'a> Whole<'a> {
    fn of(view: &'a ServiceView, grouped: &'a str) -> Self {
        let mut cluster_map: BTreeMap<&str, Cluster<'_>> = BTreeMap::new();
        for instance in &*view.instances {
            let cluster = cluster_map.entry(&instance.cluster_name).or_default();
            cluster.hosts.push(Host::new(grouped, instance, instance.healthy));
        }
        Self {
            service_name: &view.key.name,
            group_name: &view.key.group,
            cluster_map,
            metadata: view.metadata.as_ref().map(|said| said.metadata.clone()).unwrap_or_default(),
            protect_threshold: view.protect_threshold,
        }
    }
}

impl Operate for CatalogServices {
    fn need(&self) -> Need {
        self.wanted.need()
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Summaries<'a> {
            count: usize,
            service_list: Vec<Summary<'a>>,
        }
        let Self { wanted, page, page_size, .. } = self;
        let offset = (*page - 1).saturating_mul(*page_size);
        let namespace = wanted.namespace.as_deref();
        let page =
            context.views.services(namespace, &|view| wanted.takes(view), offset, *page_size);
        if !self.with_instances {
            let service_list = page.items.iter().map(|view| Summary::of(view)).collect();
            return Next::Reply(Rendered::json(&Summaries { count: page.count, service_list }));
        }
        let grouped: Vec<String> = page.items.iter().map(|view| view.key.grouped_name()).collect();
        let whole = page.items.iter().zip(&grouped);
        let whole: Vec<Whole<'_>> = whole.map(|(view, name)| Whole::of(view, name)).collect();
        Next::Reply(Rendered::json(&whole))
    }
}

#[derive(Debug)]
pub(crate) struct CatalogInstances {
    service: ServiceKey,
    /// `None`: of all.
    cluster_name: Option<Arc<str>>,
    /// From 1.
    page: usize,
    page_size: usize,
}

impl CatalogInstances {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let cluster_name = form.some("clusterName").map(Arc::from);
        let (page, page_size) = (form.count("pageNo")?, form.count("pageSize")?.min(PAGE_SIZE_MAX));
        Ok(Self { service: form.service()?, cluster_name, page, page_size }.into())
    }
}

impl Operate for CatalogInstances {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Bare<'a> {
            list: Vec<Host<'a>>,
            count: usize,
        }
        #[derive(Serialize)]
        struct Wrapped<'a> {
            instances: Vec<Host<'a>>,
            count: usize,
        }
        let Some(view) = context.views.service(&self.service) else {
            return Next::Fault(not_found(&self.service));
        };
        let grouped = self.service.grouped_name();
        let wanted = |instance: &&Arc<Instance>| {
            self.cluster_name.as_ref().is_none_or(|name| *name == instance.cluster_name)
        };
        let count = view.instances.iter().filter(wanted).count();
        if let (0, Some(name)) = (count, &self.cluster_name) {
            let text = format!("cluster {name} is not found!");
            return Next::Fault(Fault::new(Shape::Plain, StatusCode::NOT_FOUND, 404, text));
        }
        let offset = (self.page - 1).saturating_mul(self.page_size);
        let page = view.instances.iter().filter(wanted).skip(offset).take(self.page_size);
        let list = page.map(|one| Host::new(&grouped, one, one.healthy)).collect();
        Next::Reply(if context.door.is_wrapped() {
            Rendered::json(&Wrapped { instances: list, count })
        } else {
            Rendered::json(&Bare { list, count })
        })
    }
}

#[derive(Debug)]
pub(crate) struct ServiceNames {
    wanted: Wanted,
    /// A part of `group@@name`.
    part: String,
}

impl ServiceNames {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let namespace = form.some("namespaceId").map(Arc::from);
        let part = form.some("expr").unwrap_or_default().to_owned();
        let wanted = Wanted { namespace, group: String::new(), name: String::new(), filled: false };
        Ok(Self { wanted, part }.into())
    }
}

impl Operate for ServiceNames {
    fn need(&self) -> Need {
        self.wanted.need()
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Names {
            #[serde(rename = "META-INF/services")]
            names: BTreeMap<Arc<str>, Vec<String>>,
            count: usize,
        }
        let namespace = self.wanted.namespace.as_deref();
        let part = &self.part;
        let wanted = |view: &ServiceView| view.key.grouped_name().contains(part);
        let page = context.views.services(namespace, &wanted, 0, PAGE_SIZE_MAX);
        let mut names: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
        names.extend(self.wanted.namespace.clone().map(|namespace| (namespace, Vec::new())));
        for view in &page.items {
            let of = names.entry(view.key.namespace.clone()).or_default();
            of.push(view.key.grouped_name());
        }
        Next::Reply(Rendered::json(&Names { names, count: page.count }))
    }
}

#[derive(Debug)]
pub(crate) struct InstanceStatuses {
    service: ServiceKey,
}

impl InstanceStatuses {
    /// `key` is `namespace##group@@name` or `group@@name`.
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let key = form.some("key").ok_or_else(|| Fault::required("key"))?;
        Self::of_key(key)
    }

    pub(crate) fn of_key(key: &str) -> Result<Operation, Fault> {
        let (namespace, name) = match key.split_once("##") {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, key),
        };
        let (group, name) = form::split_grouped(name);
        let namespace = form::canonical(namespace);
        crate::check::namespace(&namespace)?;
        group.map_or(Ok(()), crate::check::group)?;
        crate::check::service(name)?;
        let group = group.filter(|group| !group.is_empty()).unwrap_or(form::DEFAULT_GROUP).into();
        Ok(Self { service: ServiceKey { namespace, group, name: name.into() } }.into())
    }
}

impl Operate for InstanceStatuses {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Statuses {
            ips: Vec<String>,
        }
        let view = context.views.service(&self.service);
        let instances = view.iter().flat_map(|view| view.instances.iter());
        let status = |one: &Arc<Instance>| format!("{}:{}_{}", one.ip, one.port, one.healthy);
        Next::Reply(Rendered::json(&Statuses { ips: instances.map(status).collect() }))
    }
}
