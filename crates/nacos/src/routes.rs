//! Nacos's HTTP API: every path that this edge knows, with its fate.

use crate::{
    Limits,
    access_ops::*,
    config_ops::*,
    fault::{Fault, Shape},
    form::Form,
    naming_ops::*,
    operation::Operation,
    server_ops::*,
};
use base::Limit;
use bytes::Bytes;
use http::{Method, StatusCode};

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
    /// Known to Nacos, not served by us yet.
    Later,
}

use Fate::{Later, Served};

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
    ("GET", "/v1/ns/instance/statuses", Later),
    ("POST", "/v1/ns/service", Served(ServiceItself::create)),
    ("GET", "/v1/ns/service", Served(ServiceItself::show)),
    ("DELETE", "/v1/ns/service", Served(ServiceItself::remove)),
    ("PUT", "/v1/ns/service", Served(ServiceItself::update)),
    ("GET", "/v1/ns/service/list", Served(ListServices::from_http)),
    ("GET", "/v1/ns/service/subscribers", Served(ListSubscribers::from_http)),
    ("GET", "/v1/ns/service/names", Later),
    ("GET", "/v1/ns/service/selector/types", Later),
    ("GET", "/v1/ns/operator/metrics", Served(Metrics::from_http)),
    ("GET", "/v1/ns/ops/metrics", Served(Metrics::from_http)),
    ("GET", "/v1/ns/operator/switches", Later),
    ("PUT", "/v1/ns/operator/switches", Later),
    ("PUT", "/v1/ns/cluster", Later),
    ("PUT", "/v1/ns/health", Served(SetHealth::from_http)),
    ("PUT", "/v1/ns/health/instance", Served(SetHealth::from_http)),
    ("GET", "/v1/ns/health/checkers", Later),
    ("GET", "/v1/ns/catalog/services", Later),
    ("GET", "/v1/ns/catalog/instances", Later),
    ("GET", "/v1/ns/catalog/service", Later),
    ("GET", "/v1/cs/configs", Served(QueryConfig::from_http)),
    ("POST", "/v1/cs/configs", Served(Publish::from_http)),
    ("DELETE", "/v1/cs/configs", Served(RemoveConfig::from_http)),
    ("POST", "/v1/cs/configs/listener", Served(Poll::from_http)),
    ("GET", "/v1/cs/configs/listener", Served(ListListeners::from_http)),
    ("GET", "/v1/cs/configs/catalog", Later),
    ("GET", "/v1/cs/history", Served(ShowChange::from_http)),
    ("GET", "/v1/cs/history/previous", Served(ShowChange::previous)),
    ("GET", "/v1/cs/history/configs", Served(SearchConfigs::of_namespace)),
    ("GET", "/v1/cs/listener", Later),
    ("GET", "/v1/cs/capacity", Later),
    ("POST", "/v1/cs/capacity", Later),
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
    ("POST", "/v2/ns/service", Served(ServiceItself::create)),
    ("DELETE", "/v2/ns/service", Served(ServiceItself::remove)),
    ("GET", "/v2/ns/service/list", Served(ListServices::from_http_v2)),
    ("GET", "/v2/ns/operator/metrics", Served(Metrics::from_http)),
    ("GET", "/v2/ns/ops/metrics", Served(Metrics::from_http)),
    ("GET", "/v2/cs/config", Served(QueryConfig::from_http_v2)),
    ("POST", "/v2/cs/config", Served(Publish::from_http_v2)),
    ("DELETE", "/v2/cs/config", Served(RemoveConfig::from_http_v2)),
    ("GET", "/v3/client/cs/config", Served(QueryConfig::from_http_v3)),
    ("GET", "/v2/cs/config/searchDetail", Served(SearchConfigs::from_http)),
    ("GET", "/v2/cs/history/list", Served(ListChanges::from_http)),
    ("GET", "/v2/cs/history", Served(ShowChange::from_http_v2)),
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
];

/// Every verb and path that this edge knows, and whether it is served: what a compatibility table is made from.
pub fn http_api() -> impl Iterator<Item = (&'static str, String, bool)> {
    ROUTES
        .iter()
        .map(|(verb, path, fate)| (*verb, format!("/nacos{path}"), matches!(fate, Served(_))))
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
        if *route_path == below {
            known = true;
            if *route_verb == verb {
                return match fate {
                    Served(parse) => form.filter().and_then(|()| parse(form)),
                    Later => Err(not_served(method, path)),
                };
            }
        }
    }
    Err(unknown(method, path, below, known))
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
