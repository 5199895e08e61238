//! `/metrics` in the text form of OpenMetrics. Names follow Prometheus's rules: one prefix, base units, `_total` for
//! counters, never an id as a label.
//!
//! Several nodes may run in one process, so there is no global registry: each scrape makes one from plain numbers.

use crate::{body::Body, connection::Door};
use bytes::Bytes;
use host::Gauges;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};

/// Where it is served.
pub(crate) const PATH: &str = "/metrics";

pub(crate) fn serve(door: &Door, request: &Request<Incoming>) -> Response<Body> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = Response::new(Body::Whole(None));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !door.host.may_scrape(door.clock.now(), door.remote.ip(), token) {
        let body = Bytes::from_static(b"metrics need a token from elsewhere than loopback\n");
        let mut response = Response::new(Body::Whole(Some(body)));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let challenge = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    let mut response =
        Response::new(Body::Whole(Some(page(door.host.gauges(door.clock.now())).into())));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn page(gauges: Gauges) -> String {
    let mut registry = Registry::with_prefix("trine");
    let info = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", info);
    let uptime = ConstGauge::new(gauges.uptime.as_secs_f64());
    registry.register_with_unit("uptime", "Since the node started", Unit::Seconds, uptime);
    let mut gauge = |name: &str, help: &str, value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        registry.register(name, help, ConstGauge::new(value));
    };
    let counts = gauges.counts;
    gauge("ready", "Whether the node serves", gauges.ready.into());
    gauge("connections", "Client connections that are open", gauges.connections_open as u64);
    gauge("registry_services", "Services, empty ones too", counts.services as u64);
    gauge("registry_instances", "Instances listed", counts.instances as u64);
    gauge("registry_subscribers", "Subscriptions", counts.subscriptions as u64);
    gauge("registry_clients", "Publishers and subscribers", counts.clients as u64);
    gauge("config_items", "Configs of all namespaces", gauges.configs as u64);
    gauge("raft_is_leader", "Whether the node leads", gauges.leads.into());
    gauge("raft_term", "Current term", gauges.term.0);
    gauge("raft_commit_index", "Last entry known to be committed", gauges.commit.0);
    gauge("raft_applied_index", "Last entry in the state", gauges.applied.0);
    gauge("raft_proposals_pending", "Writes without an outcome", gauges.proposals_pending as u64);
    gauge("disk_full", "Whether writes are refused for want of space", gauges.disk_full.into());
    let opened = ConstCounter::new(gauges.connections_opened);
    registry.register("connections_opened", "Client connections since the start", opened);
    let broken = ConstCounter::new(gauges.sessions_broken);
    registry.register("sessions_broken", "Sessions ended by a defect of ours", broken);
    let mut text = String::new();
    encode(&mut text, &registry).expect("a string takes all text");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Duration, LogIndex, Term};

    #[test]
    fn the_page_names_units_and_ends_as_the_format_wants() {
        let text = page(Gauges {
            ready: true,
            leads: true,
            term: Term(3),
            commit: LogIndex(9),
            applied: LogIndex(9),
            disk_full: false,
            proposals_pending: 0,
            counts: naming::Counts { instances: 7, ..naming::Counts::default() },
            configs: 2,
            connections_open: 1,
            connections_opened: 5,
            sessions_broken: 0,
            uptime: Duration::from_millis(1500),
        });
        for line in [
            "trine_ready 1",
            "trine_registry_instances 7",
            "trine_connections_opened_total 5",
            "trine_uptime_seconds 1.5",
            "trine_raft_term 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
