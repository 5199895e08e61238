//! From method and path to operation. Every route of the API is a line of this table.

use crate::{
    op,
    operation::{Asked, Plan},
    problem::Problem,
};
use http::Method;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Route {
    method: Method,
    /// `{}` stands for one segment of any text.
    path: &'static str,
    /// Reads the request.
    pub(crate) parse: fn(&mut Asked) -> Result<Plan, Problem>,
    /// Served without a login and before the node is ready.
    pub(crate) probe: bool,
    /// Served without a login.
    pub(crate) anonymous: bool,
}

const fn route(
    method: Method,
    path: &'static str,
    parse: fn(&mut Asked) -> Result<Plan, Problem>,
) -> Route {
    Route { method, path, parse, probe: false, anonymous: false }
}

const fn probe(path: &'static str, parse: fn(&mut Asked) -> Result<Plan, Problem>) -> Route {
    Route { method: Method::GET, path, parse, probe: true, anonymous: true }
}

static ROUTES: &[Route] = &[
    probe("/livez", op::health::live),
    probe("/readyz", op::health::ready),
    Route {
        method: Method::POST,
        path: "/v1/login",
        parse: op::login::parse,
        probe: false,
        anonymous: true,
    },
    route(Method::GET, "/v1/status", op::status::parse),
    route(Method::GET, "/v1/cluster/members", op::member_list::parse),
    route(Method::DELETE, "/v1/cluster/members/{}", op::member_delete::parse),
    route(Method::POST, "/v1/cluster/join-token", op::join_token::parse),
    route(Method::PUT, "/v1/cluster/leader", op::leader_put::parse),
    route(Method::POST, "/v1/cluster/rebalance", op::rebalance::parse),
    route(Method::GET, "/v1/cluster/verify", op::verify::parse),
    route(Method::POST, "/v1/cluster/repair", op::verify::parse_repair),
    route(Method::GET, "/v1/services", op::service_list::parse),
    route(Method::GET, "/v1/services/{}", op::service_get::parse),
    route(Method::PUT, "/v1/services/{}", op::service_put::parse),
    route(Method::DELETE, "/v1/services/{}", op::service_delete::parse),
    route(Method::GET, "/v1/services/{}/history", op::history::of_service),
    route(Method::POST, "/v1/services/{}/instances", op::instance_put::parse),
    route(Method::GET, "/v1/services/{}/instances/{}", op::instance_get::parse),
    route(Method::DELETE, "/v1/services/{}/instances/{}", op::instance_delete::parse),
    route(Method::POST, "/v1/services/{}/instances/{}/beat", op::instance_beat::parse),
    route(Method::GET, "/v1/services/{}/instances/{}/history", op::history::of_instance),
    route(Method::GET, "/v1/services/{}/instances/{}/explain", op::explain::of_instance),
    route(Method::GET, "/v1/configs", op::config_list::parse),
    route(Method::POST, "/v1/configs", op::config_publish::parse),
    route(Method::GET, "/v1/configs/{}", op::config_get::parse),
    route(Method::PUT, "/v1/configs/{}", op::config_put::parse),
    route(Method::DELETE, "/v1/configs/{}", op::config_delete::parse),
    route(Method::GET, "/v1/configs/{}/history", op::config_history::parse),
    route(Method::GET, "/v1/configs/{}/explain", op::explain::of_config),
    route(Method::GET, "/v1/locks/{}/explain", op::explain::of_lock),
    route(Method::GET, "/v1/locks", op::lock_list::parse),
    route(Method::GET, "/v1/locks/{}", op::lock_get::parse),
    route(Method::PUT, "/v1/locks/{}", op::lock_put::parse),
    route(Method::POST, "/v1/locks/{}", op::lock_renew::parse),
    route(Method::DELETE, "/v1/locks/{}", op::lock_delete::parse),
    route(Method::GET, "/v1/namespaces", op::namespace_list::parse),
    route(Method::GET, "/v1/namespaces/{}", op::namespace_get::parse),
    route(Method::PUT, "/v1/namespaces/{}", op::namespace_put::parse),
    route(Method::DELETE, "/v1/namespaces/{}", op::namespace_delete::parse),
    route(Method::GET, "/v1/namespaces/{}/history", op::history::of_namespace),
];

/// Verb and path of every route; `{}` stands for one segment of any text.
pub fn http_api() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.as_str(), route.path))
}

/// The route of a request, and what stands at its `{}`.
pub(crate) fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<String>), Problem> {
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(segments) = matches(route.path, path) else { continue };
        if route.method == *method {
            let decoded: Option<Vec<String>> = segments.into_iter().map(decode).collect();
            return decoded.map(|segments| (route, segments)).ok_or_else(|| {
                let what = format!("the path `{path}` is not percent-encoded UTF-8");
                Problem::invalid(what, "it does not decode", "encode each segment")
            });
        }
        allowed.push(route.method.as_str());
    }
    if allowed.is_empty() {
        return Err(Problem::not_found(
            format!("there is no route `{path}`"),
            "look at `trine help` or the list of routes in the documentation",
        ));
    }
    let allowed = allowed.join(", ");
    let mut problem = Problem::new(
        405,
        "method",
        format!("`{path}` does not take {method}"),
        format!("it takes {allowed}"),
        "use one of these methods",
    );
    problem.allow = Some(allowed.into());
    Err(problem)
}

fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected == "{}" {
            found.push(segment);
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(found)
}

/// Percent-decoding of a path segment; here `+` is a plus.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            // `from_str_radix` would take a sign.
            if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_route_and_says_what_it_takes_otherwise() {
        let (_, segments) =
            find(&Method::GET, "/v1/services/a%2Fb+c/instances/[::1]:80").expect("a route");
        assert_eq!(segments, ["a/b+c", "[::1]:80"]);
        let problem = find(&Method::POST, "/v1/configs/x").expect_err("no POST");
        assert_eq!((problem.status, problem.allow.as_deref()), (405, Some("GET, PUT, DELETE")));
        for path in ["/v1", "/v1/", "/v1/configs/x/y", "/v1/configs/", "/livez/"] {
            let found = find(&Method::GET, path).map(|(route, _)| route.path);
            // An empty segment is a name, and names are checked by their route.
            if path == "/v1/configs/" {
                assert_eq!(found.ok(), Some("/v1/configs/{}"));
            } else {
                assert_eq!(found.expect_err(path).status, 404);
            }
        }
        assert_eq!(find(&Method::GET, "/v1/configs/%f").expect_err("cut short").status, 400);
        assert_eq!(find(&Method::GET, "/v1/configs/%+1").expect_err("no hex").status, 400);
        assert_eq!(find(&Method::GET, "/v1/configs/%ff").expect_err("no UTF-8").status, 400);
    }

    #[test]
    fn only_the_probes_and_the_login_are_open_to_everyone() {
        let open: Vec<_> =
            ROUTES.iter().filter(|route| route.anonymous).map(|route| route.path).collect();
        assert_eq!(open, ["/livez", "/readyz", "/v1/login"]);
        assert!(ROUTES.iter().all(|route| crate::serves(route.path)));
    }
}
