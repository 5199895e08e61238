//! `/metrics` in the text form of OpenMetrics. Names follow the rules of Prometheus: one prefix, base units, `_total` for counters, never
//! an id as a label; no label has more values than are known before or capped.
//!
//! Several nodes may run in one process, so there is no global registry: each scrape writes a page from plain numbers.

mod legacy;
mod page;
mod peers;
mod process;

use crate::{body::Body, connection::Door, requests::Requests};
use base::Limit;
use bytes::Bytes;
use host::{Gauges, Host, NamespaceCounts};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use nacos::{Denial, Pushing};
use page::Page;
pub(crate) use process::note_start;

/// Where it is served.
const PATH: &str = "/metrics";
/// The revision and the compiler that made this program, where the build told them.
const COMMIT: Option<&str> = option_env!("TRINE_COMMIT");
const RUSTC: Option<&str> = option_env!("TRINE_RUSTC");

/// Whether a request to this path is for this module.
pub(crate) fn serves(path: &str) -> bool {
    path == PATH || path == legacy::PATH
}

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
    let gauges = door.host.gauges(door.clock.now());
    let page = if request.uri().path() == PATH {
        page(&gauges, door)
    } else {
        legacy::page(&gauges, &door.host, &door.requests)
    };
    let mut response = Response::new(Body::Whole(Some(page.into())));
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn page(gauges: &Gauges, door: &Door) -> String {
    let (host, requests) = (&*door.host, &*door.requests);
    let mut page = Page::default();
    of_node(&mut page, gauges);
    of_requests(&mut page, requests);
    of_connections(&mut page, gauges, host);
    of_registry(&mut page, gauges);
    of_pushes(&mut page, gauges, host);
    of_config(&mut page, gauges);
    of_raft(&mut page, gauges, host);
    peers::write(&mut page, host, gauges, &door.told);
    of_journal(&mut page, gauges);
    of_refusals(&mut page, gauges, host);
    process::write(&mut page);
    page.finish()
}

fn of_node(page: &mut Page, gauges: &Gauges) {
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("commit", COMMIT.unwrap_or("unknown")),
        ("rustc", RUSTC.unwrap_or("unknown")),
    ];
    page.gauge("trine_build_info", "The program").with(&build, true);
    let node = gauges.node.to_string();
    let node = [("node", node.as_str()), ("roles", "registry,config")];
    page.gauge("trine_node_info", "The node").with(&node, true);
    page.gauge("trine_up", "Whether the process answers").is(true);
    page.gauge("trine_ready", "Whether the node serves").is(gauges.ready);
    page.gauge("trine_uptime_seconds", "Since the node started").is(gauges.uptime.as_secs_f64());
    page.gauge("trine_disk_full", "Whether writes are refused for want of space")
        .is(gauges.disk_full);
}

fn of_requests(page: &mut Page, requests: &Requests) {
    let routes = requests.http();
    let all = page.counter("trine_http_requests", "HTTP requests answered");
    for route in &routes {
        for (code, count) in &route.codes {
            let code = code.to_string();
            let labels = [
                ("plane", route.plane),
                ("method", route.method),
                ("route", &route.route),
                ("code", &code),
            ];
            all.with(&labels, *count);
        }
    }
    let took = page.histogram(
        "trine_http_request_duration_seconds",
        "From a request's head to its answer; of a poll, with the time that it is held",
    );
    for route in &routes {
        let labels = [("plane", route.plane), ("method", route.method), ("route", &*route.route)];
        took.buckets(&labels, &route.took);
    }
    let calls = page.counter("trine_grpc_requests", "gRPC requests answered");
    for (kind, code, count) in requests.grpc() {
        calls.with(&[("type", kind), ("code", &code.to_string())], count);
    }
}

fn of_connections(page: &mut Page, gauges: &Gauges, host: &Host) {
    page.gauge("trine_connections", "Client connections that are open").is(gauges.connections_open);
    page.counter("trine_connections_opened", "Client connections since the start")
        .is(gauges.connections_opened);
    page.counter("trine_sessions_broken", "Sessions ended by a defect of ours")
        .is(gauges.sessions_broken);
    let agents = page.gauge("trine_grpc_connections", "Clients that have set up a stream");
    for (agent, count) in host.tally.agents() {
        agents.with(&[("sdk", &agent.sdk), ("version", &agent.version)], count);
    }
}

fn of_registry(page: &mut Page, gauges: &Gauges) {
    let namespaces = &gauges.namespaces;
    let listed = |counts: &NamespaceCounts| counts.services > 0;
    let services = page.gauge("trine_registry_services", "Services, empty ones too");
    for (namespace, counts) in namespaces.iter().filter(|(_, counts)| listed(counts)) {
        services.with(&[("namespace", namespace)], counts.services);
    }
    let instances = page.gauge("trine_registry_instances", "Instances listed");
    for (namespace, counts) in namespaces.iter().filter(|(_, counts)| listed(counts)) {
        instances.with(&[("namespace", namespace), ("health", "healthy")], counts.healthy);
        instances.with(&[("namespace", namespace), ("health", "unhealthy")], counts.unhealthy);
    }
    page.gauge("trine_registry_subscribers", "Subscriptions").is(gauges.counts.subscriptions);
    page.gauge("trine_registry_clients", "Publishers and subscribers").is(gauges.counts.clients);
    page.counter("trine_registry_heartbeats", "Beats of instances").is(gauges.tally.beats);
    let gone = page.counter("trine_registry_expirations", "Instances that left unasked");
    gone.with(&[("reason", "silent")], gauges.tally.expired);
    gone.with(&[("reason", "connection_lost")], gauges.tally.lost_connections);
    gone.with(&[("reason", "orphan")], gauges.tally.orphans_hidden);
}

fn of_pushes(page: &mut Page, gauges: &Gauges, host: &Host) {
    let planes = [("registry", Pushing::Registry), ("config", Pushing::Config)];
    let counts = planes.map(|(name, plane)| (name, host.tally.pushes(plane)));
    let all = page.counter("trine_push", "What was sent on streams, by what became of it");
    for (plane, counts) in &counts {
        let acknowledged: u64 = counts.acknowledged.buckets.iter().sum();
        all.with(&[("plane", plane), ("result", "acknowledged")], acknowledged);
        all.with(&[("plane", plane), ("result", "unacknowledged")], counts.lost);
    }
    let took = page.histogram("trine_push_ack_duration_seconds", "Until a client confirmed");
    for (plane, counts) in &counts {
        took.buckets(&[("plane", plane)], &counts.acknowledged);
    }
    page.gauge("trine_push_pending", "Sent and not confirmed yet").is(gauges.pushes_in_flight);
    page.gauge("trine_push_pending_bytes", "Waiting for clients to read").is(gauges.streams_bytes);
}

fn of_config(page: &mut Page, gauges: &Gauges) {
    let items = page.gauge("trine_config_items", "Configs");
    for (namespace, counts) in gauges.namespaces.iter().filter(|(_, counts)| counts.configs > 0) {
        items.with(&[("namespace", namespace)], counts.configs);
    }
    page.gauge("trine_config_listeners", "Configs that clients listen to, each once per listener")
        .is(gauges.tally.config_listeners);
    let published = page.counter("trine_config_publish", "Contents that clients wanted to set");
    published.with(&[("result", "ok")], gauges.tally.published);
    published.with(&[("result", "conflict")], gauges.tally.publish_conflicts);
    published.with(&[("result", "refused")], gauges.tally.publish_refused);
}

fn of_raft(page: &mut Page, gauges: &Gauges, host: &Host) {
    page.gauge("trine_raft_is_leader", "Whether the node leads").is(gauges.leads);
    page.gauge("trine_raft_term", "Current term").is(gauges.term.0);
    page.gauge("trine_raft_commit_index", "Last entry known to be committed").is(gauges.commit.0);
    page.gauge("trine_raft_applied_index", "Last entry in the state").is(gauges.applied.0);
    let lag = gauges.commit.0.saturating_sub(gauges.applied.0);
    page.gauge("trine_raft_apply_lag_entries", "Committed and not in the state yet").is(lag);
    page.gauge("trine_raft_proposals_pending", "Writes without an outcome")
        .is(gauges.proposals_pending);
    page.counter("trine_raft_leader_changes", "How often this node became the leader")
        .is(gauges.tally.leader_changes);
    page.counter(
        "trine_peer_times_not_followed",
        "Messages of nodes whose clock is more than a day ahead of the wall clock here",
    )
    .is(gauges.tally.times_not_followed);
    page.histogram("trine_raft_fsync_duration_seconds", "Until a batch of entries was durable")
        .buckets(&[], &host.tally.fsync.counts());
}

fn of_journal(page: &mut Page, gauges: &Gauges) {
    let tally = &gauges.tally;
    page.gauge("trine_journal_bytes", "About how much the journal holds").is(tally.journal_bytes);
    page.gauge("trine_journal_events", "Events in it").is(tally.journal_events);
    page.counter("trine_journal_dropped", "Events that left it at its limit")
        .is(tally.journal_dropped);
    if let Some(oldest) = tally.journal_oldest_unix_ms {
        page.gauge("trine_journal_oldest_seconds", "Unix time of its oldest event")
            .is(oldest as f64 / 1_000.0);
    }
}

fn of_refusals(page: &mut Page, gauges: &Gauges, host: &Host) {
    let rejected = page.counter("trine_rejected", "What was refused, by limit: docs/limits.md");
    for limit in Limit::ALL {
        let by_datagram = if *limit == Limit::UdpSubscribers { gauges.udp_refused } else { 0 };
        rejected.with(&[("limit", limit.label())], host.tally.rejected(*limit) + by_datagram);
    }
    let denied = page.counter("trine_auth_failures", "Requests that were not let in");
    for denial in Denial::ALL {
        denied.with(&[("reason", denial.label())], host.tally.denied(denial));
    }
}
