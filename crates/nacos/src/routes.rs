//! Nacos's HTTP API: every path that this edge knows, with its fate.

use crate::{
    config_ops::*,
    fault::{Fault, Shape},
    form::Form,
    naming_ops::*,
    operation::Operation,
};
use bytes::Bytes;
use http::{Method, StatusCode};

/// Bytes of a body that carries configs.
pub const CONFIG_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of any other body.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Whether a path belongs to this edge.
#[must_use]
pub fn serves(path: &str) -> bool {
    path == "/nacos" || path.starts_with("/nacos/")
}

/// How many bytes the body of a request to this path may have; a longer one is answered 413 before it is read.
#[must_use]
pub fn body_bytes_max(_method: &Method, path: &str) -> usize {
    let config = path.strip_suffix('/').unwrap_or(path) == "/nacos/v1/cs/configs";
    if config { CONFIG_BODY_BYTES_MAX } else { BODY_BYTES_MAX }
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

/// Verb, path below `/nacos`, fate.
const ROUTES: &[(&str, &str, Fate)] = &[
    ("POST", "/v1/ns/instance", Served(Register::from_http)),
    ("DELETE", "/v1/ns/instance", Served(Deregister::from_http)),
    ("PUT", "/v1/ns/instance", Later),
    ("PATCH", "/v1/ns/instance", Later),
    ("GET", "/v1/ns/service/list", Served(ListServices::from_http)),
    ("GET", "/v1/cs/configs", Served(QueryConfig::from_http)),
    ("POST", "/v1/cs/configs", Served(Publish::from_http)),
    ("DELETE", "/v1/cs/configs", Served(RemoveConfig::from_http)),
    ("POST", "/v1/cs/configs/listener", Served(Poll::from_http)),
    ("GET", "/v1/ns/instance/list", Served(QueryService::from_http)),
];

/// Refuses a body over the limit of its path, for hosts that read it before they looked.
pub(crate) fn check_size(request: &http::Request<Bytes>) -> Result<(), Fault> {
    let (bytes, bytes_max) =
        (request.body().len(), body_bytes_max(request.method(), request.uri().path()));
    if bytes <= bytes_max {
        return Ok(());
    }
    let text = format!("a body of {bytes} bytes is over the limit of {bytes_max}: send less");
    Err(Fault::new(Shape::Framework, StatusCode::PAYLOAD_TOO_LARGE, 413, text))
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
