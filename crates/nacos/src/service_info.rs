//! `serviceInfo`: which instances of a service a caller sees, and the JSON that all of Nacos's clients read.

use crate::{Format, Views, form, reply::Rendered};
use bytes::Bytes;
use naming::{ClusterNames, Instance, ServiceKey, ServiceView};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// How long a client may use a list before it asks again, in milliseconds.
pub(crate) const CACHE_MILLIS: u64 = 10_000;

/// What a list takes besides its hosts, and a host without much metadata; more grows.
const HEAD_BYTES: usize = 256;
const HOST_BYTES: usize = 384;

/// What of a service is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Only these cluster names; empty means all.
    pub(crate) clusters: ClusterNames,
    /// Only instances that are fit to be called.
    pub(crate) healthy_only: bool,
}

impl Selection {
    /// Everything of these clusters, as pushes show it.
    pub(crate) fn of(clusters: &ClusterNames) -> Self {
        Self { clusters: clusters.clone(), healthy_only: false }
    }
}

/// A `serviceInfo` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceInfo<'a> {
    name: Cow<'a, str>,
    group_name: &'a str,
    clusters: String,
    cache_millis: u64,
    hosts: Vec<Host<'a>>,
    last_ref_time: u64,
    checksum: &'static str,
    /// The spelling up to 2.x.
    #[serde(rename = "allIPs")]
    all_ips_2: bool,
    /// The spelling of 3.x.
    all_ips: bool,
    reach_protection_threshold: bool,
    valid: bool,
}

/// An instance as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Host<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<Cow<'a, str>>,
    ip: &'a str,
    port: u16,
    weight: f64,
    healthy: bool,
    enabled: bool,
    ephemeral: bool,
    cluster_name: &'a str,
    service_name: &'a str,
    metadata: &'a BTreeMap<Arc<str>, Arc<str>>,
    ip_delete_timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id_generator: Option<&'a str>,
    instance_heart_beat_interval: u64,
    instance_heart_beat_time_out: u64,
}

impl<'a> Host<'a> {
    pub(crate) fn new(grouped: &'a str, instance: &'a Instance, healthy: bool) -> Self {
        let millis = |key, default| {
            instance.metadata.get(key).and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let metadata = &instance.metadata;
        Self {
            instance_id: Some(id_of(grouped, instance)),
            ip: &instance.ip,
            port: instance.port,
            weight: instance.weight,
            healthy,
            enabled: instance.enabled,
            ephemeral: instance.ephemeral,
            cluster_name: &instance.cluster_name,
            service_name: grouped,
            metadata,
            ip_delete_timeout: millis("preserved.ip.delete.timeout", 30_000),
            // Nacos leaves the default out as soon as there is any metadata.
            instance_id_generator: if metadata.is_empty() {
                Some("simple")
            } else {
                metadata.get("preserved.instance.id.generator").map(|text| &**text)
            },
            instance_heart_beat_interval: millis("preserved.heart.beat.interval", 5_000),
            instance_heart_beat_time_out: millis("preserved.heart.beat.timeout", 15_000),
        }
    }
}

impl<'a> Host<'a> {
    /// As v3 shows it: with the id that its client gave, or none.
    pub(crate) fn with_own_id(grouped: &'a str, instance: &'a Instance, healthy: bool) -> Self {
        let instance_id = instance.instance_id.as_deref().map(Cow::Borrowed);
        Self { instance_id, ..Self::new(grouped, instance, healthy) }
    }
}

/// The id of an instance: as given, else `ip#port#cluster#group@@service`.
pub(crate) fn id_of<'a>(grouped: &str, instance: &'a Instance) -> Cow<'a, str> {
    match &instance.instance_id {
        Some(id) => Cow::Borrowed(id),
        None => {
            let Instance { ip, port, cluster_name, .. } = instance;
            Cow::Owned(format!("{ip}#{port}#{cluster_name}#{grouped}"))
        }
    }
}

/// The instances that a caller sees with what it is told of their health, and whether protection made it so.
///
/// Protection: when no more than `protect_threshold` of the instances are healthy, all are shown as healthy, so that
/// the few left are not run over by everybody's traffic. A threshold of zero means that nobody asked for it.
pub(crate) fn select<'a>(
    view: &'a ServiceView,
    selection: &Selection,
) -> (Vec<(&'a Instance, bool)>, bool) {
    let visible: Vec<&Instance> = view
        .instances
        .iter()
        .map(|instance| &**instance)
        .filter(|i| i.enabled)
        .filter(|i| selection.clusters.is_empty() || selection.clusters.contains(&i.cluster_name))
        .collect();
    let healthy = visible.iter().filter(|instance| instance.healthy).count();
    let protect = view.protect_threshold > 0.0
        && !visible.is_empty()
        && healthy as f64 / visible.len() as f64 <= view.protect_threshold;
    let shown = visible
        .into_iter()
        .filter(|instance| protect || instance.healthy || !selection.healthy_only)
        .map(|instance| (instance, protect || instance.healthy))
        .collect();
    (shown, protect)
}

fn written(view: &ServiceView, format: Format, selection: &Selection) -> Bytes {
    let grouped = view.key.grouped_name();
    let (shown, protect) = select(view, selection);
    let mut json = Vec::with_capacity(HEAD_BYTES + shown.len() * HOST_BYTES);
    let info = ServiceInfo {
        name: match format {
            Format::Grpc => Cow::Borrowed(&view.key.name),
            Format::Http => Cow::Borrowed(&grouped),
        },
        group_name: &view.key.group,
        clusters: selection.clusters.join(","),
        cache_millis: CACHE_MILLIS,
        hosts: shown
            .iter()
            .map(|(instance, healthy)| Host::new(&grouped, instance, *healthy))
            .collect(),
        last_ref_time: view.version,
        checksum: "",
        all_ips_2: false,
        all_ips: false,
        reach_protection_threshold: protect,
        valid: true,
    };
    serde_json::to_writer(&mut json, &info).expect("text keys, and memory does not refuse it");
    // It is kept: what it grew to and does not need is given back.
    json.into_boxed_slice().into()
}

/// The instances that a caller sees, alone.
pub(crate) fn hosts(view: Option<&ServiceView>, selection: &Selection) -> Rendered {
    let Some(view) = view else { return Rendered::json(&Vec::<Host<'_>>::new()) };
    let grouped = view.key.grouped_name();
    let (shown, _) = select(view, selection);
    let hosts = shown.iter().map(|(one, healthy)| Host::with_own_id(&grouped, one, *healthy));
    Rendered::json(&hosts.collect::<Vec<_>>())
}

/// The view written out, through the cache that all subscribers share when it is the common form.
pub(crate) fn shared(
    views: &dyn Views,
    view: &Arc<ServiceView>,
    format: Format,
    selection: &Selection,
) -> Bytes {
    let mut make = || written(view, format, selection);
    if selection.healthy_only {
        return make();
    }
    views.rendered(view, format, &selection.clusters, &mut make)
}

/// The list of a service as it is now; that of an unknown service is empty and as new as anything we ever showed.
pub(crate) fn current(
    views: &dyn Views,
    service: &ServiceKey,
    format: Format,
    selection: &Selection,
) -> Bytes {
    match views.service(service) {
        Some(view) => shared(views, &view, format, selection),
        None => empty(views, service, format, selection),
    }
}

/// The empty list of a service.
pub(crate) fn empty(
    views: &dyn Views,
    service: &ServiceKey,
    format: Format,
    selection: &Selection,
) -> Bytes {
    let version = views.service(service).map_or_else(|| views.last_version(), |v| v.version);
    let view = ServiceView {
        key: service.clone(),
        version,
        instances: Arc::from([]),
        protect_threshold: 0.0,
        metadata: None,
    };
    written(&view, format, selection)
}

/// The cluster name of an instance as it is stored.
pub(crate) fn cluster_or_default(name: Option<&str>) -> Arc<str> {
    name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(form::DEFAULT_CLUSTER).into()
}
