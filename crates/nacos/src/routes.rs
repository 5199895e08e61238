//! Nacos's HTTP API: every path that this edge knows, with its fate.

use crate::{
    Limits,
    access_ops::*,
    call::Reader,
    config_ops::*,
    fault::{Fault, Shape},
    form::Form,
    naming_ops::*,
    operation::Operation,
    reply::INDEX_HEADER,
    server_ops::*,
};
use base::{Limit, LogIndex};
use bytes::Bytes;
use http::{Method, StatusCode};
use naming::ServerStatus;

/// Bytes of a body that carries configs, unless set otherwise.
pub const CONFIG_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of any other body, unless set otherwise.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Whether a path belongs to this edge.
#[must_use]
pub fn serves(path: &str) -> bool {
    path == "/nacos" || path.starts_with("/nacos/")
}

/// Whether bodies to this path carry configs, and may be as long as those.
#[must_use]
pub fn takes_configs(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    ["/nacos/v1/cs/configs", "/nacos/v2/cs/config"].contains(&path)
}

/// What becomes of a verb on a path.
#[derive(Clone, Copy)]
enum Fate {
    /// Parsed by this function.
    Served(fn(&Form) -> Result<Operation, Fault>),
    /// Its last part is a value, parsed by this function.
    ServedBelow(fn(&str) -> Result<Operation, Fault>),
    /// Known to Nacos, not served by us yet.
    Later,
}

use Fate::{Later, Served, ServedBelow};

/// Verb, path below `/nacos`, fate. Of v2 and v3 only what is served is here; the rest is answered 501.
const ROUTES: &[(&str, &str, Fate)] = &[
    ("POST", "/v1/ns/instance", Served(Register::from_http)),
    ("DELETE", "/v1/ns/instance", Served(Deregister::from_http)),
    ("GET", "/v1/ns/instance", Served(ShowInstance::from_http)),
    ("PUT", "/v1/ns/instance", Served(EditInstance::replace)),
    ("PATCH", "/v1/ns/instance", Served(EditInstance::patch)),
    ("GET", "/v1/ns/instance/list", Served(QueryService::from_http)),
    ("PUT", "/v1/ns/instance/beat", Served(Beat::from_http)),
    ("PUT", "/v1/ns/instance/metadata/batch", Served(EditMetadata::add)),
    ("DELETE", "/v1/ns/instance/metadata/batch", Served(EditMetadata::remove)),
    ("GET", "/v1/ns/instance/statuses", Served(InstanceStatuses::from_http)),
    ("POST", "/v1/ns/service", Served(ServiceItself::create)),
    ("GET", "/v1/ns/service", Served(ShowService::from_http)),
    ("DELETE", "/v1/ns/service", Served(ServiceItself::remove)),
    ("PUT", "/v1/ns/service", Served(ServiceItself::update)),
    ("GET", "/v1/ns/service/list", Served(ListServices::from_http)),
    ("GET", "/v1/ns/service/subscribers", Served(ListSubscribers::from_http)),
    ("GET", "/v1/ns/service/names", Served(ServiceNames::from_http)),
    ("GET", "/v1/ns/service/selector/types", Served(LookUp::selector_types)),
    ("GET", "/v1/ns/operator/metrics", Served(Metrics::from_http)),
    ("GET", "/v1/ns/ops/metrics", Served(Metrics::from_http)),
    ("GET", "/v1/ns/operator/switches", Served(ShowSwitches::from_http)),
    ("PUT", "/v1/ns/operator/switches", Served(TurnSwitch::from_http)),
    ("GET", "/v1/ns/operator/distro/client", Served(LookUp::responsible_server)),
    ("GET", "/v1/ns/operator/push/state", Later),
    ("PUT", "/v1/ns/operator/log", Later),
    ("PUT", "/v1/ns/cluster", Served(DescribeCluster::from_http)),
    ("PUT", "/v1/ns/health", Served(SetHealth::from_http)),
    ("PUT", "/v1/ns/health/instance", Served(SetHealth::from_http)),
    ("GET", "/v1/ns/health/server", Served(HealthPage::server)),
    ("GET", "/v1/ns/health/checkers", Served(HealthPage::checkers)),
    ("GET", "/v1/ns/catalog/services", Served(CatalogServices::from_http)),
    ("GET", "/v1/ns/catalog/instances", Served(CatalogInstances::from_http)),
    ("GET", "/v1/ns/catalog/service", Served(ShowService::catalog)),
    ("GET", "/v1/cs/configs", Served(QueryConfig::from_http)),
    ("POST", "/v1/cs/configs", Served(Publish::from_http)),
    ("DELETE", "/v1/cs/configs", Served(RemoveConfig::from_http)),
    ("POST", "/v1/cs/configs/listener", Served(Poll::from_http)),
    ("GET", "/v1/cs/configs/listener", Served(ListListeners::from_http)),
    ("GET", "/v1/cs/configs/catalog", Served(QueryConfig::catalog)),
    ("GET", "/v1/cs/history", Served(ShowChange::from_http)),
    ("GET", "/v1/cs/history/previous", Served(ShowChange::previous)),
    ("GET", "/v1/cs/history/configs", Served(SearchConfigs::of_namespace)),
    ("GET", "/v1/cs/listener", Served(ListListeners::at_address)),
    ("GET", "/v1/cs/capacity", Served(ShowCapacity::from_http)),
    ("POST", "/v1/cs/capacity", Later),
    ("GET", "/v1/cs/metrics/cluster", Later),
    ("GET", "/v1/cs/metrics/current", Later),
    ("POST", "/v1/cs/ops/localCache", Later),
    ("PUT", "/v1/cs/ops/log", Later),
    ("POST", "/v1/auth/login", Served(LogIn::from_http)),
    ("POST", "/v1/auth/users/login", Served(LogIn::from_http)),
    ("POST", "/v3/auth/user/login", Served(LogIn::from_http)),
    ("POST", "/v1/auth/users/admin", Served(CreateAdministrator::from_http)),
    ("GET", "/v1/auth/users", Served(ListAccounts::users)),
    ("POST", "/v1/auth/users", Served(ChangeAccount::create_user)),
    ("PUT", "/v1/auth/users", Served(ChangeAccount::set_password)),
    ("DELETE", "/v1/auth/users", Served(ChangeAccount::remove_user)),
    ("GET", "/v1/auth/roles", Served(ListAccounts::roles)),
    ("POST", "/v1/auth/roles", Served(ChangeAccount::grant)),
    ("DELETE", "/v1/auth/roles", Served(ChangeAccount::revoke)),
    ("GET", "/v1/auth/permissions", Served(ListAccounts::permissions)),
    ("POST", "/v1/auth/permissions", Served(ChangeAccount::permit)),
    ("DELETE", "/v1/auth/permissions", Served(ChangeAccount::forbid)),
    ("GET", "/v1/console/namespaces", Served(ListNamespaces::from_http)),
    ("POST", "/v1/console/namespaces", Served(ChangeNamespace::create)),
    ("PUT", "/v1/console/namespaces", Served(ChangeNamespace::update)),
    ("DELETE", "/v1/console/namespaces", Served(ChangeNamespace::remove)),
    ("GET", "/v1/console/server/state", Served(ServerState::from_http)),
    ("GET", "/v1/console/health/liveness", Served(Probe::liveness)),
    ("GET", "/v1/console/health/readiness", Served(Probe::readiness)),
    ("POST", "/v2/ns/instance", Served(Register::from_http)),
    ("DELETE", "/v2/ns/instance", Served(Deregister::from_http)),
    ("GET", "/v2/ns/instance", Served(ShowInstance::from_http)),
    ("PUT", "/v2/ns/instance", Served(EditInstance::replace)),
    ("PATCH", "/v2/ns/instance", Served(EditInstance::patch)),
    ("PUT", "/v2/ns/service", Served(ServiceItself::update)),
    ("GET", "/v2/ns/instance/list", Served(QueryService::from_http)),
    ("PUT", "/v2/ns/instance/beat", Served(Beat::from_http_v2)),
    ("PUT", "/v2/ns/instance/metadata/batch", Served(EditMetadata::add)),
    ("DELETE", "/v2/ns/instance/metadata/batch", Served(EditMetadata::remove)),
    ("GET", "/v2/ns/instance/statuses/{key}", ServedBelow(InstanceStatuses::of_key)),
    ("GET", "/v2/ns/service", Served(ShowService::from_http)),
    ("POST", "/v2/ns/service", Served(ServiceItself::create)),
    ("DELETE", "/v2/ns/service", Served(ServiceItself::remove)),
    ("GET", "/v2/ns/service/list", Served(ListServices::from_http_v2)),
    ("GET", "/v2/ns/operator/metrics", Served(Metrics::from_http)),
    ("GET", "/v2/ns/ops/metrics", Served(Metrics::from_http)),
    ("GET", "/v2/ns/operator/switches", Served(ShowSwitches::from_http)),
    ("PUT", "/v2/ns/operator/switches", Served(TurnSwitch::from_http)),
    ("GET", "/v2/ns/ops/switches", Served(ShowSwitches::from_http)),
    ("PUT", "/v2/ns/ops/switches", Served(TurnSwitch::from_http)),
    ("PUT", "/v2/ns/health", Served(SetHealth::from_http)),
    ("PUT", "/v2/ns/health/instance", Served(SetHealth::from_http)),
    ("GET", "/v2/ns/catalog/instances", Served(CatalogInstances::from_http)),
    ("GET", "/v2/ns/client/list", Served(ListClients::from_http)),
    ("GET", "/v2/ns/client", Served(ShowClient::itself)),
    ("GET", "/v2/ns/client/publish/list", Served(ShowClient::published)),
    ("GET", "/v2/ns/client/subscribe/list", Served(ShowClient::subscribed)),
    ("GET", "/v2/ns/client/service/publisher/list", Served(ListClientsOf::publishers)),
    ("GET", "/v2/ns/client/service/subscriber/list", Served(ListClientsOf::subscribers)),
    ("POST", "/v3/client/ns/instance", Served(Register::from_http_v3)),
    ("DELETE", "/v3/client/ns/instance", Served(Deregister::from_http)),
    ("GET", "/v3/client/ns/instance/list", Served(QueryService::from_http_v3)),
    ("GET", "/v2/cs/config", Served(QueryConfig::from_http_v2)),
    ("POST", "/v2/cs/config", Served(Publish::from_http_v2)),
    ("DELETE", "/v2/cs/config", Served(RemoveConfig::from_http_v2)),
    ("GET", "/v3/client/cs/config", Served(QueryConfig::from_http_v3)),
    ("GET", "/v2/cs/config/searchDetail", Served(SearchConfigs::from_http)),
    ("GET", "/v2/cs/history/list", Served(ListChanges::from_http)),
    ("GET", "/v2/cs/history", Served(ShowChange::from_http_v2)),
    ("GET", "/v2/cs/history/detail", Served(ShowChange::detail)),
    ("GET", "/v2/cs/history/previous", Served(ShowChange::previous)),
    ("GET", "/v2/cs/history/configs", Served(SearchConfigs::of_namespace)),
    ("GET", "/v2/console/namespace/list", Served(ListNamespaces::all)),
    ("GET", "/v2/console/namespace", Served(ListNamespaces::one)),
    ("POST", "/v2/console/namespace", Served(ChangeNamespace::create_v2)),
    ("PUT", "/v2/console/namespace", Served(ChangeNamespace::update_v2)),
    ("DELETE", "/v2/console/namespace", Served(ChangeNamespace::remove)),
    ("GET", "/v2/core/cluster/node/self", Served(ClusterNodes::own)),
    ("GET", "/v2/core/cluster/node/list", Served(ClusterNodes::list)),
    ("GET", "/v2/core/cluster/node/self/health", Served(ClusterNodes::health)),
    ("GET", "/v2/console/health/liveness", Served(Probe::liveness)),
    ("GET", "/v2/console/health/readiness", Served(Probe::readiness)),
    ("GET", "/v3/console/health/liveness", Served(Probe::liveness)),
    ("GET", "/v3/console/health/readiness", Served(Probe::readiness)),
    ("GET", "/actuator/health", Served(Probe::actuator)),
    ("GET", "/serverlist", Served(ServerList::from_http)),
    ("GET", "/v1/core/cluster/nodes", Served(ClusterNodes::list)),
    ("GET", "/v1/core/cluster/self", Served(ClusterNodes::own)),
    ("GET", "/v1/core/cluster/health", Served(ClusterNodes::health)),
    ("GET", "/v1/core/cluster/simple/nodes", Served(ClusterNodes::addresses)),
    ("POST", "/v1/core/cluster/report", Later),
    ("POST", "/v1/core/cluster/switch/lookup", Later),
    ("POST", "/v1/core/cluster/server/leave", Later),
    ("GET", "/v1/ns/operator/servers", Served(ClusterNodes::servers)),
    ("GET", "/v2/core/loader/current", Served(Loader::current)),
    ("GET", "/v2/core/loader/cluster", Served(Loader::cluster)),
    ("GET", "/v2/core/loader/reloadCurrent", Served(Loader::reload)),
    ("GET", "/v2/core/loader/reloadClient", Served(Loader::reload_client)),
    ("GET", "/v2/core/loader/smartReloadCluster", Served(Loader::balance)),
    ("GET", "/v3/admin/core/loader/current", Served(Loader::current)),
    ("GET", "/v3/admin/core/loader/cluster", Served(Loader::cluster)),
    ("POST", "/v3/admin/core/loader/reloadCurrent", Served(Loader::reload)),
    ("POST", "/v3/admin/core/loader/reloadClient", Served(Loader::reload_client)),
    ("POST", "/v3/admin/core/loader/smartReloadCluster", Served(Loader::balance)),
    ("GET", "/v3/admin/core/cluster/node/self", Served(ClusterNodes::own)),
    ("GET", "/v3/admin/core/cluster/node/list", Served(ClusterNodes::list)),
    ("GET", "/v3/admin/core/cluster/node/self/health", Served(ClusterNodes::health)),
    ("GET", "/v3/console/core/cluster/nodes", Served(ClusterNodes::list)),
];

/// Every verb and path that this edge knows, and whether it is served: what a compatibility table is made from.
pub fn http_api() -> impl Iterator<Item = (&'static str, String, bool)> {
    ROUTES.iter().map(|(verb, path, fate)| {
        (*verb, format!("/nacos{path}"), matches!(fate, Served(_) | ServedBelow(_)))
    })
}

/// Refuses a body over the limit of its path, for hosts that read it before they looked.
pub(crate) fn check_size(request: &http::Request<Bytes>, limits: &Limits) -> Result<(), Fault> {
    let path = request.uri().path();
    let (bytes, bytes_max) = (request.body().len(), limits.of_body(path));
    if bytes <= bytes_max {
        return Ok(());
    }
    let text = format!("a body of {bytes} bytes is over the limit of {bytes_max}: send less");
    let limit = if takes_configs(path) { Limit::ConfigBody } else { Limit::RequestBody };
    Err(Fault::new(Shape::Framework, StatusCode::PAYLOAD_TOO_LARGE, 413, text).at(limit))
}

/// Finds the operation of a request.
pub(crate) fn route(method: &Method, path: &str, form: &Form) -> Result<Operation, Fault> {
    let below = path.strip_prefix("/nacos").unwrap_or(path);
    let below = below.strip_suffix('/').unwrap_or(below);
    let verb = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut known = false;
    for (route_verb, route_path, fate) in ROUTES {
        let value = route_path.strip_suffix("{key}").map(|stem| below.strip_prefix(stem));
        if value.map_or(*route_path == below, |value| value.is_some()) {
            known = true;
            if *route_verb == verb {
                return match fate {
                    Served(parse) => form.filter().and_then(|()| parse(form)),
                    ServedBelow(parse) => parse(&decoded(value.flatten().unwrap_or_default())),
                    Later => Err(not_served(method, path)),
                };
            }
        }
    }
    Err(unknown(method, path, below, known))
}

/// How fresh what this request reads must be: `consistency`, and the index that the client was told.
pub(crate) fn reader(method: &Method, form: &Form) -> Result<Reader, Fault> {
    if ![Method::GET, Method::HEAD].contains(method) {
        return Ok(Reader::default());
    }
    let wanted = form.some("consistency").map(|text| {
        text.parse().map_err(|()| {
            Fault::plain(
                "Param 'consistency' is illegal, it should be stale, bounded(500ms), session or linearizable.",
            )
        })
    });
    let seen = form.header(INDEX_HEADER).map_or(Ok(0), |text| {
        text.parse().map_err(|_| {
            Fault::plain(format!("Header '{INDEX_HEADER}' is illegal, it should be a number."))
        })
    });
    Ok(Reader { wanted: wanted.transpose()?, seen: LogIndex(seen?) })
}

/// A part of a path as it was meant. What is no UTF-8 is not meant.
fn decoded(part: &str) -> String {
    // A `+` stands for itself in a path.
    let pair = format!("={}", part.replace('+', "%2B"));
    let value = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

/// What an operator says of the registry's status is so over HTTP, but for those who operate it.
pub(crate) fn check_status(
    status: Option<ServerStatus>,
    method: &Method,
    path: &str,
) -> Result<(), Fault> {
    let registry = ["/nacos/v1/ns/", "/nacos/v2/ns/", "/nacos/v3/client/ns/"];
    let Some(below) = registry.iter().find_map(|stem| path.strip_prefix(stem)) else {
        return Ok(());
    };
    if ["operator/", "ops/", "health/server"].iter().any(|stem| below.starts_with(stem)) {
        return Ok(());
    }
    let served = match status {
        None | Some(ServerStatus::Up) => true,
        Some(ServerStatus::Down | ServerStatus::Starting | ServerStatus::Paused) => false,
        Some(ServerStatus::ReadOnly) => [Method::GET, Method::HEAD].contains(method),
        Some(ServerStatus::WriteOnly) => ![Method::GET, Method::HEAD].contains(method),
    };
    match status.filter(|_| !served) {
        None => Ok(()),
        Some(status) => {
            let text = format!("server is {} now, please try again later!", status_text(status));
            Err(Fault::new(Shape::Plain, StatusCode::SERVICE_UNAVAILABLE, 503, text))
        }
    }
}

fn not_served(method: &Method, path: &str) -> Fault {
    Fault::not_served(format!("not served yet: {method} {path}"))
}

/// As officially: the registry's filter answers 501, the framework 405 and 404. What is known of later generations is
/// answered 501, so that nobody takes it for a success or for a typing error.
fn unknown(method: &Method, path: &str, below: &str, known: bool) -> Fault {
    if below.starts_with("/v2/") || below.starts_with("/v3/") {
        return not_served(method, path);
    }
    let (status, text) = if below.starts_with("/v1/ns/") {
        (StatusCode::NOT_IMPLEMENTED, format!("no such api:{method}:{path}"))
    } else if known {
        (StatusCode::METHOD_NOT_ALLOWED, format!("Request method '{method}' not supported"))
    } else {
        (StatusCode::NOT_FOUND, "No message available".to_owned())
    };
    Fault::new(Shape::Framework, status, status.as_u16(), text)
}
